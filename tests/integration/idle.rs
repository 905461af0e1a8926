//! A gateway that has nothing to do does nothing.

use std::time::Duration;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{DESTINATION_SECRET, Load, SECRET};

/// How long the process is looked at.
const SPAN: Duration = Duration::from_secs(3);
/// What it may use of that, in hundredths of a second of processor time: a few per cent
/// are its polls in a debug build, a busy loop is a hundred.
const ALLOWED: u64 = 60;

/// User and system time of a process so far, in hundredths of a second (`USER_HZ` is
/// 100 wherever Linux runs).
fn processor_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may have spaces; it ends with the last parenthesis.
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn waiting_costs_next_to_nothing() {
    let receiver = Receiver::start_with([], Answer::Status(500)).await;
    let left_alone = Receiver::start_with([], Answer::Status(503)).await;
    let config = format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[plugins]
deadline = "5s"

[destinations.down]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ schedule = ["1h"] }}
breaker = {{ failures = 0 }}

[destinations.left-alone]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ schedule = ["1h"] }}
breaker = {{ failures = 2 }}

[[routes]]
name = "down"
from = ["github"]
to = ["down"]

[[routes]]
name = "left-alone"
from = ["github"]
to = ["left-alone"]

[[routes]]
name = "held"
from = ["github"]
steps = ["not-there"]
to = ["down"]

[[routes]]
name = "later"
from = ["github"]
steps = [{{ plugin = "guest", config = {{ do = "panic" }}, on_error = {{ retry = ["1h"] }} }}]
to = ["down"]
"#,
        receiver.url(),
        left_alone.url()
    );
    let mut gateway = Gateway::new(&config);
    gateway.put_plugin("guest", guests::guest());
    // A problem that stays is no reason to try for ever.
    gateway.put_plugin("broken", b"not a plugin");
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    let load = Load::start(&gateway.door(), "github", 4);
    load.accepted(100).await;
    let accepted = load.stop().await;
    receiver.requests(accepted.len()).await;
    left_alone.requests(2).await;
    for sent in &accepted {
        let event = gateway.event_when(&sent.id, "pending").await;
        assert_eq!(event["runs"].as_array().unwrap().len(), 4);
    }

    let before = processor_time(gateway.pid());
    tokio::time::sleep(SPAN).await;
    let used = processor_time(gateway.pid()) - before;
    assert!(used < ALLOWED, "{used} hundredths of a second within {SPAN:?}");
    gateway.terminate();
}
