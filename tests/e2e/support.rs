//! A server to test: the real binary on a free port, with a data directory of its own.

#[path = "../support/components.rs"]
mod components;

use bytes::Bytes;
use http_body_util::BodyExt;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, Weak, mpsc},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest wait for anything that should happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    child: Mutex<Child>,
    data: PathBuf,
    kubeconfig: PathBuf,
    url: String,
    /// What it wrote to standard error so far.
    log: Arc<Mutex<String>>,
    /// Kept for as long as the server, unless the test brought its own.
    _directory: Option<TempDir>,
}

impl Server {
    /// Starts a server in a directory of its own and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self::start_in(directory.path(), arguments);
        server._directory = Some(directory);
        server
    }

    /// Starts a server on a data directory and waits until it is ready.
    pub(crate) fn start_in(data: &Path, arguments: &[&str]) -> Self {
        let server = Self::launch(data, arguments);
        server.wait_ready();
        server
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn launch(data: &Path, arguments: &[&str]) -> Self {
        let mut child = command(data, arguments).stderr(Stdio::piped()).spawn().unwrap();
        let (listening, told) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn({
            let log = log.clone();
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    if let Some(url) = line.strip_prefix("chainplate serves on ") {
                        // The receiver is gone once it was told.
                        let _ = listening.send(url.to_owned());
                    }
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let url = told.recv_timeout(SOON).unwrap_or_else(|_| {
            // A test must not leave it behind.
            let _ = child.kill();
            panic!("the server does not listen:\n{}", log.lock().unwrap())
        });
        Self {
            child: Mutex::new(child),
            kubeconfig: data.join("certs/admin.kubeconfig"),
            data: data.to_owned(),
            url,
            log,
            _directory: None,
        }
    }

    /// A server that several tests share; it ends with the last of them.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start(&[]));
            *shared = Arc::downgrade(&server);
            server
        })
    }

    fn wait_ready(&self) {
        let deadline = Instant::now() + SOON;
        while !self.kubectl(&["get", "--raw", "/readyz"]).status.success() {
            assert!(Instant::now() < deadline, "not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log says something.
    pub(crate) fn wait_log(&self, text: &str) {
        let deadline = Instant::now() + SOON;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by name, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits for the server to end.
    pub(crate) fn wait(&self) -> ExitStatus {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs kubectl against the server.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> std::process::Output {
        self.kubectl_command(arguments).output().expect("kubectl is needed for these tests; install it")
    }

    /// A kubectl command line against the server.
    pub(crate) fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(self.data.join("kubectl-cache"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// What kubectl says to somebody with a bearer token, on whichever stream.
    pub(crate) fn kubectl_as(&self, token: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("kubectl");
        command.args(["--kubeconfig=/dev/null", "--insecure-skip-tls-verify"]);
        command.args(["--server", self.url(), "--token", token]);
        // Each with a cache of its own: what is discovered depends on who asks.
        let cache: String = token.chars().rev().take(64).filter(char::is_ascii_alphanumeric).collect();
        command.arg("--cache-dir").arg(self.data.join(cache)).args(arguments).stdin(Stdio::null());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// A kube-rs client of the administrator.
    pub(crate) async fn client(&self) -> Client {
        Client::try_from(self.config().await).unwrap()
    }

    pub(crate) async fn config(&self) -> Config {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
    }

    /// Sends one request as the administrator; code, body, and the headers.
    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send_as(method, path, "application/json", body).await
    }

    pub(crate) async fn send_as(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media_type)
            .body(kube::client::Body::from(body.into().to_vec()))
            .unwrap();
        // One request is one request here: kube-rs would try a 504 again and again.
        let mut config = self.config().await;
        config.default_retry = false;
        let response = Client::try_from(config).unwrap().send(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { code: parts.status.as_u16(), headers: parts.headers, body }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The program on 127.0.0.1, on a free port unless the arguments name one.
pub(crate) fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chainplate"));
    command.arg("--bind-address=127.0.0.1").arg("--data-dir").arg(data);
    if !arguments.iter().any(|argument| argument.starts_with("--secure-port=")) {
        command.arg("--secure-port=0");
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs the program where it should refuse to start; what it says.
pub(crate) fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = command(data, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

/// A component of this workspace, built for the tests.
pub(crate) fn component(package: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = Path::new(env!("CARGO_BIN_EXE_chainplate")).parent().unwrap().join("../components");
        components::build(&root, &target, COMPONENTS.map(|(package, _)| package)).unwrap()
    });
    components::file(built, package)
}

/// The components of this workspace that tests load, with their directories.
const COMPONENTS: [(&str, &str); 9] = [
    ("hello", "plugins/examples/hello"),
    ("faulty", "tests/fixtures/faulty"),
    ("faulty-plugin", "tests/fixtures/faulty-plugin"),
    ("converter", "tests/fixtures/converter"),
    ("unique-hosts", "plugins/examples/unique-hosts"),
    ("defaults", "plugins/examples/defaults"),
    ("jwt-issuer", "plugins/examples/jwt-issuer"),
    ("releases", "plugins/examples/releases"),
    ("websites", "plugins/examples/websites"),
];

/// A component of this workspace with its manifest in it, as `chainplate plugin build` makes it.
pub(crate) fn plugin(directory: &Path, package: &str) -> PathBuf {
    let (_, source) = COMPONENTS.iter().find(|(name, _)| *name == package).unwrap();
    let yaml = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(source).join("plugin.yaml");
    let path = directory.join(format!("{package}.wasm"));
    components::with_manifest(&component(package), package, &yaml, &path).unwrap();
    path
}

/// A chain configuration with one more component in front of core.
pub(crate) fn chain_with(directory: &Path, name: &str, wasm: &Path, rest: &str) -> String {
    let own = include_str!("../../host/chainplate/src/chain.yaml");
    let entry = format!("- name: {name}\n  source: {{path: {}}}\n{rest}\n- name: core\n", wasm.display());
    let path = directory.join(format!("{name}.yaml"));
    std::fs::write(&path, own.replacen("- name: core\n", &entry, 1)).unwrap();
    format!("--chain-config={}", path.display())
}
