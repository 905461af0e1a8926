//! The other side in other people's code: the SDKs of Standard Webhooks verify what the
//! gateway sends, and providers' own SDKs sign what it accepts.
//!
//! The packages are installed into `target/peers` at the first run. Where that cannot
//! be done, the tests say so on stderr and check nothing.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Receiver, Request};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};
use serde_json::{Map, Value, json};

const NPM: [&str; 3] = ["standardwebhooks@1.1.1", "stripe@23.1.0", "@octokit/webhooks-methods@6.0.0"];
const PYPI: [&str; 1] = ["standardwebhooks==1.1.0"];

/// A language's packages, or why they are not there.
type Peer = LazyLock<Result<PathBuf, String>>;

static NODE: Peer = LazyLock::new(|| {
    install("npm", &NPM, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
            .arg(folder)
            .args(NPM);
        npm
    })
});

static PYTHON: Peer = LazyLock::new(|| {
    install("pypi", &PYPI, |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]).arg(folder).args(PYPI);
        pip
    })
});

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Installs once for all runs: the marker in the folder says which versions are there.
fn install(name: &str, packages: &[&str], command: impl Fn(&Path) -> Command) -> Result<PathBuf, String> {
    let peers = repository().join("target/peers");
    let folder = peers.join(name);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let lock = File::create(peers.join(format!(".{name}.lock"))).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let (marker, wanted) = (folder.join(".installed"), packages.join("\n"));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let output =
        command(&folder).stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        // The first line names the error; what follows is the package manager's own stack.
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}", complaint.trim().lines().next().unwrap_or("failed")));
    }
    fs::write(marker, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// The folder of the packages; `None`, and a line that no captured output hides, where
/// they cannot be had.
fn packages(peer: &Peer, test: &str) -> Option<PathBuf> {
    match &**peer {
        Ok(folder) => Some(folder.clone()),
        Err(why) => {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: interop::{test}: the peer's packages cannot be installed: {why}"
            );
            None
        }
    }
}

/// Runs a script of `tests/peers` with `input`; its output if it succeeds, its
/// complaint if not.
fn run(mut command: Command, input: &Value) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an interpreter whose package manager ran");
    write!(child.stdin.take().unwrap(), "{input}").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// ECMAScript modules look for packages beside themselves only, so the script is run
/// from a copy that lies there.
fn node(folder: &Path, script: &str) -> Command {
    let copy = folder.join(script);
    let text = fs::read(repository().join("tests/peers").join(script)).unwrap();
    if fs::read(&copy).ok().as_ref() != Some(&text) {
        // Renamed into place: the other tests may be reading it.
        let new = tempfile::NamedTempFile::new_in(folder).unwrap();
        fs::write(new.path(), &text).unwrap();
        new.persist(&copy).unwrap();
    }
    let mut command = Command::new("node");
    command.arg(copy);
    command
}

fn python(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", folder).arg(repository().join("tests/peers").join(script));
    command
}

/// What the verifying scripts read.
fn delivery(request: &Request, secret: &str) -> Value {
    let headers: Map<_, _> =
        request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({ "secret": secret, "headers": headers, "body_base64": BASE64_STANDARD.encode(&request.body) })
}

fn config(receiver: &Receiver, secrets: &str) -> String {
    format!(
        "[sources.open]\nscheme = \"none\"\n[sources.github]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n\
         [sources.stripe]\nscheme = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [destinations.crm]\nurl = \"{}\"\nsecrets = [{secrets}]\n\
         [[routes]]\nname = \"all\"\nfrom = [\"open\", \"github\", \"stripe\"]\nto = [\"crm\"]\n",
        receiver.url()
    )
}

/// Bodies that a peer must take: JSON, text beyond ASCII, nothing.
const TEXTS: [&[u8]; 3] = [br#"{"type":"order.paid","n":1.0}"#, "grüße, \u{1f9f5}\r\n".as_bytes(), b""];
/// What is no text in any encoding.
const BINARY: &[u8] = &[0x89, b'P', b'N', b'G', b'\r', b'\n', 0, 0xff, 0xfe, 0xc0];

/// Deliveries of those bodies, as they arrived.
async fn deliveries(secrets: &str, bodies: &[&[u8]]) -> Vec<Request> {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver, secrets)).await;
    for (n, body) in bodies.iter().enumerate() {
        assert_eq!(gateway.post("open", &[], *body).await.status, 200);
        assert_eq!(receiver.requests(n + 1).await[n].body, *body);
    }
    gateway.stop().await;
    receiver.seen().requests
}

