//! What serves while files come, break and go.

use std::fs;

use hookloom::model::StepVerdict;
use hookloom::plugin::{Limits, PluginSettings, PluginState, Policy, ProblemKind, ScanReport};
use hookloom_testkit::guests::{guest, guest_with_kv, variant};

use super::{Room, call_plugin, event, patient};

const V1: &str = "guest-version-1";
const V2: &str = "guest-version-2";

fn second() -> Vec<u8> {
    variant(guest(), V1, V2)
}

/// A component without its end, as a copy that is under way.
fn torn() -> Vec<u8> {
    guest()[..guest().len() / 2].to_vec()
}

fn scan(room: &Room) -> ScanReport {
    room.host.scan(&[])
}

/// The one thing that is wrong.
fn problem(report: &ScanReport) -> &str {
    match report.problems.as_slice() {
        [problem] => &problem.message,
        other => panic!("{other:?}"),
    }
}

fn state(room: &Room) -> PluginState {
    room.host.status()[0].state
}

/// What a scan says of a folder with only these bytes in it.
fn refusal(bytes: &[u8]) -> String {
    let room = Room::open(patient());
    room.put("guest.wasm", bytes);
    let report = scan(&room);
    assert_eq!((room.version().as_str(), state(&room)), ("none", PluginState::Failed));
    assert!(!report.changed());
    problem(&report).to_owned()
}

#[test]
fn a_new_file_replaces_the_old_version_and_a_broken_one_does_not() {
    let room = Room::with_guest(patient());
    assert_eq!(room.version(), V1);

    room.put("guest.wasm", &second());
    assert_eq!(scan(&room).loaded, ["guest"]);
    assert_eq!(room.version(), V2);

    room.put("guest.wasm", &torn());
    let report = scan(&room);
    assert!(problem(&report).contains("is the file complete?"), "{}", problem(&report));
    assert_eq!((room.version().as_str(), state(&room)), (V2, PluginState::Degraded));
    assert_eq!(scan(&room).problems, report.problems, "it goes on being reported");

    room.put("guest.wasm", guest());
    assert_eq!(scan(&room).problems, []);
    assert_eq!((room.version().as_str(), state(&room)), (V1, PluginState::Active));
    assert!(!scan(&room).changed());
}

#[test]
fn the_last_good_version_survives_a_restart_beside_a_broken_file() {
    let room = Room::with_guest(patient());
    room.put("guest.wasm", &torn());
    let room = room.restart();
    let report = scan(&room);
    assert!(problem(&report).contains("is the file complete?"));
    assert_eq!((room.version().as_str(), state(&room)), (V1, PluginState::Degraded));
    room.put("guest.wasm", &second());
    assert_eq!(scan(&room).loaded, ["guest"]);
    assert_eq!((room.version().as_str(), state(&room)), (V2, PluginState::Active));
}

#[test]
fn a_deleted_plugin_is_gone_and_can_be_brought_back_but_not_by_a_broken_file() {
    let room = Room::with_guest(patient());
    fs::remove_file(room.plugins().join("guest.wasm")).unwrap();
    assert_eq!(scan(&room).removed, ["guest"]);
    assert_eq!((room.version().as_str(), state(&room)), ("none", PluginState::Missing));
    assert_eq!(scan(&room), ScanReport::default());

    room.put("guest.wasm", &torn());
    assert!(!scan(&room).changed());
    assert_eq!((room.version().as_str(), state(&room)), ("none", PluginState::Failed));

    room.put("guest.wasm", guest());
    assert_eq!(scan(&room).loaded, ["guest"]);
    assert_eq!((room.version().as_str(), state(&room)), (V1, PluginState::Active));
    assert!(room.host.status()[0].serving.as_ref().unwrap().cached);
}

#[test]
fn a_folder_that_is_away_takes_its_plugins_with_it_and_brings_them_back() {
    let room = Room::with_guest(patient());
    let away = room.dirs.path().join("away");
    fs::rename(room.plugins(), &away).unwrap();
    assert_eq!(scan(&room).removed, ["guest"]);
    fs::rename(&away, room.plugins()).unwrap();
    room.put("guest.wasm", &torn());
    scan(&room);
    assert_eq!(room.version(), V1, "the last good version is remembered");
}

