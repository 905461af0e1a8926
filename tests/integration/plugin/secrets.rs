//! Secrets by name: used without being seen, or read, each by its own grant.

use hookloom::model::StepVerdict;
use hookloom_testkit::guests::guest_with_secrets;

use super::grants::{KEY, room};
use super::{Room, body};

const DENIED: &str = "Error::AccessDenied";

fn answers(room: &Room, acts: &str) -> Vec<String> {
    let call = room.call(&format!(r#"{{"do":"state","acts":[{acts}]}}"#));
    serde_json::from_str(&body(&call)).unwrap()
}

#[test]
fn what_is_granted_is_signed_with_and_what_is_not_is_denied() {
    let room = room(guest_with_secrets(), &["kv", "secrets:KEY", "reveal:OTHER"]);
    let said = answers(&room, r#"["hmac","KEY","data"],["hmac","OTHER","data"],["hmac","NONE","data"]"#);
    // printf data | openssl dgst -sha256 -hmac "the key that nobody may see"
    let mac = "eba21fde69476ed9cb7a906048544e500a75f442ba009bcc0e67374fb50c28d5";
    assert_eq!(said, [mac, DENIED, DENIED]);
    let said = answers(&room, r#"["reveal","OTHER"],["reveal","KEY"],["reveal","NONE"]"#);
    assert_eq!(said, ["other", DENIED, DENIED], "to sign is not to read, nor the other way round");
}

#[test]
fn there_are_no_secrets_in_configure() {
    let room = room(guest_with_secrets(), &["kv", "secrets:KEY", "reveal:KEY"]);
    let config = r#"{"configure":"state","acts":[["hmac","KEY","data"],["reveal","KEY"],["get","k"]]}"#;
    let refusal = room.host.check_config("guest", config).unwrap_err();
    assert_eq!(refusal, format!(r#"refuses its configuration: ["{DENIED}","{DENIED}","{DENIED}"]"#));
    assert_eq!(room.call(config).verdict, StepVerdict::Misconfigured);
}

#[test]
fn secrets_are_shown_nowhere() {
    let room = room(guest_with_secrets(), &["kv", "secrets:KEY", "reveal:KEY"]);
    let call = room.call(r#"{"do":"state","acts":[["hmac","KEY","data"]]}"#);
    let plugin = room.host.plugins();
    let shown = [
        format!("{plugin:?}"),
        format!("{call:?}"),
        serde_json::to_string(&room.host.status()).unwrap(),
        room.metrics.render(),
    ];
    for text in shown {
        assert!(!text.contains(KEY), "{text}");
    }
}
