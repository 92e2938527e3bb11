//! What scenarios share: the server, the objects, and requests of many clients at once.

use crate::{
    client::{Call, Connection, Target},
    options::Options,
    process::{Memory, Processes, own_cpu},
    program::{Program, Recipe, TOKEN},
    report::Row,
    stats::Latencies,
};
use anyhow::{Context, Result, bail};
use http::StatusCode;
use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Clients that make many objects.
const FILLERS: usize = 64;
/// Memory is read once the server used less than a tenth of a processor for that long, or after `RESTLESS`.
const QUIET: Duration = Duration::from_millis(500);
const RESTLESS: Duration = Duration::from_secs(15);
/// How often /readyz is asked.
const POLL: Duration = Duration::from_millis(1);

/// A server under load.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) options: Arc<Options>,
    pub(crate) target: Arc<Target>,
    pub(crate) processes: Processes,
    /// The server, when it was started here.
    pub(crate) program: Option<Program>,
    /// From the start of the server to its readiness, when it was started here.
    pub(crate) first_ready: Option<Duration>,
    /// Namespaces that were made, to be deleted.
    namespaces: Vec<String>,
    /// Distinguishes the names of this run from those of others on the same server.
    pub(crate) run: String,
}

/// When many clients stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so many operations of all together.
    Operations(usize),
    /// After that time.
    Passed(Duration),
}

/// What many clients did.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Of each operation.
    pub(crate) latencies: Latencies,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Cpu,
}

/// Processor time that an interval took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// The server's, when its process is known.
    server: Option<Duration>,
    generator: Duration,
}

/// Who works together with others.
pub(crate) trait Client: Send + 'static {
    /// Does the operation with a number: how long that took.
    fn operate(&mut self, turn: usize) -> impl Future<Output = Result<Duration>> + Send;
}

/// A client that makes one request for each operation.
#[derive(Debug)]
pub(crate) struct Caller<F> {
    pub(crate) connection: Connection,
    /// Makes the request.
    pub(crate) call: Arc<F>,
}

impl<F: Fn(usize) -> Call + Send + Sync + 'static> Client for Caller<F> {
    async fn operate(&mut self, turn: usize) -> Result<Duration> {
        let call = (self.call)(turn);
        let sent = Instant::now();
        self.connection.send(call).await?;
        Ok(sent.elapsed())
    }
}

impl Bench {
    /// Starts or finds the server, and waits until it is ready.
    ///
    /// # Errors
    /// It does not start or cannot be reached.
    pub(crate) async fn new(options: Arc<Options>) -> Result<Self> {
        let limit = Duration::from_secs(options.request_limit);
        let run = format!("{:x}", std::process::id()) + &format!("{:x}", millis_of_today());
        let program = match &options.program {
            Some(program) => {
                let arguments = with_prefix(&options.arguments, &run);
                Some(Program::start(Recipe { program: program.clone(), arguments, limit }).await?)
            }
            None => None,
        };
        let (url, token) = match &program {
            Some(program) => (program.url(), TOKEN),
            None => {
                (options.server.as_deref().unwrap_or_default(), options.token.as_deref().unwrap_or_default())
            }
        };
        let target = Target::new(url, token, options.ca_file.as_deref(), limit).await?;
        let mut bench = Self {
            options,
            target: Arc::new(target),
            processes: Processes::default(),
            program,
            first_ready: None,
            namespaces: Vec::new(),
            run,
        };
        bench.find_processes()?;
        bench.ready().await?;
        bench.first_ready = bench.program.as_ref().map(|program| program.started().elapsed());
        Ok(bench)
    }

    /// Starts another server beside this one, with further arguments.
    ///
    /// # Errors
    /// This one was not started here, or the other does not start.
    pub(crate) async fn beside(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut options = Options::clone(&self.options);
        options.program.as_ref().context("servers can only be started with --program")?;
        options.arguments.extend(arguments);
        Self::new(Arc::new(options)).await
    }

    fn find_processes(&mut self) -> Result<()> {
        self.processes = Processes(self.options.pid.clone());
        if let Some(program) = &self.program {
            self.processes.0.push(program.pid()?);
        }
        Ok(())
    }

