//! Durable values as a guest uses them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{Millis, StateChanges, StateValue, StepVerdict};
use hookloom::plugin::{Call, Context, Limits, PluginHost, PluginSettings, Policy, StateReader, StateView};
use hookloom_testkit::guests::guest_with_kv;

use super::grants::{self, grants};
use super::{Room, body, event, input, patient};

/// Values by key, for the plugin `guest`.
#[derive(Debug, Default)]
struct Stored {
    values: Mutex<HashMap<String, String>>,
    broken: bool,
    /// Every read keeps the guest waiting for so long.
    slow: Option<(Clock, Duration)>,
}

impl StateReader for Stored {
    fn read(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, String> {
        assert_eq!(plugin, "guest");
        if let Some((clock, wait)) = &self.slow {
            clock.advance(*wait);
        }
        if self.broken {
            return Err("the disk is on fire".into());
        }
        let values = self.values.lock().unwrap();
        Ok(values.get(key).map(|text| StateValue { version: 7, value: text.clone().into() }))
    }
}

/// A run that calls the plugin `guest` of a room.
struct Run<'a> {
    host: &'a PluginHost,
    state: StateView,
}

impl<'a> Run<'a> {
    fn new(host: &'a PluginHost, stored: Stored) -> Self {
        Self { host, state: StateView::new(Arc::new(stored)) }
    }

    fn call(&mut self, config: &str) -> Call {
        let plugin = self.host.plugins().get("guest").expect("the guest serves");
        plugin.call(config, &input(&event()), &mut self.state)
    }

