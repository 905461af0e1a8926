//! What the environment says of terminals.

/// Whether the user wants no colours: `NO_COLOR` is set to anything
/// (<https://no-color.org>).
pub fn wants_no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
