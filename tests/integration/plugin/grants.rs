//! What a plugin imports against what it was granted: at load, when that changes, and in
//! what operators are shown.

use hookloom::model::{Secret, StepVerdict};
use hookloom::plugin::{Grants, Limits, PluginSettings, PluginState, Policy, ScanReport};
use hookloom_testkit::guests::{guest, guest_with_kv, guest_with_secrets};

use super::{Room, body, patient};

pub(super) const KEY: &str = "the key that nobody may see";

/// Grants as the configuration writes them.
pub(super) fn grants(written: &[&str]) -> Grants {
    let mut grants = Grants::default();
    for grant in written {
        match grant.split_once(':') {
            Some(("secrets", name)) => grants.secrets.insert(name.to_owned()),
            Some(("reveal", name)) => grants.reveal.insert(name.to_owned()),
            _ => {
                grants.kv = true;
                true
            }
        };
    }
    grants
}

/// Puts other grants for the plugin `guest` in force, and these limits.
pub(super) fn grant(room: &Room, limits: Limits, written: &[&str], key: &str) -> ScanReport {
    let mut settings = PluginSettings::new(room.plugins(), limits.clone());
    settings.cache_dir = Some(room.dirs.path().join("cache"));
    settings.secrets.insert("KEY".into(), Secret::from_text(key));
    settings.secrets.insert("OTHER".into(), Secret::from_text("other"));
    settings.plugins.insert("guest".into(), Policy { limits, grants: grants(written), ..Policy::default() });
    room.host.set_settings(settings);
    room.host.scan(&[])
}

/// A room in which the plugin `guest` is that component, and has these grants.
pub(super) fn room(component: &[u8], written: &[&str]) -> Room {
    let room = Room::open(patient());
    room.put("guest.wasm", component);
    assert_eq!(grant(&room, patient(), written, KEY).problems, []);
    room
}

fn state(room: &Room) -> PluginState {
    room.host.status()[0].state
}

fn problem(report: &ScanReport) -> &str {
    match report.problems.as_slice() {
        [problem] => &problem.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plugin_loads_by_itself_once_everything_is_granted() {
    let room = Room::open(patient());
    room.put("guest.wasm", guest_with_secrets());
    let report = grant(&room, patient(), &["kv"], KEY);
    let line = "imports secrets and reveal, which are not granted: \
                set grants = [\"kv\", \"secrets:NAME\", \"reveal:NAME\"] under [plugin.guest], \
                where NAME is one of [secrets]";
    assert_eq!((problem(&report), report.changed()), (line, false));
    assert_eq!(state(&room), PluginState::Failed);
    let report = grant(&room, patient(), &["kv", "secrets:KEY", "reveal:OTHER"], KEY);
    assert_eq!((report.loaded, report.problems), (vec!["guest".to_owned()], vec![]));
    let status = &room.host.status()[0];
    assert_eq!(status.state, PluginState::Active);
    assert_eq!(status.grants, ["kv", "secrets:KEY", "reveal:OTHER"]);
    let imports = &status.serving.as_ref().unwrap().imports;
    assert!(imports.iter().any(|import| import == "hookloom:plugin/kv@0.1.0"), "{imports:?}");
}

#[test]
fn a_grant_that_is_taken_back_holds_the_runs_until_it_is_there_again() {
    let room = room(guest_with_kv(), &["kv"]);
    let report = grant(&room, patient(), &[], KEY);
    assert_eq!(report.removed, ["guest"]);
    assert!(problem(&report).ends_with(r#"add grants = ["kv"] under [plugin.guest]"#), "{report:?}");
    assert!(room.host.plugins().get("guest").is_none(), "runs that find no plugin are held");
    assert_eq!(state(&room), PluginState::Failed);
    // Nor does the last good version come back with a restart.
    let room = room.restart();
    assert!(problem(&room.host.scan(&[])).contains("not granted"));
    assert!(room.host.plugins().get("guest").is_none());
    let report = grant(&room, patient(), &["kv"], KEY);
    assert_eq!((report.loaded, report.problems), (vec!["guest".to_owned()], vec![]));
}

#[test]
fn a_version_that_wants_a_grant_does_not_replace_one_that_wants_none() {
    let room = room(guest(), &[]);
    let before = room.host.plugins().get("guest").unwrap();
    room.put("guest.wasm", guest_with_kv());
    assert!(problem(&room.host.scan(&[])).contains("imports kv, which is not granted"));
    assert_eq!(state(&room), PluginState::Degraded);
    assert_eq!(room.host.plugins().get("guest").unwrap().digest(), before.digest());
    assert_eq!(grant(&room, patient(), &["kv"], KEY).loaded, ["guest"]);
    assert_ne!(room.host.plugins().get("guest").unwrap().digest(), before.digest());
}

#[test]
fn a_change_of_grants_or_secrets_is_a_change_and_takes_effect_without_a_new_version() {
    let room = room(guest_with_secrets(), &["kv", "secrets:KEY", "reveal:KEY"]);
    let revealed = || body(&room.call(r#"{"do":"state","acts":[["reveal","KEY"],["reveal","OTHER"]]}"#));
    let denied = "Error::AccessDenied";
    assert_eq!(revealed(), format!(r#"["{KEY}","{denied}"]"#));
    let report = grant(&room, patient(), &["kv", "secrets:KEY", "reveal:KEY"], "another");
    assert_eq!((report.granted.as_slice(), report.loaded.len()), (&["guest".to_owned()][..], 0));
    assert_eq!(revealed(), format!(r#"["another","{denied}"]"#));
    assert!(grant(&room, patient(), &["kv", "secrets:KEY", "reveal:OTHER"], "another").changed());
    assert_eq!(revealed(), format!(r#"["{denied}","other"]"#));
    assert!(!grant(&room, patient(), &["kv", "secrets:KEY", "reveal:OTHER"], "another").changed());
    assert_eq!(room.call(r#"{"do":"pass"}"#).verdict, StepVerdict::Unchanged);
}

#[test]
fn what_is_no_longer_granted_goes_although_the_folder_cannot_be_read() {
    let room = room(guest_with_kv(), &["kv"]);
    // A folder that is a file cannot be listed.
    room.host.set_settings(PluginSettings::new(room.plugins().join("guest.wasm"), patient()));
    let report = room.host.scan(&[]);
    assert!(report.problems[0].message.contains("the folder cannot be read"), "{report:?}");
    assert_eq!(report.removed, ["guest"]);
    assert_eq!(room.version(), "none");
}
