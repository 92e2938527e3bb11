//! Components of this repository in front of the servers that are measured.

#[path = "../../support/components.rs"]
mod support;

use anyhow::{Context, Result};
use std::{
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Where components are put into the built-in chain: what they claim is theirs, all else they delegate.
const FRONT: &str = "- name: core\n";
const CHAIN: &str = include_str!("../../../host/chainplate/src/chain.yaml");

/// A component to put into a chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixture {
    /// Its package, below `tests/fixtures`.
    package: &'static str,
    /// Whether it has a `plugin.yaml`.
    manifest: bool,
    /// What it is granted, in YAML.
    grants: &'static str,
}

/// A validating rule for ConfigMaps: they must have the label that all made here have.
pub(crate) const RULE: Fixture = Fixture { package: "rule", manifest: true, grants: "{roles: [validating]}" };
/// A server that answers `/faulty/ok` and delegates what it does not know.
pub(crate) const SERVER: Fixture =
    Fixture { package: "faulty", manifest: false, grants: "{paths: [/faulty]}" };

/// A configuration of the built-in chain with more components in it. It and the components' files go with this value.
#[derive(Debug)]
pub(crate) struct ChainFile {
    directory: TempDir,
}

impl ChainFile {
    /// Builds `fixtures` and writes a chain with them in front of core, in that order; the same may stand there often.
    ///
    /// # Errors
    /// They do not build, or a file cannot be written.
    pub(crate) async fn with(fixtures: Vec<Fixture>) -> Result<Self> {
        tokio::task::spawn_blocking(move || write(&fixtures)).await?
    }

    /// The server's argument.
    pub(crate) fn argument(&self) -> OsString {
        let mut argument = OsString::from("--chain-config=");
        argument.push(self.directory.path().join("chain.yaml"));
        argument
    }
}

fn write(fixtures: &[Fixture]) -> Result<ChainFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut packages: Vec<_> = fixtures.iter().map(|fixture| fixture.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let built = support::build(&root, &target()?, packages.iter().copied())?;
    let directory = tempfile::Builder::new().prefix("chainplate-load-chain-").tempdir()?;
    let mut entries = String::new();
    for (at, Fixture { package, manifest, grants }) in fixtures.iter().enumerate() {
        let wasm = directory.path().join(format!("{package}.wasm"));
        if !wasm.exists() {
            let made = support::file(&built, package);
            let put = if *manifest {
                let yaml = root.join("tests/fixtures").join(package).join("plugin.yaml");
                support::with_manifest(&made, package, &yaml, &wasm)
            } else {
                std::fs::copy(&made, &wasm).map(drop)
            };
            put.with_context(|| format!("component {package} from {}", made.display()))?;
        }
        let path = wasm.display();
        // Writing to a String does not fail.
        let _ = write!(entries, "- name: {package}-{at}\n  source: {{path: '{path}'}}\n  grants: {grants}\n");
    }
    let chain = CHAIN.replacen(FRONT, &(entries + FRONT), 1);
    std::fs::write(directory.path().join("chain.yaml"), chain)?;
    Ok(ChainFile { directory })
}

/// Where components are built: beside the directory of this program, as for the tests.
fn target() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where this program is, is not known")?;
    Ok(own.parent().unwrap_or(Path::new(".")).join("../components"))
}
