//! Lines in the gateway's log, under the plugin's name.
//!
//! ```
//! use hookloom_sdk::log;
//!
//! let login = "octocat";
//! log::info!("looked at {login}");
//! log::warn!(login = login, attempts = 3; "looked again");
//! ```
//!
//! Named values come before a semicolon and go beside the text, where a log search
//! finds them. A call may write 100 lines and 64 KiB; what is above is dropped and
//! counted. Native tests read them with
//! [`testing::logs`](../testing/fn.logs.html).

pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace, __log_warn as warn,
};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are what there is to say")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// A named value beside the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value, as text.
    pub value: String,
}

/// Writes one line; the macros are nicer.
pub fn write(level: Level, message: &str, fields: &[Field]) {
    #[cfg(target_family = "wasm")]
    crate::bindings::free::hookloom::plugin::log::log(level, message, fields);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::log(level, message, fields);
}

/// What the macros of this module have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($name:ident = $value:expr),+ ; $($text:tt)+) => {
        $crate::log::write(
            $crate::log::Level::$level,
            &::std::format!($($text)+),
            &[$($crate::log::Field {
                name: ::std::string::String::from(::core::stringify!($name)),
                value: ::std::string::ToString::to_string(&$value),
            }),+],
        )
    };
    ($level:ident, $($text:tt)+) => {
        $crate::log::write($crate::log::Level::$level, &::std::format!($($text)+), &[])
    };
}

/// Writes a line of the level `trace`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace { ($($arguments:tt)+) => { $crate::__log!(Trace, $($arguments)+) }; }

/// Writes a line of the level `debug`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug { ($($arguments:tt)+) => { $crate::__log!(Debug, $($arguments)+) }; }

/// Writes a line of the level `info`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info { ($($arguments:tt)+) => { $crate::__log!(Info, $($arguments)+) }; }

/// Writes a line of the level `warn`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn { ($($arguments:tt)+) => { $crate::__log!(Warn, $($arguments)+) }; }

/// Writes a line of the level `error`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error { ($($arguments:tt)+) => { $crate::__log!(Error, $($arguments)+) }; }

#[cfg(test)]
mod tests {
    use super::{Field, Level};
    use crate::{log, testing};

    #[test]
    fn a_line_has_a_level_a_text_and_fields() {
        let name = "x";
        log::info!("plain {name} {}", 1);
        log::error!(repo = name, tries = 1 + 1; "with {name}");
        let lines = testing::logs();
        assert_eq!((lines[0].level, lines[0].message.as_str()), (Level::Info, "plain x 1"));
        assert_eq!((lines[1].level, lines[1].message.as_str()), (Level::Error, "with x"));
        let field = |name: &str, value: &str| Field { name: name.into(), value: value.into() };
        assert_eq!(lines[1].fields, [field("repo", "x"), field("tries", "2")]);
    }
}