#[test]
fn a_run_ends_on_the_versions_it_began_with() {
    let room = Room::with_guest(patient());
    let snapshot = room.host.plugins();
    room.put("guest.wasm", &second());
    scan(&room);
    let old = snapshot.get("guest").unwrap();
    let new = room.host.plugins().get("guest").unwrap();
    assert_ne!(old.digest(), new.digest());
    assert_eq!(super::body(&call_plugin(&old, r#"{"do":"version"}"#, &event())), V1);
    fs::remove_file(room.plugins().join("guest.wasm")).unwrap();
    scan(&room);
    assert_eq!(super::body(&call_plugin(&new, r#"{"do":"version"}"#, &event())), V2);
}

#[test]
fn a_version_that_refuses_a_configuration_in_force_does_not_replace_one_that_takes_it() {
    let room = Room::with_guest(patient());
    let steps = [("guest".to_owned(), r#"{"v2":true}"#.to_owned()), ("guest".to_owned(), "{}".to_owned())];
    let picky = variant(&second(), "configure-wants-no", "configure-wants-v2");
    room.put("guest.wasm", &picky);
    let report = room.host.scan(&steps);
    assert_eq!(report.problems[0].kind, ProblemKind::Config("{}".into()));
    // A configuration may hold secrets: the message is for logs and has none of it.
    assert!(problem(&report).contains("`v2` is missing") && !problem(&report).contains("{}"), "{report:?}");
    assert_eq!((room.version().as_str(), state(&room)), (V1, PluginState::Degraded));

    // Another configuration comes into force, which it takes.
    let report = room.host.scan(&steps[..1]);
    assert_eq!(report.problems, []);
    assert_eq!((room.version().as_str(), state(&room)), (V2, PluginState::Active));
    assert!(room.host.check_config("guest", "{}").unwrap_err().contains("`v2` is missing"));
    assert_eq!(room.host.check_config("guest", r#"{"v2":1}"#), Ok(()));
}

#[test]
fn a_first_version_serves_the_steps_whose_configuration_it_takes() {
    let room = Room::open(patient());
    room.put("guest.wasm", guest());
    let refused = r#"{"configure":"refuse"}"#;
    let report = room.host.scan(&[("guest".into(), refused.into()), ("guest".into(), "{}".into())]);
    assert_eq!(report.problems[0].kind, ProblemKind::Config(refused.into()));
    assert_eq!((room.version().as_str(), state(&room)), (V1, PluginState::Degraded));
    assert_eq!(room.call(refused).verdict, StepVerdict::Misconfigured);
    assert!(room.host.check_config("other", "{}").unwrap_err().contains("there is no plugin `other`"));
}

#[test]
fn what_is_no_plugin_is_refused_with_a_remedy() {
    let other_contract = variant(guest(), "hookloom:plugin/filter@0.1.0", "hookloom:plugin/filter@0.7.0");
    let cases: [(&[u8], &str); 6] = [
        (b"\0asm\x01\0\0\0", "build with `--target wasm32-wasip2`"),
        (b"\0asm\x0d\0\x01\0", "not a plugin: it exports no lifecycle"),
        (b"hello", "not WebAssembly"),
        (&torn(), "is the file complete?"),
        (guest_with_kv(), r#"imports kv, which is not granted: add grants = ["kv"] under [plugin.guest]"#),
        (&other_contract, "exports `filter`: contract 0.7.0 wanted, 0.1.0 to 0.1.x served"),
    ];
    for (bytes, part) in cases {
        let message = refusal(bytes);
        assert!(message.contains(part), "{message}");
    }
    let message = refusal(&variant(guest(), "describe-allows", "describe-panics"));
    assert!(
        message.starts_with("fails to describe itself") && message.contains("was told to panic"),
        "{message}"
    );
}

#[test]
fn a_plugin_of_a_later_patch_of_the_contract_serves() {
    let room = Room::open(patient());
    room.put("guest.wasm", &variant(guest(), "@0.1.0", "@0.1.7"));
    assert_eq!(scan(&room).problems, []);
    assert_eq!(room.version(), V1);
}

#[test]
fn limits_of_a_plugin_hold_when_it_is_loaded() {
    let room = Room::open(Limits { module_bytes: 1000, ..patient() });
    room.put("guest.wasm", guest());
    assert!(problem(&scan(&room)).contains("larger than 1000 bytes"));
    let mut settings = PluginSettings::new(room.plugins(), Limits { memory: 65536, ..patient() });
    room.host.set_settings(settings.clone());
    let report = scan(&room);
    assert!(problem(&report).contains("raise `memory`"), "{report:?}");
    settings.plugins.insert("guest".into(), Policy { limits: patient(), ..Policy::default() });
    room.host.set_settings(settings);
    assert_eq!(scan(&room).problems, []);
}

#[test]
fn memory_that_a_plugin_starts_with_is_not_taken_from_it_unsaid() {
    let room = Room::with_guest(patient());
    let less = PluginSettings::new(room.plugins(), Limits { memory: 65536, ..patient() });
    let refusal = room.host.check_config_under(&less, "guest", "{}").unwrap_err();
    assert!(refusal.contains("raise `memory`"), "{refusal}");
    assert_eq!(room.host.check_config("guest", "{}"), Ok(()), "it is not in force");
    room.host.set_settings(less);
    let report = scan(&room);
    assert_eq!(report.removed, ["guest"]);
    assert!(problem(&report).contains("raise `memory`"), "{report:?}");
    assert_eq!((room.version().as_str(), state(&room)), ("none", PluginState::Failed));
}

#[test]
fn precompiled_code_is_refused() {
    let room = Room::with_guest(patient());
    let compiled = fs::read_dir(room.dirs.path().join("cache")).unwrap();
    let compiled =
        compiled.map(|e| e.unwrap().path()).find(|p| p.extension().is_some_and(|e| e == "compiled"));
    let bytes = fs::read(compiled.unwrap()).unwrap();
    let start = bytes.windows(4).position(|w| w == b"\x7fELF").unwrap();
    assert!(refusal(&bytes[start..]).contains("precompiled code"));
}

#[test]
fn compiled_code_is_kept_for_the_next_start_and_made_again_when_it_is_damaged() {
    let room = Room::with_guest(patient());
    let cached = |room: &Room| room.host.status()[0].serving.as_ref().unwrap().cached;
    assert!(!cached(&room));
    let room = room.restart();
    scan(&room);
    assert!(cached(&room));
    for entry in fs::read_dir(room.dirs.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&path, bytes).unwrap();
    }
    let room = room.restart();
    assert_eq!(scan(&room).problems, []);
    assert!(!cached(&room));
    assert_eq!(room.version(), V1);
}

#[test]
fn two_files_of_one_name_are_an_error_and_the_old_version_serves() {
    let room = Room::open(patient());
    room.put("my_guest.wasm", guest());
    assert_eq!(scan(&room).loaded, ["my-guest"]);
    let before = room.host.plugins().get("my-guest").unwrap();
    room.put("my-guest.wasm", &second());
    let report = scan(&room);
    assert!(problem(&report).contains("several files have this name"), "{report:?}");
    assert_eq!(room.host.plugins().get("my-guest").unwrap().digest(), before.digest());
    fs::remove_file(room.plugins().join("my_guest.wasm")).unwrap();
    assert_eq!(scan(&room).problems, []);
    assert_ne!(room.host.plugins().get("my-guest").unwrap().digest(), before.digest());
}

#[test]
fn the_status_says_what_serves() {
    let room = Room::with_guest(patient());
    let status = &room.host.status()[0];
    let serving = status.serving.as_ref().unwrap();
    assert_eq!((status.name.as_str(), status.error.as_ref()), ("guest", None));
    assert_eq!((serving.contract.as_str(), serving.version.as_str()), ("0.1.0", V1));
    assert_eq!(serving.exports, ["filter", "transform"]);
    assert!(serving.imports.iter().any(|import| import == "hookloom:plugin/log@0.1.0"));
    assert_eq!((serving.digest.len(), serving.size), (16, guest().len() as u64));
    assert!(room.host.pool_slots() > 0, "the pool has room on this machine");
}
