//! kubectl against the server: the flows that people type.

mod change;
mod custom;
mod inventory;
mod read;
mod wait;
mod write;

use crate::support::{SOON, Server};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Output, Stdio},
    sync::{Arc, mpsc},
    time::Instant,
};

/// kubectl in a namespace of its own on the shared server.
///
/// Command lines are written as one would type them: words, and parts in single quotes that are one word each.
struct Kubectl {
    server: Arc<Server>,
    namespace: String,
}

impl Kubectl {
    /// Makes the namespace; each test takes another one.
    fn new(namespace: &str) -> Self {
        let kubectl = Self { server: Server::shared(), namespace: namespace.to_owned() };
        assert_eq!(kubectl.ok(&format!("create ns {namespace}")), format!("namespace/{namespace} created\n"));
        kubectl
    }

    /// What a command that succeeds prints.
    fn ok(&self, line: &str) -> String {
        self.ok_with(line, "")
    }

    /// The same with a document on standard input.
    fn ok_with(&self, line: &str, input: &str) -> String {
        let output = self.run(line, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails says.
    fn fails(&self, line: &str) -> String {
        self.fails_with(line, "")
    }

    fn fails_with(&self, line: &str, input: &str) -> String {
        let output = self.run(line, input);
        assert!(
            !output.status.success(),
            "kubectl {line} succeeds: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stderr).unwrap()
    }

    /// The table that a command prints, ages replaced.
    fn table(&self, line: &str) -> Vec<String> {
        normal(&self.ok(line))
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} -o json"))).unwrap()
    }

    /// One value of an object.
    fn value(&self, what: &str, path: &str) -> String {
        self.ok(&format!("get {what} -o jsonpath='{path}'"))
    }

    fn run(&self, line: &str, input: &str) -> Output {
        let mut command = self.command(line);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Starts a command that goes on; its lines come as it prints them.
    fn start(&self, line: &str) -> Running {
        let mut child = self.command(line).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody listens once the test has seen enough.
                let _ = sender.send(line);
            }
        });
        Running { child, lines }
    }

    fn command(&self, line: &str) -> std::process::Command {
        let mut command = self.server.kubectl_command(&["--namespace", &self.namespace]);
        command.args(words(line)).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A command that goes on until it is dropped.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    /// Waits for a line, its columns one space apart and ages replaced, that has a text in it.
    fn line(&self, text: &str) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line with {text:?}"));
            let line = normal(&line).pop().unwrap_or_default();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for its end: whether it was well, and what it said last.
    fn end(mut self) -> (bool, String) {
        let status = self.child.wait().unwrap();
        let mut said = self.lines.iter().collect::<Vec<_>>().join("\n");
        let stderr = BufReader::new(self.child.stderr.take().unwrap());
        said.extend(stderr.lines().map_while(Result::ok));
        (status.success(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words of a command line; what stands in single quotes belongs to one word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (vec![], None::<String>, false);
    for char in line.chars() {
        match char {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

/// Lines with one space between columns, and `<age>` for each age.
fn normal(text: &str) -> Vec<String> {
    let age = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h'])
            && word.chars().all(|char| char.is_ascii_digit() || "smh".contains(char))
    };
    let column = |word| if age(word) { "<age>" } else { word };
    text.lines().map(|line| line.split_whitespace().map(column).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn command_lines_are_split_as_a_shell_does() {
    for (line, split) in [
        ("get cm  a", &["get", "cm", "a"][..]),
        ("patch -p '{\"a\": 1}' x", &["patch", "-p", "{\"a\": 1}", "x"]),
        ("-o jsonpath='{.a} {.b}' x", &["-o", "jsonpath={.a} {.b}", "x"]),
        ("'a b'c 'd'", &["a bc", "d"]),
    ] {
        assert_eq!(words(line), split, "{line}");
    }
}
