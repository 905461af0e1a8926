//! Mutated components on their whole way: bytes, compiler, interfaces, instance,
//! `describe`, `configure`, one call.

use std::path::Path;

use bytes::Bytes;
use hookloom::clock::Random;
use hookloom::model::Event;
use hookloom::plugin::Compiler;

use super::room::{Room, words};
use super::{Fuzzer, mutate};
use crate::guests::lean_guest;
use crate::hostile::{names, room::event, written};

/// One in so many is compiled in a child.
const CHILD: u64 = 64;
/// One in so many is made of a component that a toolchain made: they compile for long.
const LARGE: u128 = 24;

pub(super) struct Load {
    here: Room,
    child: Room,
    small: Vec<Vec<u8>>,
    large: Vec<u8>,
    event: Event,
    runs: u64,
}

impl Load {
    pub(super) fn new(program: &Path) -> Self {
        Self {
            here: Room::open(Compiler::InProcess),
            child: Room::open(Compiler::Child(program.to_owned())),
            small: names().iter().map(|name| written(name)).collect(),
            large: lean_guest().to_vec(),
            event: event(),
            runs: 0,
        }
    }
}

impl Fuzzer for Load {
    fn next(&mut self, random: &Random) -> Vec<u8> {
        let one = |bound: usize| usize::try_from(random.bits() % bound as u128).unwrap_or(0);
        let large = random.bits().is_multiple_of(LARGE);
        let mut input = if large { self.large.clone() } else { self.small[one(self.small.len())].clone() };
        let other = &self.small[one(self.small.len())];
        for _ in 0..=one(3) {
            mutate::mutate(&mut input, other, random);
        }
        input
    }

    fn run(&mut self, input: &[u8]) -> String {
        self.runs += 1;
        let room = if self.runs.is_multiple_of(CHILD) { &self.child } else { &self.here };
        let end = match room.put(input) {
            Err(refusal) => format!("refused: {refusal}"),
            Ok(()) => {
                let call = room.call(&Bytes::from_static(b"{}"), &self.event);
                call.as_ref().map_or_else(|| "does not serve".into(), words)
            }
        };
        room.take();
        end
    }
}