/// Every delivery verifies; the same with one thing changed does not.
fn assert_verified(requests: &[Request], verify: impl Fn(&Value) -> Result<String, String>) {
    for request in requests {
        let good = delivery(request, DESTINATION_SECRET);
        verify(&good)
            .unwrap_or_else(|complaint| panic!("{:?}: {complaint}", String::from_utf8_lossy(&request.body)));
    }
    let good = delivery(&requests[0], DESTINATION_SECRET);
    let with = |path: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        bad
    };
    let timestamp: i64 = requests[0].header("webhook-timestamp").unwrap().parse().unwrap();
    for bad in [
        with("/body_base64", json!(BASE64_STANDARD.encode(br#"{"type":"order.paid","n":1}"#))),
        with("/headers/webhook-id", json!("msg_another")),
        with("/headers/webhook-timestamp", json!((timestamp + 1).to_string())),
        with("/secret", json!("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
    ] {
        let complaint = verify(&bad).expect_err("it was accepted");
        assert!(complaint.contains("WebhookVerificationError"), "refused for another reason: {complaint}");
    }
}

#[tokio::test]
async fn the_python_sdk_verifies_deliveries() {
    let Some(folder) = packages(&PYTHON, "the_python_sdk_verifies_deliveries") else { return };
    let requests = deliveries(&format!("\"{DESTINATION_SECRET}\""), &TEXTS).await;
    assert_verified(&requests, |case| run(python(&folder, "verify.py"), case));
}

#[tokio::test]
async fn a_body_that_is_no_text_verifies_by_the_specification() {
    // Python's own library is enough, but a machine without it has no packages either.
    let Some(folder) = packages(&PYTHON, "a_body_that_is_no_text_verifies_by_the_specification") else {
        return;
    };
    let requests = deliveries(&format!("\"{DESTINATION_SECRET}\""), &[BINARY]).await;
    assert_verified(&requests, |case| run(python(&folder, "verify_bytes.py"), case));
}

#[tokio::test]
async fn the_node_sdk_verifies_deliveries() {
    let Some(folder) = packages(&NODE, "the_node_sdk_verifies_deliveries") else { return };
    // The peer knows the second of two keys: a rotation.
    let requests =
        deliveries(&format!("\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oE\", \"{DESTINATION_SECRET}\""), &TEXTS)
            .await;
    assert_eq!(requests[0].header("webhook-signature").unwrap().split(' ').count(), 2);
    assert_verified(&requests, |case| run(node(&folder, "verify.mjs"), case));
}

/// Posts with what an SDK made of `body`, and with one byte of it changed.
async fn assert_accepted(provider: &str, body: &str, event_type: &str, folder: &Path) {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver, "")).await;
    let input = json!({ "provider": provider, "secret": SECRET, "body": body });
    let signed = run(node(folder, "sign.mjs"), &input).unwrap_or_else(|complaint| panic!("{complaint}"));
    let signed: Map<String, Value> = serde_json::from_str(&signed).unwrap();
    let headers: Vec<_> =
        signed.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();

    let tampered = gateway.post(provider, &headers, body.replace('1', "2")).await;
    assert_eq!(tampered.status, 401, "{}", tampered.body);
    let accepted = gateway.post(provider, &headers, body).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    assert_eq!(gateway.event_when(&accepted.id(), "delivered").await["type"], event_type);
    let repeat = gateway.post(provider, &headers, body).await;
    assert_eq!(repeat.json()["status"], "duplicate");
    gateway.stop().await;
    assert_eq!(receiver.seen().requests.len(), 1);
    assert_eq!(receiver.seen().requests[0].body, body.as_bytes());
}

#[tokio::test]
async fn what_githubs_sdk_signs_is_accepted() {
    let Some(folder) = packages(&NODE, "what_githubs_sdk_signs_is_accepted") else { return };
    let body = "{\"action\": \"opened\", \"title\": \"grüße \u{1f9f5}\", \"n\": 1}";
    assert_accepted("github", body, "issues.opened", &folder).await;
}

#[tokio::test]
async fn what_stripes_sdk_signs_is_accepted() {
    let Some(folder) = packages(&NODE, "what_stripes_sdk_signs_is_accepted") else { return };
    let body =
        "{\n  \"id\": \"evt_1\",\n  \"type\": \"charge.succeeded\",\n  \"note\": \"grüße \u{1f9f5}\"\n}";
    assert_accepted("stripe", body, "charge.succeeded", &folder).await;
}
