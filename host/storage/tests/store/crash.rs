//! `kill -9` while writing, and a disk that is full for a while. This binary starts itself as the victim.

use crate::{LONG, embedded, key, open, pods, value};
use chainplate_storage::{Error, Event, EventKind, ListRequest, Options, Revision, Store, maintenance};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// The victim's data directory.
const DIRECTORY: &str = "CHAINPLATE_TEST_DIRECTORY";
/// How often to kill; a longer run than the default finds rarer faults.
const ROUNDS: &str = "CHAINPLATE_CRASH_ROUNDS";

/// Runs the ignored test `name` of this binary, behind `wrapper` if there is one.
fn victim(name: &str, directory: &Path, wrapper: Option<&str>) -> (Child, BufReader<ChildStdout>) {
    let this = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        None => Command::new(this),
        Some(script) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("{script}; exec \"$0\" \"$@\"")).arg(this);
            shell
        }
    };
    command.args(["--ignored", "--exact", name, "--nocapture", "--test-threads=1"]);
    let mut child = command.env(DIRECTORY, directory).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// Lines from a victim that start with `!`, without it. libtest writes lines of its own.
fn reports(output: impl BufRead) -> impl Iterator<Item = String> {
    output.lines().map_while(Result::ok).filter_map(|line| Some(line.split_once('!')?.1.to_owned()))
}

fn directory() -> std::path::PathBuf {
    std::env::var_os(DIRECTORY).unwrap().into()
}

/// How an event is told: `<kind> <path> <revision> <create revision>`.
fn tell(event: &Event) -> String {
    let (object, kind) = (&event.object, event.kind);
    format!("{kind:?} {} {} {}", object.key().path, object.revision(), object.create_revision())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the victim of acknowledged_writes_survive_kill_9"]
async fn writes_until_killed() {
    let store = Store::open(options(&directory())).await.unwrap();
    let round = store.revision();
    let mut watch = store.watch("pods", round).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            for event in watch.next(3).await.unwrap().unwrap() {
                println!("!w {}", tell(&event));
            }
        }
    });
    for writer in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0.. {
                let path = format!("{round}/{writer}-{number}");
                // A lifetime that ends in the middle of it all, of an object that nobody asks for.
                let brief = key(&format!("brief/{round}-{writer}-{number}"));
                store.create(brief, value(""), Some(Duration::from_millis(number))).await.unwrap();
                let content = value(&"x".repeat(number as usize % 5000));
                let made = store.create(key(&path), content, None).await.unwrap();
                println!("!+ {path} {}", made.revision());
                if number % 3 == 2 {
                    let path = format!("{round}/{writer}-{}", number - 1);
                    println!("!~ {path} 0");
                    let gone = store.delete(key(&path), None).await.unwrap();
                    println!("!- {path} {}", gone.revision());
                }
                if number % 3 == 0 && number > 0 {
                    let path = format!("{round}/{writer}-{}", number - 1);
                    println!("!~ {path} 0");
                    let changed = store.update(key(&path), value("changed"), None, None).await.unwrap();
                    println!("!= {path} {}", changed.revision());
                }
            }
        });
    }
    tasks.join_all().await;
}

/// A history that is shorter than the test, so that the log is trimmed all the time.
fn options(directory: &Path) -> Options {
    Options { history_events: 700, ..embedded(directory) }
}

/// What the parent knows of the store that is killed again and again.
#[derive(Default)]
struct Known {
    /// The revision of the last acknowledged write of each object.
    made: HashMap<String, Revision>,
    /// Objects of which a change was asked for that is not acknowledged yet.
    touched: HashSet<String>,
    gone: HashSet<String>,
    last: Revision,
    /// What the watch in the victim has seen in this round.
    watched: Vec<(Revision, String)>,
}

impl Known {
    /// Takes a victim's report in; `None` if it was cut.
    fn take(&mut self, report: &str) -> Option<()> {
        let words: Vec<_> = report.split(' ').collect();
        if let ["w", kind, path, revision, created] = words[..] {
            let told = format!("{kind} {path} {revision} {}", created.parse::<Revision>().ok()?);
            self.watched.push((revision.parse().ok()?, told));
            return Some(());
        }
        let [what, path, revision] = words[..] else { return None };
        let (path, revision) = (path.to_owned(), revision.parse::<Revision>().ok()?);
        self.last = self.last.max(revision);
        match what {
            "+" => drop(self.made.insert(path, revision)),
            "=" => {
                self.touched.remove(&path);
                self.made.insert(path, revision);
            }
            "~" => drop(self.touched.insert(path)),
            _ => drop(self.gone.insert(path)),
        }
        Some(())
    }

    fn compare(&self, store: &Store) {
        assert!(
            store.revision() >= self.last,
            "the revision went back from {} to {}",
            self.last,
            store.revision()
        );
        for (path, revision) in &self.made {
            match store.get(&key(path)) {
                Some(object) if self.touched.contains(path) => {
                    assert!(object.revision() >= *revision, "{path}")
                }
                Some(object) => assert_eq!(object.revision(), *revision, "{path}"),
                None => assert!(self.touched.contains(path), "{path} at {revision} is lost"),
            }
            assert!(!self.gone.contains(path) || store.get(&key(path)).is_none(), "{path} is back");
        }
    }

