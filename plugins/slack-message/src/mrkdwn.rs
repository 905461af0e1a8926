//! Slack's markup, <https://docs.slack.dev/messaging/formatting-message-text>.

use hookloom_sdk::serde_json::Value;

/// Longer titles are cut, in characters.
const MAX_TITLE: usize = 150;

/// `&`, `<` and `>` are the three characters that mean something to Slack wherever they
/// stand; unescaped, a title could mention a whole channel.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The first line, cut to a title's length and escaped.
pub(crate) fn title(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_TITLE) {
        Some((cut, _)) => format!("{}…", escape(&line[..cut])),
        None => escape(line),
    }
}

/// A link where `url` is one, the bare label (escaped already) otherwise.
pub(crate) fn link(url: &Value, label: &str) -> String {
    match url.as_str() {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            format!("<{}|{label}>", escape(url).replace('|', "%7C"))
        }
        _ => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    #[test]
    fn nobody_is_mentioned_by_a_title() {
        assert_eq!(title("<!channel> a & b\nmore"), "&lt;!channel&gt; a &amp; b");
    }

    #[test]
    fn long_titles_are_cut_between_characters() {
        let cut = title(&"ä".repeat(200));
        assert_eq!(cut.chars().count(), MAX_TITLE + 1);
        assert!(cut.ends_with("ä…"));
    }

    #[test]
    fn only_web_addresses_are_links() {
        assert_eq!(link(&json!("https://a/?x=1&y=|>"), "l"), "<https://a/?x=1&amp;y=%7C&gt;|l>");
        assert_eq!(link(&json!("javascript:x"), "l"), "l");
        assert_eq!(link(&json!(null), "l"), "l");
    }
}