    /// What the guest is answered, one after the other.
    fn acts(&mut self, acts: &str) -> Vec<String> {
        let call = self.call(&format!(r#"{{"do":"state","acts":[{acts}]}}"#));
        serde_json::from_str(&body(&call)).unwrap()
    }

    /// A call that does these acts and then ends so.
    fn ends(&mut self, end: &str, acts: &str) -> StepVerdict {
        self.call(&format!(r#"{{"do":"state","end":"{end}","acts":[{acts}]}}"#)).verdict
    }

    fn changes(self) -> StateChanges {
        self.state.into_changes()
    }
}

fn room() -> Room {
    grants::room(guest_with_kv(), &["kv"])
}

fn written(changes: &StateChanges) -> Vec<(&str, Option<&[u8]>)> {
    changes.writes.iter().map(|write| (write.key.as_str(), write.value.as_deref())).collect()
}

#[test]
fn values_are_set_read_added_to_and_deleted() {
    let room = room();
    let mut run = Run::new(&room.host, Stored::default());
    let said = run.acts(
        r#"["get","a"],["set","a","1"],["get","a"],["add","a",41],["add","n",-3],["set","t","x",1500],
           ["set","d","x"],["delete","d"],["get","d"],["add","t",1],["add","n",9223372036854775807]"#,
    );
    let expected = [
        "null",
        "set",
        "1",
        "42",
        "-3",
        "set",
        "set",
        "deleted",
        "null",
        "no integer",
        "9223372036854775804",
    ];
    assert!(said[9].contains("no integer"), "{said:?}");
    assert_eq!(said.len(), expected.len());
    for (said, expected) in said.iter().zip(expected).filter(|(_, expected)| *expected != "no integer") {
        assert_eq!(said, expected);
    }
    let changes = run.changes();
    let n = b"9223372036854775804".as_slice();
    assert_eq!(
        written(&changes),
        [("a", Some(b"42".as_slice())), ("d", None), ("n", Some(n)), ("t", Some(b"x"))]
    );
    assert_eq!(changes.writes[3].ttl, Some(Duration::from_millis(1500)));
    assert!(changes.writes.iter().all(|write| write.plugin == "guest"));
    let reads: Vec<_> = changes.reads.iter().map(|(_, key, seen)| (key.as_str(), *seen)).collect();
    assert_eq!(reads, [("a", 0), ("n", 0)], "what it wrote itself it need not have seen");
}

#[test]
fn a_later_call_sees_what_an_earlier_one_wrote_and_a_failed_one_leaves_nothing() {
    let room = room();
    let mut run = Run::new(&room.host, Stored::default());
    assert_eq!(run.acts(r#"["set","k","first"],["add","n",1]"#), ["set", "1"]);
    assert_eq!(
        run.ends("error", r#"["set","k","lost"],["add","n",5],["set","new","lost"]"#),
        StepVerdict::Error
    );
    assert_eq!(run.ends("trap", r#"["delete","k"],["add","n",5]"#), StepVerdict::Trap);
    let refused = r#"{"do":"state","configure":"refuse"}"#;
    assert_eq!(run.call(refused).verdict, StepVerdict::Misconfigured);
    assert_eq!(run.acts(r#"["get","k"],["add","n",1],["get","new"]"#), ["first", "2", "null"]);
    let changes = run.changes();
    assert_eq!(written(&changes), [("k", Some(b"first".as_slice())), ("n", Some(b"2"))]);
}

#[test]
fn what_is_stored_is_read_with_its_version() {
    let room = room();
    let stored = Stored::default();
    stored.values.lock().unwrap().insert("n".into(), "9".into());
    let mut run = Run::new(&room.host, stored);
    assert_eq!(run.acts(r#"["add","n",1],["get","n"]"#), ["10", "10"]);
    assert_eq!(run.changes().reads, [("guest".into(), "n".into(), 7)]);
}

#[test]
fn the_bounds_are_told_to_the_guest() {
    let room = room();
    let mut run = Run::new(&room.host, Stored::default());
    let (longest, too_long) = ("k".repeat(256), "k".repeat(257));
    let said = run.acts(&format!(
        r#"["set","{longest}",""],["set","{too_long}",""],["get",""],["set-large","v",65536],["set-large","v",65537]"#
    ));
    assert_eq!(said, ["set", "Error::TooLarge", "Error::TooLarge", "set", "Error::TooLarge"]);
    assert_eq!(run.acts(r#"["get-often","k",1001]"#), ["1000 of 1001"]);
    assert_eq!(run.acts(r#"["get-often","k",1000]"#), ["1000 of 1000"], "each call has its own");
}

#[test]
fn a_full_namespace_is_told_to_the_guest_and_kv_size_is_each_plugins_own() {
    let room = room();
    grants::grant(&room, Limits { kv_size: 10, ..patient() }, &["kv"], grants::KEY);
    let mut run = Run::new(&room.host, Stored::default());
    let said = run.acts(r#"["set","k","123456789"],["set","l","1"],["delete","k"],["get","k"]"#);
    assert_eq!((said[0].as_str(), said[2].as_str(), said[3].as_str()), ("set", "deleted", "null"));
    assert!(said[1].contains("may take 10 bytes (kv_size)"), "{said:?}");
}

#[test]
fn a_store_in_trouble_is_unavailable() {
    let room = room();
    let mut run = Run::new(&room.host, Stored { broken: true, ..Stored::default() });
    assert_eq!(run.acts(r#"["get","k"]"#), [r#"Error::Unavailable("the disk is on fire")"#]);
}

#[test]
fn there_are_no_values_before_the_capability() {
    let room = room();
    let status = &room.host.status()[0];
    let description = &status.serving.as_ref().unwrap().description;
    assert_eq!(description, "before its capability: Error::AccessDenied");
    let config = r#"{"configure":"state","acts":[["get","k"],["set","k",""],["delete","k"],["add","k",1]]}"#;
    let refusal = room.host.check_config("guest", config).unwrap_err();
    assert_eq!(refusal.matches("AccessDenied").count(), 4, "{refusal}");
}

/// A room whose clock moves only when a read takes its time.
fn manual_room(clock: &Clock) -> (tempfile::TempDir, Arc<PluginHost>) {
    let dir = tempfile::tempdir().unwrap();
    super::put(dir.path(), "guest.wasm", guest_with_kv());
    let mut settings = PluginSettings::new(dir.path(), patient());
    let policy = Policy { limits: patient(), grants: grants(&["kv"]), ..Policy::default() };
    settings.plugins.insert("guest".into(), policy);
    let context = Context {
        clock: clock.clone(),
        random: Random::system(),
        metrics: Arc::new(Metrics::new()),
        state: Arc::new(Stored::default()),
    };
    let host = PluginHost::start(settings, context).unwrap();
    assert_eq!(host.scan(&[]).problems, []);
    (dir, host)
}

#[test]
fn waiting_for_the_store_costs_wall_clock_and_no_cpu() {
    let clock = Clock::manual(Millis(1_700_000_000_000));
    let (_dir, host) = manual_room(&clock);
    let deadline = patient().deadline;
    let slow = |wait| Stored { slow: Some((clock.clone(), wait)), ..Stored::default() };
    // Nine times its deadline: more than it has of CPU time, and less than of the other.
    let mut run = Run::new(&host, slow(deadline * 3));
    assert_eq!(run.acts(r#"["get","a"],["get","b"],["get","c"]"#), ["null", "null", "null"]);
    let mut run = Run::new(&host, slow(deadline * 4));
    let call = run.call(r#"{"do":"state","acts":[["get","a"],["get","b"],["get","c"]]}"#);
    assert_eq!(call.verdict, StepVerdict::Timeout, "{:?}", call.reason);
    assert!(call.reason.unwrap().contains("by the wall clock"));
}