    /// What the watch saw is what happened, and from there it goes on: every change, once, up to the state.
    async fn resume(&self, store: &Store) {
        let end = store.revision();
        // What expires meanwhile moves the history on.
        let oldest = end.saturating_sub(500).max(1);
        let mut history: BTreeMap<Revision, String> = BTreeMap::new();
        let mut watch = store.watch("pods", oldest).unwrap();
        let mut state: BTreeMap<String, Revision> = BTreeMap::new();
        let past = store.list(&ListRequest { at: Some(oldest), ..pods() }).unwrap();
        state.extend(past.objects.iter().map(|object| (object.key().path.to_string(), object.revision())));
        while history.last_key_value().map_or(oldest, |(revision, _)| *revision) < end {
            for event in watch.next(100).await.unwrap().unwrap() {
                let (path, revision) = (event.object.key().path.to_string(), event.revision());
                assert_eq!(revision, oldest + 1 + history.len() as u64, "missed or repeated");
                let before = match event.kind {
                    EventKind::Deleted => state.remove(&path),
                    EventKind::Added | EventKind::Modified => state.insert(path, revision),
                };
                assert_eq!(before, event.previous.as_ref().map(|previous| previous.revision()));
                history.insert(revision, tell(&event));
            }
        }
        let at = history.last_key_value().map(|(revision, _)| *revision);
        let now = store.list(&ListRequest { at, ..pods() }).unwrap();
        let now = now.objects.iter().map(|object| (object.key().path.to_string(), object.revision()));
        assert_eq!(state, now.collect());
        for (revision, told) in self.watched.iter().filter(|(revision, _)| *revision > oldest) {
            assert_eq!(history.get(revision), Some(told), "what was watched is not what happened");
        }
        let seen = self.watched.last().map_or(oldest, |(revision, _)| *revision);
        if seen >= oldest && seen < end {
            let mut watch = store.watch("pods", seen).unwrap();
            assert_eq!(watch.next(1).await.unwrap().unwrap()[0].revision(), seen + 1);
        }
    }
}

/// `CHAINPLATE_CRASH_ROUNDS=200 cargo test -p chainplate-storage --test store kill_9` is the long run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kill_9() {
    let rounds = std::env::var(ROUNDS).map_or(8, |rounds| rounds.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let mut known = Known::default();
    for round in 0..rounds {
        let (mut child, output) = victim("crash::writes_until_killed", place.path(), None);
        let mut lines = 0;
        known.watched.clear();
        for report in reports(output) {
            if known.take(&report).is_none() {
                break;
            }
            lines += 1;
            // Another moment in each round; what is in the pipe still counts.
            if lines == 5 + round * 37 % 301 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(lines > 4, "the victim wrote nothing");
        let begun = Instant::now();
        let store = Store::open(options(place.path())).await.unwrap();
        println!("round {round}: opened at {} in {:?}", store.revision(), begun.elapsed());
        known.compare(&store);
        known.resume(&store).await;
        let next = store.create(key(&format!("check/{round}")), value(""), None).await.unwrap();
        known.last = next.revision();
        store.close().await.unwrap();
    }
    let report = maintenance::check(place.path()).unwrap();
    println!("{report:?}");
    assert!(
        report.objects["pods"] >= known.made.len().saturating_sub(known.gone.len() + known.touched.len())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the victim of a_full_disk_is_reported_and_left_behind"]
async fn fills_the_disk_and_waits() {
    let store = open(&directory()).await;
    let failure = loop {
        let number = store.count("pods");
        match store.create(key(&format!("a/{number}")), value(&"x".repeat(100_000)), None).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(&failure, Error::Engine(why) if why.contains("check free space")), "{failure}");
    assert!(store.health().is_err());
    let count = store.count("pods");
    assert_eq!(store.list(&pods()).unwrap().objects.len(), count);
    println!("!full {count}");
    // The parent makes room; the store finds out by itself.
    let begun = Instant::now();
    while store.health().is_err() {
        assert!(begun.elapsed() < LONG, "{:?}", store.health());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let after = store.create(key("b/after"), value(""), None).await.unwrap();
    println!("!after {}", after.revision());
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_reported_and_left_behind() {
    let place = tempfile::tempdir().unwrap();
    // A limit on the size of files, in blocks of 512 bytes: writes beyond fail as on a full disk.
    let script = "trap '' XFSZ; ulimit -S -f 12000";
    let (mut child, output) = victim("crash::fills_the_disk_and_waits", place.path(), Some(script));
    let (mut count, mut revision) = (0, 0);
    for report in reports(output) {
        let (what, number) = report.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        if what == "full" {
            count = number;
            let pid = child.id().to_string();
            let raised = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &pid]).status().unwrap();
            assert!(raised.success());
        } else {
            revision = number;
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(count > 10, "{count} objects fitted");
    let store = open(place.path()).await;
    assert_eq!(store.get(&key("b/after")).unwrap().revision(), revision);
    for number in 0..count {
        assert!(store.get(&key(&format!("a/{number}"))).is_some(), "{number} is lost");
    }
    assert!(store.revision() >= revision);
    store.close().await.unwrap();
}
