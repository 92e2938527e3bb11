//! Real etcd servers for tests; test binaries include this file.
#![allow(dead_code, reason = "each binary uses its part")]

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Where `.ci/etcd` puts the program.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/etcd/bin/etcd");

/// The program, or `None` when there is none and none is required.
pub(crate) fn program() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let runs = |path: &PathBuf| {
        let version =
            Command::new(path).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    FOUND
        .get_or_init(|| {
            let named = std::env::var_os("CHAINPLATE_TEST_ETCD").map(PathBuf::from);
            let places = match named {
                Some(named) => vec![named],
                None => vec!["etcd".into(), INSTALLED.into()],
            };
            let found = places.into_iter().find(runs);
            let required = std::env::var_os("CHAINPLATE_REQUIRE_ETCD").is_some();
            assert!(found.is_some() || !required, "CHAINPLATE_REQUIRE_ETCD is set, but there is no etcd");
            if found.is_none() {
                eprintln!("!!! no etcd: tests on etcd are SKIPPED; run .ci/etcd or set CHAINPLATE_TEST_ETCD");
            }
            found
        })
        .as_deref()
}

/// Longer than anything takes; only a hang runs into it.
const LONG: Duration = Duration::from_secs(60);

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One member of a cluster, on loopback, in its own directory. It ends with this value.
pub(crate) struct Server {
    child: Option<Child>,
    arguments: Vec<String>,
    port: u16,
    directory: tempfile::TempDir,
}

impl Server {
    /// A cluster of one. `None`: there is no program.
    pub(crate) fn start(more: &[&str]) -> Option<Self> {
        Self::cluster(1, more)?.pop()
    }

    /// A cluster of `members`.
    pub(crate) fn cluster(members: usize, more: &[&str]) -> Option<Vec<Self>> {
        program()?;
        let peers: Vec<_> = (0..members).map(|_| free_port()).collect();
        let initial: Vec<_> = peers.iter().map(|peer| format!("m{peer}=http://127.0.0.1:{peer}")).collect();
        let members = peers.iter().map(|peer| {
            let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
            let peer_url = format!("http://127.0.0.1:{peer}");
            let scheme =
                if more.iter().any(|flag| flag.starts_with("--cert-file")) { "https" } else { "http" };
            let url = format!("{scheme}://127.0.0.1:{port}");
            let mut arguments = vec![
                format!("--name=m{peer}"),
                format!("--data-dir={}", directory.path().join("data").display()),
                format!("--listen-client-urls={url}"),
                format!("--advertise-client-urls={url}"),
                format!("--listen-peer-urls={peer_url}"),
                format!("--initial-advertise-peer-urls={peer_url}"),
                format!("--initial-cluster={}", initial.join(",")),
                "--heartbeat-interval=50".to_owned(),
                "--election-timeout=500".to_owned(),
            ];
            // What is killed here is a process, not the machine: what was written is there even so.
            arguments.push("--unsafe-no-fsync".to_owned());
            arguments.extend(more.iter().map(|flag| (*flag).to_owned()));
            let mut server = Self { child: None, arguments, port, directory };
            server.resume();
            server
        });
        let members: Vec<_> = members.collect();
        members.iter().for_each(Self::ready);
        Some(members)
    }

    /// Starts it again where it stood.
    pub(crate) fn resume(&mut self) {
        let mut command = Command::new(program().unwrap());
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    /// Waits until it listens, which it does when it has joined its cluster.
    pub(crate) fn ready(&self) {
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < LONG, "etcd does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Removes what it has stored, while it does not run.
    pub(crate) fn forget(&self) {
        std::fs::remove_dir_all(self.directory.path().join("data")).unwrap();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
