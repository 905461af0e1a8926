//! Guests that are made to be expensive before they are ever called.

use std::fmt::Write as _;

use super::plugin::{component, component_and};

/// A name and what makes the component.
pub type Bomb = (&'static str, fn() -> Vec<u8>);

/// All of them.
pub const BOMBS: [Bomb; 11] = [
    ("enormous-function", enormous_function),
    ("many-functions", many_functions),
    ("deep-blocks", deep_blocks),
    ("wide-branch", wide_branch),
    ("sparse-data", sparse_data),
    ("some-sparse-data", some_sparse_data),
    ("many-types", many_types),
    ("many-instances", many_instances),
    ("nested-components", nested_components),
    ("doubling-types", doubling_types),
    ("many-exports", many_exports),
];

/// What a component and a core module begin with.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
const CORE_PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";

/// The bomb of that name.
///
/// # Panics
/// When there is none.
pub fn bomb(name: &str) -> Vec<u8> {
    let made = BOMBS.iter().find(|(known, _)| *known == name);
    made.unwrap_or_else(|| panic!("there is no bomb {name}")).1()
}

/// One function of some megabytes.
fn enormous_function() -> Vec<u8> {
    let mut body = String::from("(func (export \"work\") (param $a i64) (param $b i64) (result i64)\n");
    for i in 0..250_000 {
        let (to, from) = if i % 2 == 0 { ("$a", "$b") } else { ("$b", "$a") };
        // Writing to a `String` does not fail.
        let _ = writeln!(
            body,
            "local.get {from} local.get {to} i64.const {i} i64.mul i64.xor local.get {from} i64.add local.set {to}"
        );
    }
    component(&(body + "local.get $a)"))
}

fn many_functions() -> Vec<u8> {
    let mut module = String::new();
    for i in 0..100_000 {
        let _ = writeln!(
            module,
            "(func (param i32) (result i32) local.get 0 i32.const {i} i32.mul i32.const {} i32.add)",
            i * 3
        );
    }
    component(&module)
}

fn deep_blocks() -> Vec<u8> {
    let depth = 100_000;
    component(&format!("(func (export \"work\") {} {})", "block ".repeat(depth), "end ".repeat(depth)))
}

/// One branch with a million targets.
fn wide_branch() -> Vec<u8> {
    let targets = "0 1 ".repeat(500_000);
    component(&format!(
        "(func (export \"work\") (param i32) block block local.get 0 br_table {targets} end end)"
    ))
}

/// More of it than anybody has.
fn sparse_data() -> Vec<u8> {
    images(100)
}

/// So much that it can be compiled.
fn some_sparse_data() -> Vec<u8> {
    images(24)
}

/// A few bytes for each module, which stand for 13 MB: its memory is kept as an image, from
/// the first byte of data to the last.
fn images(modules: usize) -> Vec<u8> {
    let mut text = String::new();
    for i in 0..modules {
        let _ = writeln!(
            text,
            "(core module $m{i} (memory 200) (data (i32.const 0) \"x\") (data (i32.const 13000000) \"x\"))\n\
             (core instance (instantiate $m{i}))"
        );
    }
    component_and("", &text)
}

/// Function types, no two of which are the same.
fn many_types() -> Vec<u8> {
    let mut types = leb(400_000);
    for i in 0..400_000_u32 {
        types.extend([0x60, 10]);
        // i32, i64, f32 or f64.
        types.extend((0..10).map(|digit| 0x7c + u8::try_from((i >> (2 * digit)) % 4).unwrap_or(0)));
        types.push(0);
    }
    let module = [CORE_PREAMBLE.to_vec(), section(1, &types)].concat();
    [PREAMBLE.to_vec(), section(1, &module)].concat()
}

/// More core instances than a language's runtime is made of.
fn many_instances() -> Vec<u8> {
    component_and("", &format!("(core module $m)\n{}", "(core instance (instantiate $m))\n".repeat(40)))
}

fn nested_components() -> Vec<u8> {
    let outside = |inside: Vec<u8>, _| [PREAMBLE.to_vec(), section(4, &inside)].concat();
    (0..1000).fold(PREAMBLE.to_vec(), outside)
}

/// Each type holds the one before twice.
fn doubling_types() -> Vec<u8> {
    let mut types = String::from("(type $t0 (tuple string string))\n");
    for i in 1..64 {
        let _ = writeln!(types, "(type $t{i} (tuple $t{} $t{}))", i - 1, i - 1);
    }
    component_and("", &types)
}

/// The same function under very many names.
fn many_exports() -> Vec<u8> {
    let mut exports = String::new();
    for i in 0..50_000 {
        let _ = writeln!(exports, "(export \"name{i}\" (func $lifted-configure))");
    }
    component_and("", &exports)
}

/// A section as the binary format has it.
pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len()), content.to_vec()].concat()
}

/// A number in as few bytes as it takes.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
    bytes
}
