//! `kill -9` while writing, and a disk that is full for a while. This binary starts itself as the victim.

use crate::{LONG, key, open, pods, value};
use chainplate_storage::{Error, Revision};
use std::{
    collections::{HashMap, HashSet},
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the victim of acknowledged_writes_survive_kill_9"]
async fn writes_until_killed() {
    let store = open(&directory()).await;
    let round = store.revision();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = store.clone();
        writers.spawn(async move {
            for number in 0.. {
                let path = format!("{round}/{writer}-{number}");
                let made = store.create(key(&path), value(&"x".repeat(number % 5000)), None).await.unwrap();
                println!("!+ {path} {}", made.revision());
                if number % 3 == 2 {
                    let path = format!("{round}/{writer}-{}", number - 1);
                    println!("!~ {path} 0");
                    let gone = store.delete(key(&path), None).await.unwrap();
                    println!("!- {path} {}", gone.revision());
                }
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kill_9() {
    let rounds = std::env::var(ROUNDS).map_or(8, |rounds| rounds.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let (mut made, mut touched) = (HashMap::<String, Revision>::new(), HashSet::<String>::new());
    let (mut gone, mut last) = (HashSet::<String>::new(), 0);
    for round in 0..rounds {
        let (mut child, output) = victim("crash::writes_until_killed", place.path(), None);
        let mut lines = 0;
        for report in reports(output) {
            let [what, path, revision] = report.split(' ').collect::<Vec<_>>()[..] else { break };
            let (path, Ok(revision)) = (path.to_owned(), revision.parse::<Revision>()) else { break };
            last = last.max(revision);
            match what {
                "+" => drop(made.insert(path, revision)),
                "~" => drop(touched.insert(path)),
                _ => drop(gone.insert(path)),
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
        let store = open(place.path()).await;
        println!("round {round}: opened at {} in {:?}", store.revision(), begun.elapsed());
        assert!(store.revision() >= last, "the revision went back from {last} to {}", store.revision());
        last = store.revision();
        for (path, revision) in &made {
            match store.get(&key(path)) {
                Some(object) => {
                    assert_eq!(object.revision(), *revision, "{path}");
                    assert!(!gone.contains(path), "{path} is back");
                }
                None => assert!(touched.contains(path), "{path} at {revision} is lost"),
            }
        }
        let next = store.create(key(&format!("check/{round}")), value(""), None).await.unwrap();
        assert_eq!(next.revision(), last + 1);
        store.close().await.unwrap();
    }
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
