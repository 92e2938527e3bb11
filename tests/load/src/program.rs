//! A server that this program starts, with everything it keeps in a temporary directory.

use anyhow::{Context, Result, bail};
use std::{
    collections::VecDeque,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::oneshot,
    time::timeout,
};

/// The token that started servers know, of a user in the group of administrators.
pub(crate) const TOKEN: &str = "load-generator";
/// What a server's line on standard error begins with once it listens.
const SERVES: &str = "chainplate serves on ";
/// Lines of standard error that are kept to say why it ended.
const LAST_LINES: usize = 20;

/// How to start a server.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// The program.
    pub(crate) program: PathBuf,
    /// Arguments behind those that every started server gets.
    pub(crate) arguments: Vec<OsString>,
    /// Longest wait for it to listen and to end.
    pub(crate) limit: Duration,
}

/// A running server. It and its directory end with this value, however that ends.
#[derive(Debug)]
pub(crate) struct Program {
    // In this order: the process ends before its directory does.
    process: Process,
    recipe: Recipe,
    directory: TempDir,
}

#[derive(Debug)]
struct Process {
    child: Child,
    url: String,
    started: Instant,
}

impl Program {
    /// Starts a server in a new directory and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started or ends early: then with what it wrote last.
    pub(crate) async fn start(recipe: Recipe) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("chainplate-load-").tempdir()?;
        std::fs::write(
            directory.path().join("tokens.csv"),
            format!("{TOKEN},load,load,\"system:masters\"\n"),
        )?;
        let process = Process::start(&recipe, directory.path()).await?;
        Ok(Self { process, recipe, directory })
    }

    /// Where it serves.
    pub(crate) fn url(&self) -> &str {
        &self.process.url
    }

    /// When it was started, for the last time.
    pub(crate) fn started(&self) -> Instant {
        self.process.started
    }

    /// The id of its process.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.process.child.id().context("the server has ended")
    }

    /// Bytes that its files take up.
    pub(crate) fn disk(&self) -> u64 {
        disk(&self.directory.path().join("data"))
    }

    /// Stops it as an operator would and starts it again on the same data; how long the way down took.
    ///
    /// # Errors
    /// It does not end in time, or does not start again.
    pub(crate) async fn restart(&mut self) -> Result<Duration> {
        let pid = self.pid()?;
        let asked = Instant::now();
        let sent = Command::new("kill").arg("-TERM").arg(pid.to_string()).status().await?;
        if !sent.success() {
            bail!("process {pid} cannot be signalled");
        }
        let ended = timeout(self.recipe.limit, self.process.child.wait()).await;
        ended.context("the server does not end after SIGTERM")??;
        let way_down = asked.elapsed();
        self.process = Process::start(&self.recipe, self.directory.path()).await?;
        Ok(way_down)
    }
}

impl Process {
    async fn start(recipe: &Recipe, directory: &Path) -> Result<Self> {
        let program = recipe.program.display();
        let started = Instant::now();
        let mut child = Command::new(&recipe.program)
            .args(["--bind-address=127.0.0.1", "--secure-port=0", "--data-dir"])
            .arg(directory.join("data"))
            .arg("--token-auth-file")
            .arg(directory.join("tokens.csv"))
            .args(&recipe.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let (listening, told) = oneshot::channel();
        // Read to its end, lest the server block on a full pipe.
        tokio::spawn({
            let last = last.clone();
            async move {
                let mut listening = Some(listening);
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    match line.strip_prefix(SERVES) {
                        Some(url) => {
                            if let Some(listening) = listening.take() {
                                // Nobody waits any more when the time limit passed.
                                let _ = listening.send(url.trim().to_owned());
                            }
                        }
                        None => {
                            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                            if last.len() == LAST_LINES {
                                last.pop_front();
                            }
                            last.push_back(line);
                        }
                    }
                }
            }
        });
        let url = match timeout(recipe.limit, told).await {
            Ok(Ok(url)) => url,
            outcome => {
                let what =
                    if outcome.is_err() { "does not listen in time" } else { "ended instead of listening" };
                let last = last.lock().unwrap_or_else(PoisonError::into_inner);
                let last = last.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
                bail!("{program} {what}; it wrote:\n{last}");
            }
        };
        Ok(Self { child, url, started })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Wait for the end, lest it write into the directory while that is removed. An error means that it has ended.
        let deadline = Instant::now() + Duration::from_secs(5);
        let _ = self.child.start_kill();
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Bytes of all files below `path`; what cannot be read counts nothing.
fn disk(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
