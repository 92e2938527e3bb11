//! Components of this workspace, built to be loaded: for tests, benches and the load generator.

use chainplate_manifest::{Manifest, section};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds packages of the workspace at `root` as components, below `target`; the directory of the `.wasm` files.
///
/// # Errors
/// cargo cannot be started, or they do not build: cargo has told why.
pub(crate) fn build<'a>(
    root: &Path,
    target: &Path,
    packages: impl IntoIterator<Item = &'a str>,
) -> io::Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--locked", "--quiet", "--profile", "component"]);
    cargo.args(["--target", "wasm32-wasip2", "--target-dir"]).arg(target);
    cargo.args(packages.into_iter().flat_map(|package| ["-p", package]));
    // What an outer build set for the host's code is not meant for the components'.
    for (name, _) in env::vars() {
        if name.starts_with("CARGO_") || name.starts_with("RUSTC") || name == "RUSTFLAGS" {
            cargo.env_remove(name);
        }
    }
    if !cargo.status()?.success() {
        return Err(io::Error::other("the components do not build"));
    }
    Ok(target.join("wasm32-wasip2/component"))
}

/// The file of a package in the directory that [`build`] told.
pub(crate) fn file(built: &Path, package: &str) -> PathBuf {
    built.join(format!("{}.wasm", package.replace('-', "_")))
}

/// Writes the component of a package to `out` with the manifest of its `plugin.yaml` in it, as `chainplate plugin build` makes it.
///
/// # Errors
/// A file cannot be read or written, or is no component or manifest.
pub(crate) fn with_manifest(wasm: &Path, package: &str, yaml: &Path, out: &Path) -> io::Result<()> {
    let mut manifest = Manifest::parse(&fs::read_to_string(yaml)?).map_err(io::Error::other)?;
    package.clone_into(&mut manifest.name);
    env!("CARGO_PKG_VERSION").clone_into(&mut manifest.version);
    let roles = manifest.roles();
    manifest.wants.roles.extend(roles);
    let plugin = section::write(&fs::read(wasm)?, &manifest).map_err(io::Error::other)?;
    fs::write(out, plugin)
}