    /// Waits until the server says that it is ready.
    ///
    /// # Errors
    /// It does not within the limit of a request.
    pub(crate) async fn ready(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(self.options.request_limit);
        let mut connection = self.connect().await?;
        loop {
            let status = connection.status(Call::get("/readyz")).await?;
            if status.is_success() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("/readyz still answers {status}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops and starts the server that was started here, and waits until it is ready: how long the way down took,
    /// and the way up.
    ///
    /// # Errors
    /// The server was not started here, or does not end or start.
    pub(crate) async fn restart(&mut self) -> Result<(Duration, Duration)> {
        let program = self.program.as_mut().context("only a server started here can be restarted")?;
        let down = program.restart().await?;
        let started = program.started();
        let limit = Duration::from_secs(self.options.request_limit);
        self.target = Arc::new(Target::new(program.url(), TOKEN, None, limit).await?);
        self.find_processes()?;
        self.ready().await?;
        Ok((down, started.elapsed()))
    }

    /// Opens a connection for requests.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        self.target.connect(self.options.http).await
    }

    /// Makes a namespace for a scenario's objects: the path of its ConfigMaps.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) async fn namespace(&mut self, name: &str) -> Result<String> {
        let name = format!("load-{name}-{}", self.run);
        let body = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#);
        self.connect().await?.send(Call::post("/api/v1/namespaces", body)).await?;
        let path = format!("/api/v1/namespaces/{name}/configmaps");
        self.namespaces.push(name);
        Ok(path)
    }

    /// Deletes what the scenario made, unless it ends with its server anyhow.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) async fn tidy(&mut self) -> Result<()> {
        if self.program.is_some() {
            return Ok(());
        }
        let mut connection = self.connect().await?;
        for name in self.namespaces.drain(..) {
            let path = format!("/api/v1/namespaces/{name}");
            connection.send(Call::delete(format!("{path}/configmaps"))).await?;
            connection.send(Call::delete(path)).await?;
        }
        Ok(())
    }

    /// Makes `count` ConfigMaps at `path`, numbered from `first`.
    ///
    /// # Errors
    /// The server refuses one.
    pub(crate) async fn fill(&self, path: &str, first: usize, count: usize) -> Result<Measured> {
        let (path, size) = (path.to_owned(), self.options.size);
        let create = move |turn: usize| Call::post(path.clone(), config_map(first + turn, size));
        self.run(FILLERS, Until::Operations(count), create).await
    }

    /// Lets `clients` clients make requests, each on a connection of its own. `call` makes the request with a number, which
    /// counts from 0 across all clients.
    ///
    /// # Errors
    /// A request fails: the first such ends the run.
    pub(crate) async fn run(
        &self,
        clients: usize,
        until: Until,
        call: impl Fn(usize) -> Call + Send + Sync + 'static,
    ) -> Result<Measured> {
        let call = Arc::new(call);
        let mut callers = Vec::with_capacity(clients);
        for _ in 0..clients {
            callers.push(Caller { connection: self.connect().await?, call: call.clone() });
        }
        self.together(callers, until).await
    }

    /// Lets clients operate at the same time, each the next operation once its last is done.
    ///
    /// # Errors
    /// An operation fails: the first such ends the run.
    pub(crate) async fn together<C: Client>(&self, clients: Vec<C>, until: Until) -> Result<Measured> {
        let next = Arc::new(AtomicU64::new(0));
        let meter = self.meter()?;
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for mut client in clients {
            let next = next.clone();
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed) as usize;
                    match until {
                        Until::Operations(count) if turn >= count => return Ok(latencies),
                        Until::Passed(time) if started.elapsed() >= time => return Ok(latencies),
                        _ => {}
                    }
                    latencies.push(client.operate(turn).await?);
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(outcome) = tasks.join_next().await {
            let of_client: Result<Vec<Duration>> = outcome?;
            latencies.append(&mut of_client?);
        }
        let elapsed = started.elapsed();
        Ok(Measured { latencies: Latencies::new(latencies), elapsed, cpu: self.cpu_since(meter)? })
    }

    /// Begins to measure processor time.
    ///
    /// # Errors
    /// The server's process is gone.
    pub(crate) fn meter(&self) -> Result<Cpu> {
        Ok(Cpu { server: self.processes.cpu()?, generator: own_cpu()? })
    }

    /// Processor time since `meter`.
    ///
    /// # Errors
    /// The server's process is gone.
    pub(crate) fn cpu_since(&self, meter: Cpu) -> Result<Cpu> {
        let now = self.meter()?;
        Ok(Cpu {
            server: now.server.zip(meter.server).map(|(now, then)| now.saturating_sub(then)),
            generator: now.generator.saturating_sub(meter.generator),
        })
    }

    /// The server's memory once it has nothing left to do.
    ///
    /// # Errors
    /// The server's process is gone.
    pub(crate) async fn settled(&self) -> Result<Option<Memory>> {
        let deadline = Instant::now() + RESTLESS;
        while let Some(before) = self.processes.cpu()? {
            tokio::time::sleep(QUIET).await;
            let used = self.processes.cpu()?.unwrap_or_default().saturating_sub(before);
            if used < QUIET / 10 || Instant::now() > deadline {
                break;
            }
        }
        self.processes.memory()
    }
}

