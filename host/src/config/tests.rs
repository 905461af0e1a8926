//! Whole files, good and bad, and what is said of them.

use std::time::Duration;

use super::*;
use crate::model::{OnDead, Order, RouteTarget};
use crate::plugin::Limits;

const GOOD: &str = r#"
[sources.github]
scheme = "github"
secrets = ["It's a Secret to Everybody"]

[sources.open]
scheme = "none"

[destinations.crm]
url = "https://crm.example.com/hooks"
secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]

[[routes]]
name = "issues"
from = ["github"]
types = ["issues"]
steps = ["drop_bots", { plugin = "redact", config = { paths = ["/a"] }, on_error = { retry = ["1s"], then = "pass" } }]
to = ["crm"]
"#;

fn load(text: &str) -> Result<Config, Problems> {
    Config::from_text(Path::new("/etc/hookloom/hookloom.toml"), text)
}

fn problems(text: &str) -> String {
    load(text).expect_err("the file was accepted").to_string()
}

/// Everything of it but the texts of secrets, which compare with nothing.
fn shown(part: &impl std::fmt::Debug) -> String {
    format!("{part:#?}")
}

#[test]
fn the_commented_defaults_are_the_defaults() {
    let (written, silent) = (load(DEFAULTS).unwrap(), load("").unwrap());
    assert_eq!(shown(&written.server), shown(&silent.server));
    assert_eq!(written.store, silent.store);
    assert_eq!(written.log, silent.log);
    assert_eq!(shown(&written.plugins), shown(&silent.plugins));
    assert_eq!(written.egress, silent.egress);
}

#[test]
fn the_examples_among_the_defaults_are_valid() {
    let uncomment = |line: &str| match line.strip_prefix("# ") {
        Some(code) if code.starts_with(['[', '{', ']', ' ']) || code.contains(" = ") => code.to_owned(),
        _ => line.to_owned(),
    };
    let text: String = DEFAULTS.lines().map(|line| uncomment(line) + "\n").collect();
    // Two forms of `retry` and two prose lines with " = " in them cannot both stand.
    let text = text.replace("\nretry = { max_attempts", "\n# retry = { max_attempts");
    let text = text.replace("env:HOOKLOOM_ADMIN_TOKEN", "t").replace("env:GITHUB_SECRET", "s");
    let text = text.replace("env:INHOUSE_SECRET", "s").replace("env:CRM_AUTH", "Bearer t");
    let text = text.replace("env:CRM_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let text = text.replace("env:PARTNER_TOKEN", "t").replace("env:PARTNER_PROXY_AUTH", "u:p");
    let text = text.replace("env:PROXY_AUTH", "u:p").replace("env:CRM_KEY", "k");
    let dir = reach_tests::folder_with_certificates();
    serving_tests::put_files(dir.path());
    let config = Config::from_text(&dir.path().join("hookloom.toml"), &text);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.routes.len(), 1);
    assert_eq!(config.front_door.sources.len(), 3);
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.store.path, Path::new("/etc/hookloom/data/hookloom.db"));
    assert_eq!(config.plugins.dir, Path::new("/etc/hookloom/plugins"));
}

