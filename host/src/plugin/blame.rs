//! Why a call trapped and where, in one line for people: what the guest said last, or
//! else the function that it was in.

/// What a panic says first, whether the SDK's hook or the standard library prints it.
const PANICKED: &str = "panicked at ";

/// Functions that are never to blame: a toolchain's own, by the beginnings of their names.
const TOOLCHAIN: [&str; 14] = [
    "<alloc",
    "<core",
    "<std",
    "__",
    "abort",
    "alloc::",
    "cabi_",
    "compiler_builtins",
    "core::",
    "dlmalloc",
    "rust_",
    "std::",
    "wit_bindgen",
    "<unknown>",
];

/// `trap` is the engine's word for what happened, `words` the guest's last ones.
pub(super) fn reason(trap: &str, words: Option<&str>, backtrace: &str) -> String {
    let Some(words) = words else {
        return match function(backtrace) {
            Some(function) => format!("{trap} at {function}"),
            None => trap.to_owned(),
        };
    };
    // Lines of the log are escaped; here they become one.
    let words = words.replace("\\n", " ");
    match words.find(PANICKED) {
        // The trap is how every panic ends, and says nothing.
        Some(at) => words[at..].to_owned(),
        None => format!("{trap}: {words}"),
    }
}

/// The innermost function of the guest's own in a backtrace of the engine, whose lines
/// are `0: 0x1f3 - component.wasm!drop_bots::filter`.
fn function(backtrace: &str) -> Option<&str> {
    let mut named = backtrace.lines().filter_map(|line| {
        let (number, rest) = line.trim().split_once(": ")?;
        number.parse::<u32>().ok()?;
        Some(without_hash(rest.split_once('!')?.1.trim()))
    });
    named.find(|name| !TOOLCHAIN.iter().any(|own| name.starts_with(own)))
}

/// Without the `::h0123456789abcdef` that tells two of a name apart.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKTRACE: &str = "error while executing at wasm backtrace:\n\
        \x20   0: 0x1234 - guest.wasm!core::panicking::panic_fmt::h0123456789abcdef\n\
        \x20   1: 0x2345 - guest.wasm!__rust_start_panic\n\
        \x20   2: 0x3456 - guest.wasm!drop_bots::rules::first::h0123456789abcdef\n\
        \x20   3: 0x4567 - guest.wasm!drop_bots::filter\n";

    #[test]
    fn a_panic_says_where_and_what_and_anything_else_in_which_function() {
        let table = [
            (
                Some("thread '<unnamed>' (1) panicked at src/lib.rs:3:5: no such field"),
                "panicked at src/lib.rs:3:5: no such field",
            ),
            (
                Some("panicked at src/lib.rs:3:5:\\nno such field"),
                "panicked at src/lib.rs:3:5: no such field",
            ),
            (Some("the table is empty"), "wasm trap: unreachable: the table is empty"),
            (None, "wasm trap: unreachable at drop_bots::rules::first"),
        ];
        for (words, expected) in table {
            assert_eq!(reason("wasm trap: unreachable", words, BACKTRACE), expected);
        }
        for nothing in ["", "error while executing", "0: 0x12 - <unknown>!<wasm function 3>"] {
            let expected = if nothing.contains("function") { "trap at <wasm function 3>" } else { "trap" };
            assert_eq!(reason("trap", None, nothing), expected, "{nothing}");
        }
    }
}
