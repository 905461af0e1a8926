//! A plugin's author at work: `hookloom plugin check`, `run`, `test` and `bench`, and
//! events of a gateway that become fixtures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::receiver::Receiver;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cli::{BINARY, Ended, hookloom};

/// A folder with a component in it, and what is done with it.
struct Desk(TempDir);

impl Desk {
    fn with(name: &str, component: &[u8]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.path(&format!("{name}.wasm")), component).unwrap();
        desk
    }

    /// The guest that does as its configuration says.
    fn with_guest() -> Self {
        Self::with("guest", guests::guest())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn json(&self, name: &str, value: &Value) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{value:#}\n")).unwrap();
        self
    }

    /// `hookloom plugin …` in the folder.
    fn plugin(&self, arguments: &[&str]) -> Ended {
        plugin_in(self.0.path(), arguments)
    }

    /// The objects that a command prints.
    fn objects(&self, code: i32, arguments: &[&str]) -> Vec<Value> {
        let ended = self.plugin(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn plugin_in(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    command.arg("plugin").args(arguments).current_dir(folder);
    command.output().expect("the binary starts").into()
}

fn examples() -> PathBuf {
    guests::workspace().join("plugins")
}

fn event(body: &Value) -> Value {
    json!({ "source": "s", "type": "t", "body": body })
}

/// An event with the guest's part in it.
fn told(act: &str, expect: &Value) -> Value {
    json!({ "event": event(&json!({ "a": 1 })), "config": { "do": act }, "expect": expect })
}

#[test]
fn a_call_is_shown_as_a_difference() {
    let desk = Desk::with("redact", &guests::example("redact"));
    desk.json("event.json", &event(&json!({ "sender": { "login": "o", "email": "o@example.com" } })));
    let run = ["run", "redact.wasm", "--event", "event.json", "--config", r#"{"paths":["/sender/email"]}"#];
    let shown = desk.plugin(&run);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{shown:?}");
    assert!(shown.stdout.starts_with("replace  event.json\n"), "{shown:?}");
    for line in
        ["    -     \"email\": \"o@example.com\"\n", "    +     \"email\": \"[redacted]\"\n", "of memory\n"]
    {
        assert!(shown.stdout.contains(line), "{shown:?}");
    }

    let told = desk.objects(0, &run).remove(0);
    assert_eq!((&told["verdict"], &told["plugin"]), (&json!("replace"), &json!("redact")));
    assert_eq!(told["messages"][0]["body"]["sender"]["email"], "[redacted]");
    // A page of WebAssembly, at least.
    assert!(told["memory"].as_u64().unwrap() >= 65_536, "{told}");
}

#[test]
fn a_call_without_an_answer_says_why_and_fails() {
    let desk = Desk::with_guest();
    desk.json("all/1.json", &told("panic", &json!({ "error": "trap" })));
    desk.json("all/2.json", &told("print", &json!({ "outcome": "replace" })));
    let shown = desk.plugin(&["run", "guest.wasm", "--event", "all"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    let (first, second) = shown.stdout.split_once("replace  all/2.json").expect("both are shown");
    assert!(first.starts_with("trap: ") && first.contains("\n  at "), "{first}");
    assert!(second.contains("  log         info: printed 0\n  log         warn: to stderr\n"), "{second}");
    let told = desk.objects(1, &["run", "guest.wasm", "--event", "all/1.json"]).remove(0);
    assert_eq!((&told["verdict"], &told["messages"]), (&json!("trap"), &Value::Null));
}

#[test]
fn mistakes_are_one_clean_message() {
    let desk = Desk::with("core", b"\0asm\x01\0\0\0");
    desk.json("event.json", &json!({ "source": "s", "body_base64": "?" }));
    fs::write(desk.path("broken.json"), "{").unwrap();
    let table: [(&[&str], i32, &str); 7] = [
        (&["run", "core.wasm", "--event", "event.json"], 1, "error: event.json: body_base64: no base64"),
        (&["run", "core.wasm", "--event", "broken.json"], 1, "error: broken.json is no JSON: EOF"),
        (&["run", "core.wasm", "--event", "missing.json"], 1, "error: missing.json cannot be read"),
        (&["check", "core.wasm"], 1, "error: core.wasm: a core module, not a component: build with"),
        (&["check", "missing.wasm"], 1, "error: missing.wasm cannot be read: No such file"),
        (&["test", "core.wasm"], 1, "no fixtures in core/fixtures\n    help: write one"),
        (&["run", "core.wasm"], 2, "--event"),
    ];
    for (arguments, code, message) in table {
        let ended = desk.plugin(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(message), "{arguments:?}: {ended:?}");
    }
}

/// The same files that the SDK's `run_fixtures` reads in the examples' own tests.
#[test]
fn the_examples_keep_to_their_fixtures_as_components() {
    for name in ["drop-bots", "envelope", "redact", "slack-message", "split-batch"] {
        let desk = Desk::with(name, &guests::example(name));
        let fixtures = examples().join(name).join("fixtures");
        let files = fs::read_dir(&fixtures).unwrap().count();
        let wasm = format!("{name}.wasm");
        let ended = desk.plugin(&["test", &wasm, "--fixtures", fixtures.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.ends_with(&format!("\n{files} passed, 0 failed\n")), "{ended:?}");
    }
}

#[test]
fn a_crate_is_built_before_it_is_tested() {
    let ended = plugin_in(&guests::workspace(), &["test", "redact", "--offline", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["failed"], 0);
    assert!(last["passed"].as_u64().unwrap() > 3, "{last}");
}

#[test]
fn what_differs_is_shown_and_can_be_written_into_the_fixture() {
    let desk = Desk::with_guest();
    desk.json("guest/fixtures/good.json", &told("pass", &json!({ "outcome": "unchanged" })));
    let list = json!([
        told("drop", &json!({ "outcome": "unchanged" })),
        told("drop", &json!({ "verdict": "drop" }))
    ]);
    desk.json("guest/fixtures/two.json", &list);
    let ended = desk.plugin(&["test", "guest.wasm"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for line in [
        "guest, 3 fixture(s)\n",
        "ok      guest/fixtures/good.json\n",
        "FAILED  guest/fixtures/two.json[0]\n        expected outcome unchanged, got drop: told to\n",
        "\n2 passed, 1 failed\n",
    ] {
        assert!(ended.stdout.contains(line), "{line:?}: {ended:?}");
    }

    let results = desk.objects(1, &["test", "guest.wasm"]);
    assert_eq!(results[1]["differences"], json!(["expected outcome unchanged, got drop: told to"]));
    assert_eq!(results[3], json!({ "passed": 2, "failed": 1, "updated": 0 }));

    let updated = desk.plugin(&["test", "guest.wasm", "--update"]);
    assert_eq!(updated.code, Some(0), "{updated:?}");
    let written: Value =
        serde_json::from_slice(&fs::read(desk.path("guest/fixtures/two.json")).unwrap()).unwrap();
    assert_eq!(written[0]["expect"], json!({ "outcome": "drop" }));
    assert_eq!(written[1], list[1]);
    assert_eq!(desk.plugin(&["test", "guest.wasm"]).code, Some(0));
}

#[test]
fn time_stands_where_a_fixture_puts_it() {
    let desk = Desk::with("envelope", &guests::example("envelope"));
    let expect = |at: &str| {
        json!({ "outcome": "replace", "messages": [{ "body": {
        "id": "evt_test", "timestamp": at, "event": null, "version": "1", "data": { "a": 1 } } }] })
    };
    let event = json!({ "source": "s", "body": { "a": 1 } });
    let list = json!([
        { "event": event, "expect": expect("2026-01-01T00:00:00.000Z") },
        { "event": event, "now": "2030-02-03T04:05:06Z", "expect": expect("2030-02-03T04:05:06.000Z") },
    ]);
    desk.json("fixtures/time.json", &list);
    let ended = desk.plugin(&["test", "envelope.wasm"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// An event for the guest that does what `acts` lists, with what its capabilities hold.
fn acting(acts: &Value, around: &Value) -> Value {
    let mut fixture = json!({ "event": event(&json!({})), "config": { "do": "state", "acts": acts } });
    fixture.as_object_mut().unwrap().extend(around.as_object().unwrap().clone());
    fixture
}

#[test]
fn a_fixture_brings_values_and_secrets_and_expects_values() {
    let desk = Desk::with("guest", guests::guest_with_secrets());
    let acts = json!([["add", "n", 2], ["set", "seen", "x"], ["delete", "old"]]);
    let before = json!({ "n": 1, "old": "y" });
    // The second case of RFC 4231, section 4.3.
    let keyed = json!([["hmac", "KEY", "what do ya want for nothing?"], ["reveal", "KEY"]]);
    let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let says = |body: Value| json!({ "outcome": "replace", "messages": [{ "body": body }] });
    let mut failing =
        acting(&acts, &json!({ "state": before, "expect": { "error": "other", "state": before } }));
    failing["config"]["end"] = json!("error");
    let after = json!({ "outcome": "replace", "state": { "n": 3, "seen": "x", "old": null } });
    let revealed = json!([["reveal", "KEY"]]);
    let list = json!([
        acting(&acts, &json!({ "state": before, "expect": after })),
        failing,
        acting(&keyed, &json!({ "secrets": { "KEY": "Jefe" }, "expect": says(json!([mac, "Jefe"])) })),
        acting(&revealed, &json!({ "secrets": { "KEY": "other" }, "expect": says(json!(["other"])) })),
        acting(&revealed, &json!({ "expect": says(json!(["Error::AccessDenied"])) })),
        acting(&acts, &json!({ "expect": { "outcome": "replace", "state": { "n": 1 } } })),
    ]);
    desk.json("fixtures/all.json", &list);
    let results = desk.objects(1, &["test", "guest.wasm"]);
    let differences: Vec<_> = results[..6].iter().map(|result| result["differences"].clone()).collect();
    let wrong = json!(["expected 1 under the key n of kv, got 2"]);
    assert_eq!(differences, [json!([]), json!([]), json!([]), json!([]), json!([]), wrong]);
    let shown = desk.plugin(&["test", "guest.wasm"]);
    assert!(
        shown.stdout.starts_with("guest, 6 fixture(s) (kv, secrets, reveal: granted here)\n"),
        "{shown:?}"
    );

    desk.json("kv.json", &before).json("act.json", &acting(&acts, &json!({})));
    let run = ["run", "guest.wasm", "--event", "act.json", "--kv", "kv.json"];
    let told = desk.objects(0, &run).remove(0);
    assert_eq!(told["state"], json!({ "n": 3, "old": null, "seen": "x" }));
    let shown = desk.plugin(&run);
    assert!(shown.stdout.contains("  kv          old: \"y\" → nothing\n"), "{shown:?}");
    desk.json("key.json", &acting(&keyed, &json!({})));
    let told =
        desk.objects(0, &["run", "guest.wasm", "--event", "key.json", "--secret", "KEY=Jefe"]).remove(0);
    assert_eq!(told["messages"][0]["body"], json!([mac, "Jefe"]));
}

#[test]
fn grants_are_those_of_the_gateway_where_it_is_named() {
    let desk = Desk::with("guest", guests::guest_with_kv());
    let free = desk.plugin(&["check", "guest.wasm"]);
    assert!(free.stdout.contains("kv: needs grants = [\"kv\"] under [plugin.guest]\n"), "{free:?}");
    let check = ["check", "guest.wasm", "-c", "hookloom.toml"];
    fs::write(desk.path("hookloom.toml"), "").unwrap();
    let refused = desk.plugin(&check);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let message =
        "error: guest.wasm: imports kv, which is not granted: add grants = [\"kv\"] under [plugin.guest]";
    assert!(refused.stderr.starts_with(message), "{refused:?}");
    fs::write(desk.path("hookloom.toml"), "[plugin.guest]\ngrants = [\"kv\"]\n").unwrap();
    let granted = desk.plugin(&check);
    assert_eq!(granted.code, Some(0), "{granted:?}");
    assert!(granted.stdout.contains("  grant       kv: granted\n"), "{granted:?}");
}

#[test]
fn a_check_shows_a_component_and_tries_the_configuration() {
    let desk = Desk::with("redact", &guests::example("redact"));
    let shown = desk.plugin(&["check", "redact.wasm"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{shown:?}");
    for line in ["redact  ok\n", "  contract    0.1.0\n", "  exports     transform\n", "of 64.0 MiB\n"] {
        assert!(shown.stdout.contains(line), "{shown:?}");
    }

    let route = |name: &str, config: &str| {
        format!(
            "[[routes]]\nname = \"{name}\"\nfrom = [\"s\"]\nto = [\"d\"]\n\
             steps = [{{ plugin = \"redact\", config = {config} }}]\n"
        )
    };
    let config = |routes: &str| {
        let rest = "[sources.s]\nscheme = \"none\"\n[destinations.d]\nurl = \"https://example.com\"\n";
        fs::write(desk.path("hookloom.toml"), format!("{rest}[plugin.redact]\nmemory = \"8MiB\"\n{routes}"))
            .unwrap();
    };
    let check = ["check", "redact.wasm", "-c", "hookloom.toml"];
    config(&route("fine", r#"{ paths = ["/a"] }"#));
    let found = desk.objects(0, &check).remove(0);
    assert_eq!((&found["ok"], &found["memory_limit"]), (&json!(true), &json!(8 << 20)), "{found}");
    let used = json!({ "place": "route \"fine\"", "config": { "paths": ["/a"] }, "refusal": null });
    assert_eq!(found["uses"], json!([used]));

    config(&(route("fine", r#"{ paths = ["/a"] }"#) + &route("wrong", "{ path = 1 }")));
    let refused = desk.plugin(&check);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.starts_with("redact  refused\n"), "{refused:?}");
    assert!(refused.stdout.contains("by route \"wrong\", config {\"path\":1}: refused: "), "{refused:?}");

    // What it is asked for counts, and not its configuration alone.
    let verified = "[sources.s]\nscheme = \"plugin:redact\"\nconfig = { paths = [\"/a\"] }\n[destinations.d]\nurl = \"https://example.com\"\n\
         classify = { plugin = \"redact\", config = { paths = [\"/a\"] } }\n";
    fs::write(desk.path("hookloom.toml"), verified).unwrap();
    let refused = desk.plugin(&check);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for line in [
        "by source \"s\", config {\"paths\":[\"/a\"]}: refused: exports no `verify`\n",
        "by destination \"d\", config {\"paths\":[\"/a\"]}: refused: exports no `classify`\n",
    ] {
        assert!(refused.stdout.contains(line), "{refused:?}");
    }
}

#[test]
fn a_bench_measures_calls_that_answer() {
    let desk = Desk::with_guest();
    desk.json("pass.json", &told("pass", &json!({ "outcome": "unchanged" })));
    desk.json("trap.json", &told("panic", &json!({ "error": "trap" })));
    let found = desk.objects(0, &["bench", "guest.wasm", "--event", "pass.json", "-n", "10"]).remove(0);
    assert_eq!(found["verdict"], "unchanged");
    for kind in ["fresh_micros", "warm_micros"] {
        let [least, median, most] = ["least", "median", "most"].map(|key| found[kind][key].as_f64().unwrap());
        assert!(0.0 < least && least <= median && median <= most, "{kind}: {found}");
    }
    let refused = desk.plugin(&["bench", "guest.wasm", "--event", "trap.json"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("error: trap.json: trap: "), "{refused:?}");
}

/// It fails when it may not read its values.
#[test]
fn a_bench_grants_what_a_run_grants() {
    let desk = Desk::with("dedupe-content", &guests::example("dedupe-content"));
    desk.json("event.json", &json!({ "event": event(&json!({ "a": 1 })), "config": { "hours": 1 } }));
    let bench = ["bench", "dedupe-content.wasm", "--event", "event.json", "-n", "40"];
    let found = desk.objects(0, &bench).remove(0);
    assert_eq!(found["verdict"], "pass", "none sees what another one wrote");
    assert!(found["warm_micros"]["median"].as_f64().unwrap() > 0.0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_failed_becomes_a_test() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&format!(
        r#"
[sources.open]
scheme = "none"

[destinations.d]
url = "{}"

[[routes]]
name = "r"
from = ["open"]
steps = ["drop-bots", {{ plugin = "redact", config = {{ paths = ["/secret"] }} }}]
to = ["d"]
"#,
        receiver.url()
    ));
    gateway.put_plugin("redact", &guests::example("redact"));
    gateway.put_plugin("drop-bots", &guests::example("drop-bots"));
    gateway.run_here().await;
    let headers = [("content-type", "application/json"), ("authorization", "Bearer b")];
    let id = gateway.post("open", &headers, "{\"secret\": oops}").await.id();
    let failed = gateway.event_when(&id, "failed").await;
    let said = failed["runs"][0]["steps"].as_array().unwrap().last().unwrap().clone();

    let folder = gateway.path("fixtures");
    let url = format!("http://{}", gateway.admin());
    let export = {
        let (id, folder) = (id.clone(), folder.clone());
        let export =
            move || hookloom(&["events", "export", &id, "--url", &url, "--out", folder.to_str().unwrap()]);
        tokio::task::spawn_blocking(export).await.unwrap()
    };
    assert_eq!(export.code, Some(0), "{export:?}");
    assert_eq!(export.stderr, format!("warning: {id}: masked, as plugins see it too: authorization\n"));
    let file = folder.join(format!("{id}.json"));
    let plugin = said["plugin"].as_str().unwrap();
    assert_eq!(export.stdout, format!("{}  {plugin}: invalid-input\n", file.display()));

    let desk = Desk::with(plugin, &guests::example(plugin));
    let wasm = format!("{plugin}.wasm");
    let rerun = desk.objects(1, &["run", &wasm, "--event", file.to_str().unwrap()]).remove(0);
    for key in ["verdict", "reason", "digest"] {
        assert_eq!(rerun[key], said[key], "{key}");
    }
    let test = desk.plugin(&["test", &wasm, "--fixtures", folder.to_str().unwrap()]);
    assert_eq!((test.code, test.stdout.lines().last()), (Some(0), Some("1 passed, 0 failed")), "{test:?}");
    gateway.stop().await;
}
