//! Plugins beside servers: admission, identity, conversion, and what they do wrong.

mod admission;
mod controllers;
mod conversion;
mod faults;
mod identity;

use crate::support::{Server, chain_with, plugin};
use std::path::Path;

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