#[test]
fn steps_have_normal_names_and_json_configs() {
    let config = load(GOOD).unwrap();
    let expected = [("drop-bots", "null"), ("redact", r#"{"paths":["/a"]}"#)];
    let configs = config.plugin_configs();
    let configs: Vec<_> = configs.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
    assert_eq!(configs, expected);
}

#[test]
fn secrets_in_the_file_and_open_sources_are_warned_of() {
    let warnings: Vec<_> = load(GOOD).unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings[0].starts_with("/etc/hookloom/hookloom.toml:4:12: the secret stands in"),
        "{}",
        warnings[0]
    );
    assert!(!format!("{:?}", load(GOOD).unwrap()).contains("Everybody"), "a secret was printed");
}

#[test]
fn mistakes_are_shown_at_their_place_with_a_remedy() {
    let cases = [
        ("[server]\nlisten = \"nowhere\"", ":2:10: `nowhere` is not an address"),
        ("[server]\nadmin_listen = \"0.0.0.0:1\"", "has no token"),
        ("[server]\nlistne = \"x\"", ":2:1: unknown field `listne`"),
        ("[server]\nmax_body = \"much\"", ":2:12: `much` is not a size"),
        ("[store]\nurl = \"postgres://x\"", "is not a store"),
        ("[sources.a]", "does not say how it verifies"),
        ("[sources.a]\nscheme = \"gihub\"\nsecrets = [\"x\"]", "did you mean \"github\"?"),
        ("[sources.a]\nscheme = \"github\"", "source \"a\""),
        (
            "[sources.a]\nscheme = \"github\"\nsecrets = [\"env:HOOKLOOM_TEST_UNSET\"]",
            "HOOKLOOM_TEST_UNSET is not set",
        ),
        ("[sources.\"a b\"]\nscheme = \"none\"", "cannot be the name of a source"),
        ("[sources.a]\nscheme = \"none\"\ndedupe_key = \"x\"", "does not say what makes a repeat"),
        ("[sources.a]\nscheme = \"none\"\ndedupe_key = \"header:a b\"", "does not say what makes a repeat"),
        (
            "[sources.a]\nscheme = \"none\"\ndedupe_key = \"header:Authorization\"",
            ":3:14: `authorization` is a credential",
        ),
        ("[sources.a]\nscheme = \"none\"\nmethods = []", ":3:11: a source without methods"),
        ("[sources.a]\nscheme = \"none\"\nreply = { status = 500 }", "answered with 2xx"),
        (
            "[sources.a]\nscheme = \"none\"\nreply = { content_type = \"a\\nb\" }",
            ":3:9: `content_type` is not one",
        ),
        (
            "[sources.a]\nscheme = \"plugin:odd\"\nsecrets = [\"x\"]",
            ":3:12: `secrets` are not handed to a plugin that verifies",
        ),
        (
            "[sources.a]\nscheme = \"plugin:odd\"\nsecrets = [\"x\"]",
            "grant it: `grants = [\"secrets:NAME\"]` in [plugin.odd]",
        ),
        ("[sources.a]\nscheme = \"plugin:odd\"\nverify = {}", ":3:10: `verify` spells out a scheme"),
        ("[sources.a]\nscheme = \"plugin:\"", ":2:10: no plugin is named"),
        ("[sources.a]\nscheme = \"none\"\nconfig = {}", ":3:10: only a plugin is given a `config`"),
        (
            "[sources.a]\nscheme = \"plugin:odd\"\ndedupe_key = \"header:x-api-key\"",
            ":3:14: `x-api-key` is a credential",
        ),
        ("[destinations.d]\nurl = \"http://x\"\nclassify = \"\"", ":3:12: no plugin is named"),
        ("[destinations.d]\nurl = \"http://x\"\nclassify = 3", "a plugin's name, or { plugin ="),
        (
            "[destinations.d]\nurl = \"http://x\"\nclassify = { plugin = \"a\", on_error = \"pass\" }",
            "unknown field `on_error`",
        ),
        ("[destinations.d]\nurl = \"crm\"", ":2:7: this is not a URL"),
        ("[destinations.d]\nurl = \"ftp://x\"", "begins with http"),
        ("[destinations.d]\nurl = \"http://x\"\nsecrets = [\"abc\"]", "begins with whsec_"),
        ("[destinations.d]\nurl = \"http://x\"\nretry = { schedule = [], base = \"1s\" }", "two forms"),
        ("[destinations.d]\nurl = \"http://x\"\nheaders = { \"webhook-id\" = \"x\" }", "set by the gateway"),
        (
            "[destinations.d]\nurl = \"http://x\"\nbreaker = { pause = \"0s\" }",
            ":3:11: a breaker's pause is above zero and at most 1day",
        ),
        ("[destinations.d]\nurl = \"http://x\"\nbreaker = { pause = \"2d\" }", "`failures = 0` switches"),
        ("[destinations.d]\nurl = \"http://x\"\nbreaker = { failures = -1 }", ":3:24: "),
        ("[destinations.d]\nurl = \"http://x\"\nbreaker = { after = 3 }", ":3:13: unknown field `after`"),
        ("[destinations.d]\nurl = \"http://x\"\nrate_limit = \"fast\"", ":3:14: `fast` is not a rate"),
        ("[destinations.d]\nurl = \"http://x\"\nrate_limit = \"0/s\"", ":3:14: `0/s` is not a rate"),
        ("[egress]\nallow = [\"10.0.0.1/8\"]", "write 10.0.0.0/8"),
        ("[[routes]]\nname = \"r\"\nfrom = [\"a\"]\nto = [\"b\"]", "there is no source \"a\""),
        ("[[routes]]\nname = \"r\"\nfrom = []\nto = []", "takes from no source"),
    ];
    for (text, expected) in cases {
        let shown = problems(text);
        assert!(shown.contains(expected), "{text}\n  gave: {shown}\n  not: {expected}");
    }
}

#[test]
fn steps_are_checked_inside_their_tables() {
    let step = |step: &str| GOOD.replace("\"drop_bots\"", step);
    assert!(problems(&step("{ plugin = \"x\", confg = {} }")).contains("unknown field `confg`"));
    assert!(
        problems(&step("{ plugin = \"x\", on_error = \"ignore\" }"))
            .contains("`ignore` is not what can follow")
    );
    assert!(problems(&step("3")).contains("a plugin's name, or"));
}

#[test]
fn every_place_that_names_a_plugin_is_known() {
    let text = "[sources.a]\nscheme = \"plugin:odd_one\"\nconfig = { key = 1 }\n\
        [destinations.d]\nurl = \"http://127.0.0.1\"\nclassify = \"answers\"\n\
        [destinations.e]\nurl = \"http://127.0.0.1\"\nclassify = { plugin = \"answers\", config = { ok = [2] } }\n\
        [egress]\nallow = [\"127.0.0.0/8\"]\n\
        [[routes]]\nname = \"r\"\nfrom = [\"a\"]\nsteps = [\"drop-bots\"]\nto = [\"d\"]";
    let config = load(text).unwrap();
    let uses = config.plugin_uses();
    let shown: Vec<_> = uses
        .iter()
        .map(|used| (used.place.as_str(), used.named.plugin.as_str(), used.named.config.as_str(), used.asks))
        .collect();
    let expected = [
        ("destination \"d\"", "answers", "null", Asks::Classify),
        ("destination \"e\"", "answers", r#"{"ok":[2]}"#, Asks::Classify),
        ("route \"r\"", "drop-bots", "null", Asks::Step),
        ("source \"a\"", "odd-one", r#"{"key":1}"#, Asks::Verify),
    ];
    assert_eq!(shown, expected);
    let exports = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(Asks::Verify.missing_in(&exports(&["filter"])), Some("no `verify`"));
    assert_eq!(Asks::Classify.missing_in(&exports(&["verify"])), Some("no `classify`"));
    assert_eq!(Asks::Step.missing_in(&exports(&["verify"])), Some("neither `filter` nor `transform`"));
    for (asks, export) in [(Asks::Step, "filter"), (Asks::Step, "transform"), (Asks::Verify, "verify")] {
        assert_eq!(asks.missing_in(&exports(&[export])), None);
    }
}

#[test]
fn how_fast_a_destination_is_sent_to() {
    use crate::deliver::{BreakerPolicy, Destination};
    use crate::rate::Rate;

    let minute = Duration::from_mins(1);
    let table = [
        ("", BreakerPolicy::new(20, minute), None),
        ("breaker = { failures = 20, pause = \"1m\" }", BreakerPolicy::new(20, minute), None),
        ("breaker = { failures = 3 }", BreakerPolicy::new(3, minute), None),
        ("breaker = { failures = 0 }", BreakerPolicy::new(0, minute), None),
        ("breaker = { pause = \"90s\" }", BreakerPolicy::new(20, minute * 3 / 2), None),
        ("rate_limit = \"100/s\"", BreakerPolicy::new(20, minute), Some(Rate::per_second(100.0))),
        ("rate_limit = \"30/m\"", BreakerPolicy::new(20, minute), Some(Rate::per_second(0.5))),
    ];
    for (text, breaker, rate_limit) in table {
        let config = load(&format!("[destinations.d]\nurl = \"http://x\"\n{text}\n")).unwrap();
        let [Destination { breaker: b, rate_limit: r, .. }] = &config.destinations[..] else {
            panic!("{text}")
        };
        assert_eq!((Ok(*b), *r), (breaker, rate_limit), "{text}");
        assert_eq!(config.warnings.len(), 0, "{text}");
    }
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let problems = load("[destinations.d]\nurl = \"crm\"\n[sources.a]\n").unwrap_err();
    assert_eq!(problems.0.len(), 2);
}

#[test]
fn grants_name_secrets_that_are_there() {
    let text = "[secrets]\nKEY = \"text\"\n[plugin.p_q]\nreuse = 4\ngrants = [\"kv\", \"secrets:KEY\", \"reveal:KEY\"]";
    let config = load(text).unwrap();
    let policy = config.plugins.policy("p-q");
    assert!(
        policy.grants.kv && policy.grants.secrets.contains("KEY") && policy.grants.reveal.contains("KEY")
    );
    assert_eq!(policy.reuse, 4);
    assert_eq!(config.plugins.secrets["KEY"].expose(), "text");
    for (grant, part) in
        [("mail", "is not a grant"), ("secrets:OTHER", "add `OTHER = \"env:OTHER\"` to [secrets]")]
    {
        let problems = load(&format!("[plugin.p]\ngrants = [\"{grant}\"]")).unwrap_err();
        assert!(problems.to_string().contains(part), "{problems}");
    }
}

#[test]
fn a_plugin_has_one_table() {
    let shown = problems("[plugin.a-b]\nmemory = \"8MiB\"\n[plugin.a_b]\ngrants = [\"kv\"]\n");
    assert!(shown.contains("[plugin.a_b] is there twice: \"-\" and \"_\" are one"), "{shown}");
    assert!(shown.contains(":3:9"), "{shown}");
}

#[test]
fn an_order_reaches_the_routes_of_its_destination() {
    let text = r#"
[sources.s]
scheme = "none"
[destinations.d]
url = "http://x"
order = "header:X-Customer"
on_dead = "skip"
max_pending = 7
[destinations.e]
url = "http://x"
[[routes]]
name = "r"
from = ["s", "hookloom"]
to = ["d", "e"]
"#;
    let config = load(text).unwrap();
    let route = &config.routes["r"];
    let ordered = RouteTarget {
        destination: "d".into(),
        order: Order::Header("x-customer".into()),
        on_dead: OnDead::Skip,
        max_pending: Some(7),
    };
    assert_eq!(route.to, [ordered, RouteTarget { destination: "e".into(), ..RouteTarget::default() }]);
    assert!(route.is_ordered());
    let order_of = |text: &str| {
        let problems = load(&format!("[destinations.d]\nurl = \"http://x\"\n{text}"));
        problems.err().map(|problems| problems.to_string())
    };
    for good in ["order = \"none\"", "order = \"source\"", "order = \"json:/a/b\"\non_dead = \"hold\""] {
        assert_eq!(order_of(good), None, "{good}");
    }
    for (bad, said) in [
        ("order = \"json:a\"", "`json:a` is not an order"),
        ("order = \"fifo\"", "write \"none\", \"source\""),
        ("order = \"header:a b\"", "is not an order"),
        ("order = \"source\"\non_dead = \"wait\"", "write \"hold\" or \"skip\""),
        ("max_pending = 0", "every delivery is born dead"),
    ] {
        assert!(order_of(bad).unwrap().contains(said), "{bad}: {:?}", order_of(bad));
    }
}

#[test]
fn times_of_retention_are_read_and_an_odd_choice_is_said() {
    let config = load("[store]\nretention = \"2h\"\ndead_retention = \"1h\"").unwrap();
    let hours = |hours| Duration::from_hours(hours);
    assert_eq!(config.store.retention, Retention { finished: hours(2), dead: hours(1) });
    assert!(config.warnings[0].message.contains("shorter time"), "{:?}", config.warnings);
    assert_eq!(
        load("").unwrap().store.retention,
        Retention { finished: hours(7 * 24), dead: hours(30 * 24) }
    );
}

#[test]
fn what_needs_a_restart_is_named() {
    let (before, after) =
        (load("").unwrap(), load("[server]\nlisten = \"127.0.0.1:1\"\nmax_body = \"2MiB\"").unwrap());
    assert_eq!(before.needs_restart(&after), ["server.listen"]);
    // It is said again until the restart; the rest is in force.
    let in_force = before.without_restart(after.clone());
    assert_eq!((in_force.server.listen, in_force.server.max_body), (before.server.listen, 2 << 20));
    assert_eq!(in_force.needs_restart(&after), ["server.listen"]);
}

#[test]
fn each_limit_of_a_plugin_has_its_key_and_its_bounds() {
    let text = r#"
[plugins]
deadline = "20ms"
memory = "8MiB"
output = "1MiB"
messages = 10
log_lines = 5
log_bytes = "1KiB"
module_size = "2MiB"
compile_time = "5s"
compile_memory = "256MiB"
kv_size = "3MiB"
[plugin.big]
module_size = "64MiB"
compile_time = "2m"
"#;
    let plugins = load(text).unwrap().plugins;
    let common = Limits {
        deadline: Duration::from_millis(20),
        memory: 8 << 20,
        output_bytes: 1 << 20,
        messages: 10,
        log_lines: 5,
        log_bytes: 1 << 10,
        module_bytes: 2 << 20,
        compile_time: Duration::from_secs(5),
        compile_memory: 256 << 20,
        kv_size: 3 << 20,
    };
    assert_eq!(*plugins.limits("other"), common);
    let big = Limits { module_bytes: 64 << 20, compile_time: Duration::from_mins(2), ..common };
    assert_eq!(*plugins.limits("big"), big);

    for (line, rule) in [
        ("deadline = \"0s\"", "a deadline lies between 1ms and 1m"),
        ("memory = \"5GiB\"", "memory lies between 64KiB and 4GiB"),
        ("output = \"1GiB\"", "output lies between 1KiB and 256MiB"),
        ("messages = 1001", "between 1 and 1000 messages"),
        ("log_lines = 100001", "at most 100000 log lines"),
        ("log_bytes = \"65MiB\"", "log has at most 64MiB"),
        ("module_size = \"1GiB\"", "file has between 1KiB and 256MiB"),
        ("compile_time = \"10ms\"", "compiling takes between 1s and 1h"),
        ("compile_memory = \"1MiB\"", "between 128MiB and 64GiB"),
    ] {
        for table in ["[plugins]", "[plugin.p]"] {
            let told = problems(&format!("{table}\n{line}"));
            assert!(told.contains(rule) && told.contains(":2:"), "{line}: {told}");
        }
    }
}
