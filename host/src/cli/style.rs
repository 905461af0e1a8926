//! Colours of what is printed, where somebody looks at them.

use std::io::IsTerminal;

use anstyle::AnsiColor;

use crate::config::wants_no_colour;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    coloured: bool,
}

impl Style {
    /// Without colours.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { coloured: false };
    /// With colours.
    #[cfg(test)]
    pub(super) const COLOURED: Self = Self { coloured: true };

    /// Colours for stdout: on a terminal whose user does not refuse them.
    pub(super) fn of_stdout() -> Self {
        Self { coloured: std::io::stdout().is_terminal() && !wants_no_colour() }
    }

    /// What is as it should be, or was added.
    pub(super) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green, text)
    }

    /// What is wrong, or was taken away.
    pub(super) fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red, text)
    }

    /// What somebody should look at.
    pub(super) fn warn(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow, text)
    }

    /// What matters less.
    pub(super) fn faint(self, text: &str) -> String {
        self.paint(AnsiColor::BrightBlack, text)
    }

    /// A state or a verdict: it says at a glance whether somebody has to look.
    pub(super) fn state(self, word: &str) -> String {
        match word {
            "delivered" | "processed" | "enabled" | "pass" | "unchanged" | "replace" | "split" | "ok"
            | "accepted" => self.good(word),
            "failed" | "dead" | "disabled" | "invalid-input" | "error" | "trap" | "timeout" | "memory"
            | "bad-output" | "FAILED" | "refused" => self.bad(word),
            "pending" | "held" | "paused" | "misconfigured" | "retry" | "missing" => self.warn(word),
            "dropped" | "cancelled" | "drop" => self.faint(word),
            _ => word.to_owned(),
        }
    }

    fn paint(self, colour: AnsiColor, text: &str) -> String {
        let style = colour.on_default();
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_only_there_where_they_are_wanted() {
        assert_eq!(Style::PLAIN.state("trap"), "trap");
        assert_eq!(Style::COLOURED.state("trap"), "\u{1b}[31mtrap\u{1b}[0m");
        assert_eq!(Style::COLOURED.state("anything"), "anything");
    }
}
