//! A gateway under test: in this process, or as the built binary, so that it can be
//! killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hookloom::app::{App, Surroundings};
use hookloom::config::Config;
use hookloom::lifecycle::Shutdown;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::wait::{DEADLINE, eventually};

/// A folder with a configuration and plugins, and what runs on it.
pub struct Gateway {
    dir: tempfile::TempDir,
    running: Option<Running>,
    client: reqwest::Client,
    listens: watch::Sender<Option<SocketAddr>>,
    /// Whether processes' logs go to a file.
    keeps_log: bool,
    /// What it is given in this process.
    surroundings: Surroundings,
}

/// The front door for senders in tasks of their own: it is where the gateway is, also
/// after a restart. Cloning shares.
#[derive(Clone)]
pub struct Door {
    client: reqwest::Client,
    listens: watch::Receiver<Option<SocketAddr>>,
}

struct Running {
    listen: SocketAddr,
    admin: SocketAddr,
    how: How,
}

enum How {
    Task { shutdown: Shutdown, task: JoinHandle<anyhow::Result<()>> },
    Process(Child),
}

/// What the front door answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The id that an accepted event was given.
    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.body)).to_owned()
    }
}

impl Gateway {
    /// A folder without a running gateway. Ports, the log and the plugins folder are
    /// set; `config` is the rest of the file.
    pub fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("plugins")).expect("a plugins folder");
        let listens = watch::Sender::default();
        let gateway = Self {
            dir,
            running: None,
            client: client(),
            listens,
            keeps_log: false,
            surroundings: Surroundings::system(),
        };
        gateway.write_config(config);
        gateway
    }

    /// The same, running in this process.
    pub async fn start(config: &str) -> Self {
        let mut gateway = Self::new(config);
        gateway.run_here().await;
        gateway
    }

    /// The same with other time, chance or keys than the machine's.
    pub async fn start_in(surroundings: Surroundings, config: &str) -> Self {
        let mut gateway = Self::new(config);
        gateway.surroundings = surroundings;
        gateway.run_here().await;
        gateway
    }

    /// Writes the configuration file, as an editor does: beside it, then in its place.
    pub fn write_config(&self, config: &str) {
        let server = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
        let egress = if config.contains("[egress]") { "" } else { "[egress]\nallow = [\"127.0.0.0/8\"]\n" };
        let text = format!("{server}\n{config}\n{egress}");
        std::fs::write(self.path(".new"), text).expect("the configuration is written");
        std::fs::rename(self.path(".new"), self.config_file()).expect("the configuration is in place");
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.path("hookloom.toml")
    }

    /// A path below the gateway's folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a component into the plugins folder, as a build does.
    pub fn put_plugin(&self, name: &str, component: &[u8]) {
        let temporary = self.path(format!("plugins/.{name}.tmp"));
        std::fs::write(&temporary, component).expect("the plugin is written");
        std::fs::rename(temporary, self.path(format!("plugins/{name}.wasm")))
            .expect("the plugin is in place");
    }

    /// Takes a component away.
    pub fn remove_plugin(&self, name: &str) {
        std::fs::remove_file(self.path(format!("plugins/{name}.wasm"))).expect("the plugin was there");
    }

    /// Starts it in this process.
    pub async fn run_here(&mut self) {
        self.run_here_in(self.surroundings.clone()).await;
    }

    /// Starts it in this process, with a clock and whatever else is not the machine's.
    pub async fn run_here_in(&mut self, surroundings: Surroundings) {
        let config = Config::load(&self.config_file()).unwrap_or_else(|problems| panic!("{problems}"));
        let app = App::start(config, surroundings).await.expect("the gateway starts");
        let (listen, admin, shutdown) = (app.listen, app.admin_listen, app.shutdown.clone());
        let task = tokio::spawn(app.run());
        self.is_running(Running { listen, admin, how: How::Task { shutdown, task } });
    }

    /// The logs of processes go to the end of `gateway.log` in its folder, and no longer
    /// to the test's output.
    pub fn keep_log(&mut self) {
        self.keeps_log = true;
    }

    /// Starts the binary, and returns once it listens.
    pub fn run_process(&mut self, binary: &str) {
        let mut child = Command::new(binary)
            .args(["serve", "-c"])
            .arg(self.config_file())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("its log is read");
        let (found, addresses) = mpsc::channel();
        let mut kept = self.keeps_log.then(|| {
            let file = File::options().append(true).create(true).open(self.path("gateway.log"));
            file.expect("its log can be kept")
        });
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = found.send(address);
                }
                match &mut kept {
                    Some(file) => writeln!(file, "{line}").expect("its log is kept"),
                    None => tell(&line),
                }
            }
        });
        let next = || addresses.recv_timeout(DEADLINE).expect("the gateway says where it listens");
        let (listen, admin) = (next(), next());
        self.is_running(Running { listen, admin, how: How::Process(child) });
    }

    /// Starts the binary and returns how long it took from there to the first 200 of
    /// `/readyz`.
    pub async fn run_until_ready(&mut self, binary: &str) -> Duration {
        let begin = Instant::now();
        self.run_process(binary);
        eventually("the gateway is ready", async || {
            let answer = self.get("/readyz").await;
            if answer.status == 200 { Ok(()) } else { Err(answer.body) }
        })
        .await;
        begin.elapsed()
    }

    fn is_running(&mut self, running: Running) {
        self.listens.send_replace(Some(running.listen));
        self.running = Some(running);
    }

    fn no_longer_runs(&mut self) -> Option<How> {
        self.listens.send_replace(None);
        self.running.take().map(|running| running.how)
    }

    fn child(&mut self) -> &mut Child {
        match self.running.as_mut().map(|running| &mut running.how) {
            Some(How::Process(child)) => child,
            _ => panic!("only a process is signalled and waited for"),
        }
    }

    /// The process's id.
    pub fn pid(&mut self) -> u32 {
        self.child().id()
    }

    /// Kills the process where it stands (SIGKILL).
    pub fn kill(&mut self) {
        self.child().kill().expect("it is killed");
        self.child().wait().expect("it is gone");
        self.no_longer_runs();
    }

    /// Sends SIGTERM to the process.
    pub fn ask_to_stop(&mut self) {
        signal(self.child(), rustix::process::Signal::TERM);
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child().try_wait().expect("it can be asked").is_some()
    }

    /// How the process ends, once it does.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = self.child();
        let status = eventually("the gateway has ended", async || {
            child.try_wait().expect("it can be asked").ok_or_else(|| "it runs".to_owned())
        })
        .await;
        self.no_longer_runs();
        status
    }

    /// Sends SIGTERM to the process and returns how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        let status = self.child().wait().expect("it ends");
        self.no_longer_runs();
        status
    }

    /// Sends SIGHUP to the process.
    pub fn hang_up(&mut self) {
        signal(self.child(), rustix::process::Signal::HUP);
    }

    /// Stops the gateway of this process and waits for its end.
    pub async fn stop(&mut self) {
        match self.no_longer_runs() {
            Some(How::Task { shutdown, task }) => {
                shutdown.soft.cancel();
                task.await.expect("it does not panic").expect("it stops cleanly");
            }
            _ => panic!("no gateway runs in this process"),
        }
    }

    /// For senders in tasks of their own.
    pub fn door(&self) -> Door {
        Door { client: self.client.clone(), listens: self.listens.subscribe() }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a gateway is running")
    }

    /// Where a source is.
    pub fn source_url(&self, source: &str) -> String {
        format!("http://{}/in/{source}", self.running().listen)
    }

    /// Where the front door listens.
    pub fn listen(&self) -> SocketAddr {
        self.running().listen
    }

    /// Where the admin side listens.
    pub fn admin(&self) -> SocketAddr {
        self.running().admin
    }

    /// Posts to a source; `None`: the connection failed.
    pub async fn try_post(
        &self,
        source: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Option<Answer> {
        self.door().try_post(source, headers, body).await
    }

    /// Posts to a source.
    pub async fn post(&self, source: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        self.try_post(source, headers, body).await.expect("the gateway answers")
    }

    /// Asks the admin side.
    pub async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.running().admin);
        answer(self.client.get(url)).await.expect("the admin side answers")
    }

    /// Commands the admin side; `Null` sends no body.
    pub async fn command(&self, path: &str, body: &Value) -> Answer {
        let url = format!("http://{}{path}", self.running().admin);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        answer(self.client.post(url).body(body)).await.expect("the admin side answers")
    }

    /// An event as the API shows it, once it is `status`.
    pub async fn event_when(&self, id: &str, status: &str) -> Value {
        let path = format!("/api/v1/events/{id}");
        eventually(&format!("{id} is {status}"), async || {
            let event = self.get(&path).await.json();
            if event["status"] == status { Ok(event) } else { Err(event.to_string()) }
        })
        .await
    }

    /// A plugin's status as the API shows it, once `reached` holds.
    pub async fn plugin_when(&self, name: &str, reached: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("the plugin {name} gets there"), async || {
            let plugins = self.get("/api/v1/plugins").await.json();
            let found =
                plugins["items"].as_array().and_then(|all| all.iter().find(|p| p["name"] == name)).cloned();
            match found {
                Some(plugin) if reached(&plugin) => Ok(plugin),
                _ => Err(plugins.to_string()),
            }
        })
        .await
    }

    /// A counter's value, 0 where it is not there; `name` with its labels as rendered.
    pub async fn count(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a whole number"))
    }

    /// A metric's value, 0 where it is not there; `name` with its labels as rendered.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }
}

impl Door {
    /// Posts to a source of the gateway that runs, or of the next one that does;
    /// `None`: no answer came.
    pub async fn try_post(
        &self,
        source: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Option<Answer> {
        let listens = *self.listens.clone().wait_for(Option::is_some).await.ok()?;
        let url = format!("http://{}/in/{source}", listens?);
        let mut request = self.client.post(url).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(Running { how: How::Process(mut child), .. }) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).expect("the signal is sent");
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (protocol, rest) = line.split_once(" at ")?.1.split_once("://")?;
    if !matches!(protocol, "http" | "https") {
        return None;
    }
    rest.split('/').next()?.parse().ok()
}

/// Shows the log of a process where a failing test shows its output.
#[expect(clippy::print_stdout, reason = "captured with the test's own output")]
fn tell(line: &str) {
    println!("gateway: {line}");
}

fn client() -> reqwest::Client {
    // The provider may be there already, from another test of this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_mins(1))
        .build()
        .expect("an HTTP client")
}

async fn answer(request: reqwest::RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.ok()?;
    Some(Answer { status, headers, body })
}
