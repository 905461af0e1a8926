//! Small changes to a component, of the kinds that decoders and validators get wrong.

use hookloom::clock::Random;

use crate::hostile::bombs::section;

/// Numbers at which something ends, as LEB128.
const NUMBERS: [&[u8]; 8] = [
    &[0x00],
    &[0x01],
    &[0x7f],
    &[0xff, 0x7f],
    &[0x80, 0x80, 0x04],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
];
/// Names that mean something to the host, all of one length with another of them.
const NAMES: [&[u8]; 6] =
    [b"lifecycle", b"transform", b"describe", b"realloc@", b"hookloom:plugin", b"wasi:clocks/xyz"];
/// Longest run of bytes that is changed, copied or removed.
const RUN: usize = 64;
/// In front of the first section.
const PREAMBLE: usize = 8;

/// Changes `bytes` in one place; `other` is where strange material comes from. Mostly
/// that is within a section, whose length is put right, so that what reads it gets there.
pub(super) fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &Random) {
    let below = |bound: usize| usize::try_from(random.bits() % (bound.max(1) as u128)).unwrap_or(0);
    match below(8) {
        0 => scratch(bytes, other, &below),
        1 => rearrange(bytes, &below),
        2 => rename(bytes, &below),
        _ => within(bytes, other, &below),
    }
}

/// Changes the content of one section, or of one of a module that is a section.
fn within(bytes: &mut Vec<u8>, other: &[u8], below: &impl Fn(usize) -> usize) {
    let sections = sections(bytes);
    if sections.is_empty() {
        return scratch(bytes, other, below);
    }
    let (start, content, end) = sections[below(sections.len())];
    let mut inside = bytes[content..end].to_vec();
    if inside.starts_with(b"\0asm") {
        within(&mut inside, other, below);
    } else {
        scratch(&mut inside, other, below);
    }
    bytes.splice(start..end, section(bytes[start], &inside));
}

/// Changes a run of bytes as if it meant nothing.
fn scratch(bytes: &mut Vec<u8>, other: &[u8], below: &impl Fn(usize) -> usize) {
    if bytes.is_empty() {
        return bytes.extend_from_slice(&other[..other.len().min(RUN)]);
    }
    let at = below(bytes.len());
    let end = (at + 1 + below(RUN)).min(bytes.len());
    let byte = || u8::try_from(below(256)).unwrap_or(0);
    match below(10) {
        0..3 => bytes[at] ^= 1 << below(8),
        3 => bytes[at] = byte(),
        4 => bytes[at..end].iter_mut().for_each(|changed| *changed = byte()),
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(at..end)),
        7 => {
            let copy = bytes[at..end].to_vec();
            let to = below(bytes.len());
            bytes.splice(to..to, copy);
        }
        8 => {
            let from = below(other.len());
            let piece = other[from..(from + 1 + below(RUN)).min(other.len())].to_vec();
            bytes.splice(at..end, piece);
        }
        _ => {
            let number = NUMBERS[below(NUMBERS.len())];
            bytes.splice(at..=at, number.iter().copied());
        }
    }
}

/// Puts one name in another's place.
fn rename(bytes: &mut [u8], below: &impl Fn(usize) -> usize) {
    let (from, to) = (NAMES[below(NAMES.len())], NAMES[below(NAMES.len())]);
    let length = from.len().min(to.len());
    let places: Vec<_> = (0..bytes.len().saturating_sub(length))
        .filter(|at| bytes[*at..].starts_with(&from[..length]))
        .collect();
    if !places.is_empty() {
        let at = places[below(places.len())];
        bytes[at..at + length].copy_from_slice(&to[..length]);
    }
}

/// Doubles, removes or moves a whole section, so that what remains is well-formed.
fn rearrange(bytes: &mut Vec<u8>, below: &impl Fn(usize) -> usize) {
    let sections = sections(bytes);
    if sections.is_empty() {
        return;
    }
    let (start, _, end) = sections[below(sections.len())];
    let section = bytes[start..end].to_vec();
    let kind = below(3);
    if kind != 0 {
        bytes.drain(start..end);
    }
    if kind != 1 {
        let starts: Vec<_> = self::sections(bytes).into_iter().map(|(start, ..)| start).collect();
        let to = if starts.is_empty() { bytes.len() } else { starts[below(starts.len())] };
        bytes.splice(to..to, section);
    }
}

/// Where the outermost sections begin, where their contents do, and where they end.
fn sections(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    let mut at = PREAMBLE;
    while let Some((length, digits)) = bytes.get(at + 1..).and_then(leb) {
        let content = at + 1 + digits;
        if content + length > bytes.len() {
            break;
        }
        found.push((at, content, content + length));
        at = content + length;
    }
    found
}

/// A number and how many bytes it takes.
fn leb(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_usize;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((number, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::plugin::component;

    #[test]
    fn sections_are_found_up_to_the_end() {
        let component = component("");
        let sections = sections(&component);
        assert!(sections.len() > 5);
        assert_eq!(sections.last().map(|(.., end)| *end), Some(component.len()));
    }

    #[test]
    fn one_seed_makes_one_input() {
        let made = |seed: u64| {
            let random = Random::seeded(seed);
            let mut bytes = component("");
            (0..20).for_each(|_| mutate(&mut bytes, b"\0asm\x0d\0\x01\0 material", &random));
            bytes
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }
}