impl Measured {
    /// This and what was done in another run.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            latencies: self.latencies.and(other.latencies),
            elapsed: self.elapsed + other.elapsed,
            cpu: Cpu {
                server: self.cpu.server.into_iter().chain(other.cpu.server).reduce(|one, other| one + other),
                generator: self.cpu.generator + other.cpu.generator,
            },
        }
    }

    /// The result: rate, latencies, and processor time for each operation.
    pub(crate) fn row(&self, row: Row) -> Row {
        let count = self.latencies.len();
        let row =
            row.with("rate", count as f64 / self.elapsed.as_secs_f64(), "/s").latencies(&self.latencies);
        self.cpu.row(row, count)
    }
}

impl Cpu {
    /// Adds processor time for each of `count` operations to a result.
    pub(crate) fn row(&self, row: Row, count: usize) -> Row {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1) as f64;
        let row = match self.server {
            Some(time) => row.with("server CPU", each(time), "µs each"),
            None => row,
        };
        row.with("generator CPU", each(self.generator), "µs each")
    }
}

/// A ConfigMap of `size` bytes, or as few as it can have. The label `tenth` has ten values, in turn.
pub(crate) fn config_map(number: usize, size: usize) -> Vec<u8> {
    let tenth = number % 10;
    let mut json = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}","labels":{{"tenth":"{tenth}"}}}},"data":{{"payload":""#,
        name(number)
    )
    .into_bytes();
    const END: &[u8] = br#""}}"#;
    // Letters that differ from object to object, so that nothing is gained by storing equal ones once.
    let mut state = number as u64;
    while json.len() + END.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        json.push(b'a' + ((state >> 33) % 26) as u8);
    }
    json.extend_from_slice(END);
    json
}

/// The name of the ConfigMap with a number.
pub(crate) fn name(number: usize) -> String {
    format!("load-{number:07}")
}

/// The value of the first `"resourceVersion"` in an answer.
///
/// # Errors
/// There is none.
pub(crate) fn resource_version(json: &[u8]) -> Result<u64> {
    const FIELD: &[u8] = br#""resourceVersion":""#;
    let start = memchr::memmem::find(json, FIELD).context("the answer has no resourceVersion")? + FIELD.len();
    let digits = json[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Ok(std::str::from_utf8(&json[start..start + digits])?.parse()?)
}

/// Says which status was not expected.
///
/// # Errors
/// It is neither a success nor `other`.
pub(crate) fn expect(status: StatusCode, other: StatusCode) -> Result<bool> {
    if status.is_success() {
        return Ok(true);
    }
    if status == other {
        return Ok(false);
    }
    bail!("answered {status}")
}

/// Arguments with a prefix in etcd for this run, when objects are kept there and no prefix is given: what an earlier
/// run left behind would be served, too.
fn with_prefix(arguments: &[OsString], run: &str) -> Vec<OsString> {
    let has = |flag: &str| arguments.iter().any(|argument| argument.to_string_lossy().starts_with(flag));
    let mut arguments = arguments.to_vec();
    if has("--etcd-servers") && !has("--etcd-prefix") {
        arguments.push(format!("--etcd-prefix=/chainplate-load/{run}").into());
    }
    arguments
}

fn millis_of_today() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() % 86_400_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_the_size_asked_for_and_differ() {
        for size in [300, 1024] {
            let json = config_map(17, size);
            assert_eq!(json.len(), size);
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(value["metadata"]["name"], "load-0000017");
            assert_eq!(value["metadata"]["labels"]["tenth"], "7");
        }
        assert_ne!(config_map(1, 1024)[200..], config_map(2, 1024)[200..]);
        // As small as possible.
        assert!(serde_json::from_slice::<serde_json::Value>(&config_map(1, 0)).is_ok());
    }

    #[test]
    fn the_first_resource_version_is_found() {
        let list = br#"{"kind":"ConfigMapList","metadata":{"resourceVersion":"123"},"items":[{"resourceVersion":"9"}]}"#;
        assert_eq!(resource_version(list).unwrap(), 123);
        assert!(resource_version(b"{}").is_err());
        assert!(resource_version(br#""resourceVersion":""#).is_err());
    }

    #[test]
    fn each_run_has_a_prefix_of_its_own_in_etcd() {
        let etcd = || vec![OsString::from("--etcd-servers=http://e")];
        assert_eq!(with_prefix(&etcd(), "r")[1], "--etcd-prefix=/chainplate-load/r");
        let given = [etcd(), vec!["--etcd-prefix".into(), "/p".into()]].concat();
        assert_eq!(with_prefix(&given, "r"), given);
        assert!(with_prefix(&[], "r").is_empty());
    }
}
