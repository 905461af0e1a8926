//! Answers of a guest: memory that the fuzzer chose is what a transform returns, read
//! through the canonical ABI and held against the contract.
//!
//! The guest returns a pointer to the body that it was given, so that an answer needs no
//! component of its own. Half of the answers are well-formed up to a few bytes, the others
//! are noise.

use std::path::Path;

use bytes::Bytes;
use hookloom::clock::Random;
use hookloom::model::Event;
use hookloom::plugin::Compiler;

use super::Fuzzer;
use super::room::{Room, words};
use crate::hostile::{plugin::component, room::event};

/// `describe` asks for the body. `transform` returns a pointer to it, or beside it when
/// its first byte is 255.
const MIRROR: &str = r#"
(data (i32.const 24) "\01")
(func (export "realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
  (global.set $free (i32.add (local.get $at) (local.get 3)))
  (local.get $at))
(global $free (mut i32) (i32.const 65536))
(func (export "transform") (param $event i32) (result i32)
  (local $body i32)
  (local.set $body (i32.load offset=88 (local.get $event)))
  (i32.add (local.get $body) (i32.eq (i32.load8_u (local.get $body)) (i32.const 255))))
"#;

/// Where the guest's memory begins to be used; pointers near it hit something.
const FREE: u32 = 65_536;
/// The guest's memory, in bytes.
const MEMORY: u32 = 16 << 16;
/// Bytes of a message as the canonical ABI lays it out.
const MESSAGE: usize = 84;
/// Where, in a message, its options have their discriminants, and its lists their pointers.
const OPTIONS: [usize; 5] = [0, 12, 40, 52, 72];
const LISTS: [usize; 3] = [24, 32, 64];
/// Largest answer that is made, in bytes.
const LARGEST: usize = 4096;

pub(super) struct Output {
    room: Room,
    event: Event,
}

impl Output {
    pub(super) fn new(program: &Path) -> Self {
        let room = Room::open(Compiler::Child(program.to_owned()));
        room.put(&component(MIRROR)).expect("the guest serves");
        Self { room, event: event() }
    }
}

impl Fuzzer for Output {
    fn next(&mut self, random: &Random) -> Vec<u8> {
        let mut bytes = vec![0; MESSAGE * 4 + below(random, LARGEST)];
        random.fill(&mut bytes);
        if below(random, 8) != 0 {
            shape(&mut bytes, random);
        }
        bytes
    }

    fn run(&mut self, input: &[u8]) -> String {
        let call = self.room.call(&Bytes::copy_from_slice(input), &self.event);
        call.as_ref().map_or_else(|| "does not serve".into(), words)
    }
}

fn below(random: &Random, bound: usize) -> usize {
    usize::try_from(random.bits() % (bound.max(1) as u128)).unwrap_or(0)
}

/// Makes noise an outcome with one message or several, for the most part.
fn shape(bytes: &mut [u8], random: &Random) {
    bytes[0] = u8::from(below(random, 8) == 0);
    bytes[4] = u8::try_from(below(random, 5)).unwrap_or(0);
    if bytes[0] == 0 && bytes[4] == 2 {
        // The messages follow the list that names them.
        let count = below(random, 4);
        let at = pointer(random, 16);
        put(bytes, 8, at);
        put(bytes, 12, u32::try_from(count).unwrap_or(0));
        (0..count).for_each(|i| message(bytes, 16 + i * MESSAGE, random));
    } else if bytes[0] == 0 && bytes[4] == 1 {
        message(bytes, 8, random);
    } else {
        list(bytes, 8, random);
    }
    // A text that some of the pointers hit, and in front of it pointers to texts.
    let (pointers, text) = (bytes.len() / 2, bytes.len() * 3 / 4);
    (pointers..text).step_by(8).for_each(|at| list(bytes, at, random));
    bytes[text..].iter_mut().for_each(|byte| *byte = b"x-abz09_-\n"[usize::from(*byte) % 10]);
}

fn message(bytes: &mut [u8], at: usize, random: &Random) {
    for option in OPTIONS {
        if let Some(byte) = bytes.get_mut(at + option) {
            // Nothing, something, or rarely what is neither.
            *byte = [0, 0, 0, 0, 0, 0, 1, 1][below(random, 8)] + u8::from(below(random, 90) == 0);
        }
        list(bytes, at + option + 4, random);
    }
    for place in LISTS {
        list(bytes, at + place, random);
    }
}

/// A pointer and a length: mostly within memory, mostly short.
fn list(bytes: &mut [u8], at: usize, random: &Random) {
    let length = match below(random, 64) {
        0 => u32::try_from(below(random, 1 << 20)).unwrap_or(0),
        1 => u32::MAX - u32::try_from(below(random, 64)).unwrap_or(0),
        2..20 => u32::try_from(below(random, 6)).unwrap_or(0),
        _ => 0,
    };
    let offset = below(random, bytes.len());
    put(bytes, at, pointer(random, offset));
    put(bytes, at + 4, length);
}

/// Where the body's byte `offset` is, nearly always.
fn pointer(random: &Random, offset: usize) -> u32 {
    let offset = u32::try_from(offset).unwrap_or(0) & !3;
    match below(random, 24) {
        0 => u32::MAX - offset,
        1 => MEMORY - offset % 64,
        2 => offset,
        // What is in front of the body are the event's other texts.
        _ => FREE + offset + 16 * u32::try_from(below(random, 32)).unwrap_or(0),
    }
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}
