//! An explanation for a terminal: nothing of a request reaches it unescaped.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::print;
use crate::cli::style::Style;
use crate::verify::{Explanation, Outcome, SignedBytes, Step};

/// Bytes that are shown of a long message: so many of its beginning, so many of its end.
const HEAD: usize = 240;
const TAIL: usize = 80;

/// How much is shown, and where.
#[derive(Clone, Copy)]
pub(super) struct Show<'a> {
    /// Long messages whole.
    pub(super) full: bool,
    /// Messages go into files here, too.
    pub(super) bytes: Option<&'a Path>,
}

impl Show<'_> {
    /// Steps, messages and hints, a line each. `name` begins the names of files.
    pub(super) fn print(self, explanation: &Explanation, name: &str) -> anyhow::Result<()> {
        let style = Style::of_stdout();
        for step in &explanation.steps {
            print(&format!("        {}", line(style, step)));
        }
        for (place, signed) in explanation.signed.iter().enumerate() {
            print(&format!("        signed    {}", self.message(signed)));
            if let Some(folder) = self.bytes {
                let file = folder.join(format!("{name}-{}.bytes", place + 1));
                std::fs::create_dir_all(folder)
                    .and_then(|()| std::fs::write(&file, &signed.bytes))
                    .with_context(|| format!("{} cannot be written", file.display()))?;
                print(&format!("        written   {}", file.display()));
            }
        }
        for hint in &explanation.hints {
            print(&format!("        {}  {}", style.warn("hint    "), safe(hint)));
        }
        Ok(())
    }

    fn message(self, signed: &SignedBytes) -> String {
        let SignedBytes { name, bytes } = signed;
        if self.full || bytes.len() <= HEAD + TAIL {
            return format!("{name}, {} bytes: \"{}\"", bytes.len(), bytes.escape_ascii());
        }
        let (head, tail) = (&bytes[..HEAD], &bytes[bytes.len() - TAIL..]);
        format!(
            "{name}, {} bytes, {} of them left out (--full shows them): \"{}\" ... \"{}\"",
            bytes.len(),
            bytes.len() - HEAD - TAIL,
            head.escape_ascii(),
            tail.escape_ascii()
        )
    }
}

fn line(style: Style, step: &Step) -> String {
    let Step { what, outcome, found } = step;
    let word = match outcome {
        Outcome::Good => style.good("ok      "),
        Outcome::Failed => style.bad("failed  "),
        Outcome::Neutral => style.faint("-       "),
    };
    format!("{word}  {}: {}", safe(what), safe(found))
}

/// Without anything that a terminal would obey.
fn safe(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_escaped_and_long_ones_cut() {
        let message = |full, bytes: &[u8]| {
            Show { full, bytes: None }.message(&SignedBytes { name: "message 1".into(), bytes: bytes.into() })
        };
        assert_eq!(message(false, b"a\n\x1b\"\xc3"), r#"message 1, 5 bytes: "a\n\x1b\"\xc3""#);
        let long = [b"a".repeat(HEAD), b"b".repeat(1000), b"c".repeat(TAIL)].concat();
        let cut = message(false, &long);
        assert!(
            cut.contains("1320 bytes, 1000 of them left out")
                && !cut.contains('b'.to_string().repeat(2).as_str())
        );
        assert!(cut.contains(&"a".repeat(HEAD)) && cut.contains(&"c".repeat(TAIL)));
        assert!(message(true, &long).contains(&"b".repeat(1000)));
        assert_eq!(safe("a\x1b[31m\u{9b}"), "a\\u{1b}[31m\\u{9b}");
    }
}
