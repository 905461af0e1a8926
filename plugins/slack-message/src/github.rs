//! GitHub's events, <https://docs.github.com/webhooks/webhook-events-and-payloads>.

use std::fmt::Write;

use hookloom_sdk::serde_json::Value;

use crate::mrkdwn::{escape, link, title};

/// One line about the event, and for a push its first commits. `kind` is the header
/// `x-github-event`.
pub(crate) fn describe(kind: &str, body: &Value, commits: usize) -> String {
    let repository = &body["repository"];
    let what = match kind {
        "push" => push(body, commits),
        "issues" => about(body, &body["issue"], "issue"),
        "pull_request" => about(body, &body["pull_request"], "pull request"),
        "release" => release(body),
        _ => format!("{} {}", actor(body), escape(&kind_of(kind, body))),
    };
    match repository["full_name"].as_str() {
        Some(name) => format!("*{}*: {what}", link(&repository["html_url"], &escape(name))),
        None => what,
    }
}

fn push(body: &Value, limit: usize) -> String {
    let reference = body["ref"].as_str().unwrap_or_default();
    let branch = escape(reference.strip_prefix("refs/heads/").unwrap_or(reference));
    if body["deleted"] == true {
        return format!("{} deleted `{branch}`", actor(body));
    }
    let commits = body["commits"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = if commits.len() == 1 { "1 commit".to_owned() } else { format!("{} commits", commits.len()) };
    let verb = if body["forced"] == true { "force-pushed" } else { "pushed" };
    let mut text = format!("{} {verb} {} to `{branch}`", actor(body), link(&body["compare"], &count));
    for commit in commits.iter().take(limit) {
        let id = commit["id"].as_str().unwrap_or_default();
        let short = escape(id.get(..7).unwrap_or(id));
        let message = title(commit["message"].as_str().unwrap_or_default());
        let _ = write!(text, "\n• {} {message}", link(&commit["url"], &format!("`{short}`")));
    }
    if commits.len() > limit && limit > 0 {
        let _ = write!(text, "\n… and {} more", commits.len() - limit);
    }
    text
}

fn about(body: &Value, subject: &Value, noun: &str) -> String {
    let action = match body["action"].as_str().unwrap_or("touched") {
        "closed" if subject["merged"] == true => "merged".to_owned(),
        action => escape(&action.replace('_', " ")),
    };
    let label = format!("#{} {}", subject["number"], title(subject["title"].as_str().unwrap_or_default()));
    format!("{} {action} {noun} {}", actor(body), link(&subject["html_url"], &label))
}

fn release(body: &Value) -> String {
    let release = &body["release"];
    let name = release["name"].as_str().filter(|name| !name.is_empty()).or(release["tag_name"].as_str());
    let action = escape(body["action"].as_str().unwrap_or("touched"));
    format!("{} {action} release {}", actor(body), link(&release["html_url"], &title(name.unwrap_or("?"))))
}

/// `check_run completed`.
fn kind_of(kind: &str, body: &Value) -> String {
    match body["action"].as_str() {
        Some(action) => format!("{kind} {action}"),
        None => kind.to_owned(),
    }
}

fn actor(body: &Value) -> String {
    let name = body["sender"]["login"].as_str().or(body["pusher"]["name"].as_str()).unwrap_or("someone");
    link(&body["sender"]["html_url"], &escape(name))
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    #[test]
    fn a_push_lists_its_first_commits() {
        let commit = |id: &str, message: &str| json!({"id": id, "message": message, "url": "https://c"});
        let body = json!({
            "ref": "refs/heads/main", "compare": "https://cmp", "sender": {"login": "octocat"},
            "commits": [commit("0123456789", "Fix <it>\n\nbody"), commit("abc", "Two"), commit("d", "Three")],
        });
        assert_eq!(
            describe("push", &body, 2),
            "octocat pushed <https://cmp|3 commits> to `main`\n\
             • <https://c|`0123456`> Fix &lt;it&gt;\n• <https://c|`abc`> Two\n… and 1 more"
        );
    }

    #[test]
    fn a_deleted_branch_has_no_commits() {
        let body = json!({"ref": "refs/heads/old", "deleted": true, "commits": [], "pusher": {"name": "p"}});
        assert_eq!(describe("push", &body, 5), "p deleted `old`");
    }

    #[test]
    fn a_merged_pull_request_is_not_merely_closed() {
        let body = |merged| json!({"action": "closed", "pull_request": {"number": 3, "title": "T", "merged": merged}});
        assert_eq!(describe("pull_request", &body(true), 5), "someone merged pull request #3 T");
        assert_eq!(describe("pull_request", &body(false), 5), "someone closed pull request #3 T");
    }

    #[test]
    fn a_release_without_a_name_goes_by_its_tag() {
        let body = json!({"action": "published", "release": {"name": "", "tag_name": "v1.2"}});
        assert_eq!(describe("release", &body, 5), "someone published release v1.2");
    }

    #[test]
    fn the_rest_is_named() {
        let body = json!({"action": "created", "repository": {"full_name": "o/r", "html_url": "https://r"}});
        assert_eq!(describe("star", &body, 5), "*<https://r|o/r>*: someone star created");
        assert_eq!(describe("ping", &json!({}), 5), "someone ping");
    }
}
