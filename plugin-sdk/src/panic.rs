//! A panic ends the instance without a word; this gives it one.

use std::panic;
use std::sync::Once;

use crate::log::{Level, write};

/// From now on, a panic's text and place are logged before it traps.
pub fn report_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| panic::set_hook(Box::new(|info| write(Level::Error, &info.to_string(), &[]))));
}
