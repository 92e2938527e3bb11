//! The tools of plugins' authors, as an author uses them: from `new` to a server that reloads.

use crate::support::SOON;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest wait for a plugin to be built, its dependencies included.
const BUILT: Duration = Duration::from_secs(600);

/// `chainplate plugin …`, with one target directory for all projects: dependencies are built once.
fn plugin(arguments: &[&str]) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_chainplate"));
    let mut command = Command::new(program);
    command.arg("plugin").args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_") || name.starts_with("RUSTC") || name == "RUSTFLAGS" {
            command.env_remove(name);
        }
    }
    command.env("CARGO_TARGET_DIR", program.parent().unwrap().join("../plugin-tools"));
    command
}

fn output(arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = plugin(arguments).output().unwrap();
    (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn succeeds(arguments: &[&str]) -> String {
    let (success, said) = output(arguments);
    assert!(success, "plugin {arguments:?}:\n{said}");
    said
}

/// A new project, with the versions of dependencies that this workspace has.
fn project(template: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("project");
    let name = format!("my-{template}");
    let group = format!("{template}.example.com");
    succeeds(&["new", &name, "--template", template, "--group", &group, "--path", path.to_str().unwrap()]);
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    fs::copy(lock, path.join("Cargo.lock")).unwrap();
    (directory, path)
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{}: {text}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_new_project_of_every_template_builds_and_its_cases_pass() {
    for template in ["server", "admission", "converter", "authenticator", "authorizer"] {
        let (_directory, project) = project(template);
        let wasm = project.join("built.wasm");
        let (directory, wasm) = (project.to_str().unwrap(), wasm.to_str().unwrap());
        let built = succeeds(&["build", directory, "-o", wasm]);
        assert!(built.contains(&format!("my-{template} 0.1.0: ")), "{built}");

        let report: serde_json::Value =
            serde_json::from_str(&succeeds(&["inspect", wasm, "-o", "json"])).unwrap();
        assert_eq!(report["worlds"], serde_json::json!([template]));
        let checked = succeeds(&["check", wasm]);
        assert!(checked.contains("ok: it compiles and starts"), "{checked}");
        let cases = project.join("cases");
        let tested = succeeds(&["test", wasm, "--cases", cases.to_str().unwrap()]);
        assert!(tested.contains("test result: ok.") && tested.contains(" 0 failed"), "{tested}");
    }
}

/// `chainplate plugin …` in code of the guides: what `--help` takes beside it, the program has.
#[test]
fn the_commands_of_the_guides_are_those_of_the_program() {
    let mut seen = 0;
    for guide in [include_str!("../../README.md"), include_str!("../../sdk/README.md")] {
        for after in guide.split("chainplate plugin ").skip(1) {
            let command = after.split(['\n', '`', '#']).next().unwrap();
            let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
            succeeds(&arguments);
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} commands were found");
}

#[test]
fn a_case_that_fails_shows_what_differs() {
    let (_directory, project) = project("server");
    replace(&project.join("cases/create/expected.yaml"), "size: 1", "size: 2");
    let (success, said) = output(&["test", project.to_str().unwrap(), "--filter", "create"]);
    assert!(!success, "{said}");
    for part in ["case create ... FAILED", "body.spec.size\n  - 2\n  + 1\n", "0 passed; 1 failed"] {
        assert!(said.contains(part), "{part:?}:\n{said}");
    }
    assert!(!said.contains("case refuse"), "{said}");
}

/// `plugin run`, and what it says.
struct Run {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Run {
    fn start(project: &Path) -> Self {
        let mut child = plugin(&["run", project.to_str().unwrap()]).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Nobody listens any more when the test is over.
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    fn wait_line(&self, start: &str) -> String {
        let deadline = Instant::now() + BUILT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line {start:?}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_running_plugin_is_rebuilt_and_reloaded_when_its_source_changes() {
    let (directory, project) = project("server");
    let mut run = Run::start(&project);
    let kubeconfig = run.wait_line("kubeconfig: ");
    let object = directory.path().join("object.yaml");
    let text = "apiVersion: server.example.com/v1\nkind: MyServer\nmetadata: {name: a}\nspec: {owner: ''}\n";
    fs::write(&object, text).unwrap();
    let create = || {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["--kubeconfig", &kubeconfig, "create", "-f"]).arg(&object);
        kubectl.arg("--cache-dir").arg(directory.path().join("cache"));
        let output = kubectl.output().expect("kubectl is needed for these tests; install it");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let refused = create();
    assert!(refused.contains("who is it for?"), "{refused}");

    replace(&project.join("src/lib.rs"), "who is it for?", "name somebody");
    run.wait_line("rebuilt: my-server");
    let deadline = Instant::now() + SOON;
    loop {
        let refused = create();
        if refused.contains("name somebody") {
            break;
        }
        assert!(Instant::now() < deadline, "{refused}");
        std::thread::sleep(Duration::from_millis(50));
    }

    let id = run.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(run.child.wait().unwrap().success());
    assert!(!Path::new(&kubeconfig).exists(), "it leaves nothing behind");
}
