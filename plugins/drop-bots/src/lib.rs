//! Drops events that a bot caused: on GitHub by the account's type or the suffix
//! `[bot]`, on GitLab by the names of its access tokens, anywhere by a name from the
//! configuration.

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    /// Logins that are bots as well; upper and lower case alike.
    #[serde(default)]
    names: Vec<String>,
}

/// Where the providers say who did it. What is not named here is never parsed.
#[derive(Default, serde::Deserialize)]
#[serde(crate = "hookloom_sdk::serde", default)]
struct Body {
    /// GitHub, Gitea.
    sender: Value,
    /// GitLab.
    user: Value,
    /// GitLab, of a push.
    user_username: Value,
    /// Bitbucket.
    actor: Value,
}

#[filter]
fn drop_bots(event: &Event, config: &Config) -> Result<Verdict> {
    let body: Body = event.json()?;
    let accounts = [&body.sender, &body.user, &body.actor];
    if accounts.iter().any(|account| account["type"] == "Bot") {
        return Ok(drop("the sender is a bot"));
    }
    let logins = accounts
        .iter()
        .flat_map(|account| [&account["login"], &account["username"], &account["nickname"]])
        .chain([&body.user_username])
        .filter_map(Value::as_str);
    for login in logins {
        if is_bot(login) || config.names.iter().any(|name| name.eq_ignore_ascii_case(login)) {
            return Ok(drop(format!("{login} is a bot")));
        }
    }
    Ok(pass())
}

/// GitHub Apps are `name[bot]`. GitLab's access tokens act as `project_7_bot_1a2b3c`
/// or `group_7_bot_1a2b3c`.
fn is_bot(login: &str) -> bool {
    let of_token = |prefix| {
        login
            .strip_prefix(prefix)
            .and_then(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("_bot"))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    login.ends_with("[bot]") || of_token("project_") || of_token("group_")
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    fn verdict(body: Value, names: &[&str]) -> Result<Verdict> {
        let config = testing::parse_config(&json!({ "names": names })).unwrap();
        drop_bots(&testing::event("git").json(body).build(), &config)
    }

    #[test]
    fn bots_of_each_provider_are_dropped() {
        for bot in [
            json!({"sender": {"login": "renovate", "type": "Bot"}}),
            json!({"sender": {"login": "dependabot[bot]", "type": "User"}}),
            json!({"user": {"username": "project_42_bot_4ffca233d8298ea1"}}),
            json!({"user_username": "group_7_bot"}),
        ] {
            assert!(matches!(verdict(bot.clone(), &[]), Ok(Verdict::Drop(_))), "{bot}");
        }
    }

    #[test]
    fn people_pass() {
        for person in [
            json!({"sender": {"login": "robot", "type": "User"}}),
            json!({"user": {"username": "project_bothers"}}),
            json!({"sender": null}),
            json!({}),
        ] {
            assert_eq!(verdict(person.clone(), &["ci"]), Ok(pass()), "{person}");
        }
    }

    #[test]
    fn names_are_bots_in_any_case() {
        let body = json!({"actor": {"nickname": "Acme-CI"}});
        assert_eq!(verdict(body, &["acme-ci"]), Ok(drop("Acme-CI is a bot")));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let event = testing::event("git").body("payload=x").build();
        let error = drop_bots(&event, &Config { names: vec![] }).unwrap_err();
        assert_eq!(error.kind(), "invalid-input");
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", drop_bots);
    }
}
