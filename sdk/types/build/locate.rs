//! Finds where cargo put a dependency's source.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of crate `name`, of a version that starts with `version`.
///
/// First where cargo unpacks registry crates, then (vendored or replaced sources) as `cargo metadata` tells.
pub(crate) fn crate_source(name: &str, version: &str) -> Result<PathBuf, String> {
    let prefix = format!("{name}-{version}");
    let mut found: Vec<PathBuf> = Vec::new();
    for registry in cargo_home().iter().flat_map(|home| folders(&home.join("registry/src"))) {
        found.extend(folders(&registry).into_iter().filter(|path| {
            path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&prefix))
                && path.join("src").is_dir()
        }));
    }
    // The newest that is there: all of one minor version describe the same release of Kubernetes.
    found.sort();
    if let Some(path) = found.pop() {
        return Ok(path);
    }
    from_metadata(name, version)
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

fn folders(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path)
        .map(|entries| entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
        .unwrap_or_default()
}

fn from_metadata(name: &str, version: &str) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cargo metadata does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `"manifest_path":"…/name-0.9.0/Cargo.toml"`, or `…/name/Cargo.toml` when vendored.
    text.split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(PathBuf::from)
        .filter_map(|path| path.parent().map(Path::to_path_buf))
        .find(|path| {
            path.file_name().is_some_and(|file| {
                let file = file.to_string_lossy();
                file == name || file.starts_with(&format!("{name}-{version}"))
            })
        })
        .ok_or_else(|| {
            format!(
                "no source of {name} {version}x below CARGO_HOME/registry/src nor in `cargo metadata --offline` \
                 ({}); run `cargo fetch`",
                String::from_utf8_lossy(&output.stderr).trim()
            )
        })
}
