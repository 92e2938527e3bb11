//! Cargo, asked for what a project is and told to build it.

use crate::Error;
use chainplate_engine::{TARGET, ensure_target};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A package, as Cargo knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its description, often empty.
    pub description: String,
    /// Its Cargo.toml.
    manifest: PathBuf,
    /// Where Cargo puts what it builds.
    pub(crate) target: PathBuf,
}

impl Package {
    /// The package in a directory.
    ///
    /// # Errors
    /// There is none, or Cargo cannot tell.
    pub fn of(directory: &Path) -> Result<Self, Error> {
        let manifest = directory.join("Cargo.toml");
        let manifest =
            manifest.canonicalize().map_err(|source| Error::File { path: manifest.clone(), source })?;
        let mut cargo = cargo(directory);
        cargo.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&manifest);
        let metadata = output(cargo)?;
        find(&metadata.stdout, &manifest).ok_or_else(|| {
            Error::unfit(&manifest, "it is no package; name the directory of the plugin's own Cargo.toml")
        })
    }

    /// Builds the package; the component file.
    pub(crate) fn build(&self, profile: &str) -> Result<PathBuf, Error> {
        let directory = self.manifest.parent().unwrap_or(Path::new("."));
        ensure_target("rustc", directory)
            .map_err(|error| Error::Command { command: "rustup".to_owned(), why: error.to_string() })?;
        let mut cargo = cargo(directory);
        cargo.args([
            "build",
            "--target",
            TARGET,
            "--profile",
            profile,
            "--message-format=json-render-diagnostics",
        ]);
        cargo.arg("--manifest-path").arg(&self.manifest);
        // What the compiler says is for the author, as it is said.
        cargo.stderr(Stdio::inherit());
        let built = output(cargo)?;
        artefact(&built.stdout, &self.manifest).ok_or_else(|| {
            let why = "it builds no library of the type cdylib; write crate-type = [\"cdylib\", \"rlib\"] below [lib]";
            Error::unfit(&self.manifest, why)
        })
    }
}

/// Cargo in a directory: the one that runs this program, if one does.
fn cargo(directory: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(directory).stdin(Stdio::null());
    // What an outer build set for its own code is not meant for the plugin's.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command and takes what it says, if it succeeds.
fn output(mut command: Command) -> Result<Output, Error> {
    let told = |command: &Command| {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.take(2).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    };
    let output = command.output().map_err(|error| Error::Command {
        command: told(&command),
        why: format!("it cannot be run: {error}; install Rust from https://rustup.rs"),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let why = if said.is_empty() { "it failed; the reason stands above".to_owned() } else { said };
    Err(Error::Command { command: told(&command), why })
}

/// The package of that Cargo.toml in the output of `cargo metadata`.
fn find(metadata: &[u8], manifest: &Path) -> Option<Package> {
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let is_it = |package: &&Value| package["manifest_path"].as_str().map(Path::new) == Some(manifest);
    let package = metadata["packages"].as_array()?.iter().find(is_it)?;
    let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
    Some(Package {
        name: text("name"),
        version: text("version"),
        description: text("description").split_whitespace().collect::<Vec<_>>().join(" "),
        manifest: manifest.to_owned(),
        target: metadata["target_directory"].as_str()?.into(),
    })
}

/// The component in the messages of `cargo build --message-format=json`.
fn artefact(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let ours = messages.filter(|message| {
        message["reason"] == "compiler-artifact"
            && message["manifest_path"].as_str().map(Path::new) == Some(manifest)
    });
    let mut files = ours.filter_map(|message| {
        let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
        files.map(PathBuf::from).find(|file| file.extension().is_some_and(|it| it == "wasm"))
    });
    files.next_back()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn package(metadata: &str, manifest: &str) -> Package {
        find(metadata.as_bytes(), Path::new(manifest)).unwrap()
    }

    #[test]
    fn a_package_is_found_by_its_manifest() {
        let metadata = json!({
            "packages": [
                {"name": "other", "version": "1.0.0", "description": null, "manifest_path": "/w/other/Cargo.toml"},
                {"name": "greetings", "version": "0.1.0", "description": "Greets.\n  Kindly.", "manifest_path": "/w/Cargo.toml"},
            ],
            "target_directory": "/w/target",
        });
        let package = find(metadata.to_string().as_bytes(), Path::new("/w/Cargo.toml")).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str()), ("greetings", "0.1.0"));
        assert_eq!(package.description, "Greets. Kindly.");
        assert_eq!(package.target, Path::new("/w/target"));
        assert_eq!(find(metadata.to_string().as_bytes(), Path::new("/x/Cargo.toml")), None);
    }

    #[test]
    fn the_artefact_is_the_wasm_file_of_the_package_itself() {
        let messages = [
            json!({"reason": "compiler-artifact", "manifest_path": "/d/Cargo.toml", "filenames": ["/t/dep.wasm"]}),
            json!({"reason": "compiler-artifact", "manifest_path": "/w/Cargo.toml", "filenames": ["/t/a.rlib", "/t/a.wasm"]}),
            json!({"reason": "build-finished", "success": true}),
        ];
        let messages = messages.map(|message| message.to_string()).join("\n");
        let found = artefact(messages.as_bytes(), Path::new("/w/Cargo.toml"));
        assert_eq!(found, Some("/t/a.wasm".into()));
        assert_eq!(artefact(b"", Path::new("/w/Cargo.toml")), None);
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such thing >&2; exit 3"]);
        assert_eq!(output(command).unwrap_err().to_string(), "sh -c: no such thing");
        let missing = output(Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(missing.contains("cannot be run"), "{missing}");
    }
}
