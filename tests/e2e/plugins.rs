//! Plugins beside servers: admission, identity, conversion, and what they do wrong.

mod admission;
mod controllers;
mod conversion;
mod faults;
mod identity;

use crate::support::{Server, chain_with, plugin};
use std::path::Path;

#[test]
fn the_examples_pass_their_cases() {
    let directory = tempfile::tempdir().unwrap();
    for example in ["hello", "websites", "unique-hosts", "defaults", "jwt-issuer"] {
        let wasm = plugin(directory.path(), example);
        let cases =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/examples").join(example).join("cases");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chainplate"));
        let output = command.args(["plugin", "test", "--cases"]).arg(cases).arg(wasm).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{example}:\n{said}");
    }
}

/// A server with a plugin of this workspace in its chain; `rest` are further lines of its entry.
fn server_with(directory: &Path, package: &str, rest: &str) -> Server {
    let chain = chain_with(directory, package, &plugin(directory, package), rest);
    Server::start_in(&directory.join("data"), &[&chain])
}

/// Runs kubectl with a document; what it says, on whichever stream.
fn kubectl(server: &Server, arguments: &[&str], document: &str) -> (bool, String) {
    use std::io::Write;
    let mut command = server.kubectl_command(arguments);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
