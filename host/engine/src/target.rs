//! The Rust target of components.

use crate::Error;
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// The target that components are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Adds [`TARGET`] to the toolchain that `rustc` is of in a directory, if it is missing.
///
/// # Errors
/// [`Error::Target`].
pub fn ensure_target(rustc: impl AsRef<OsStr>, directory: &Path) -> Result<(), Error> {
    let asked = Command::new(rustc).current_dir(directory).args(["--print", "sysroot"]).output();
    let sysroot = asked.map_err(|error| Error::Target(format!("rustc cannot be run: {error}")))?.stdout;
    if Path::new(String::from_utf8_lossy(&sysroot).trim()).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    // What it says is for whoever waits. Standard output may be somebody's to read.
    rustup.current_dir(directory).args(["target", "add", TARGET]).stdout(Stdio::null());
    match rustup.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Target(format!("it could not be added: rustup ended with {status}"))),
        Err(error) => Err(Error::Target(format!("it could not be added: rustup cannot be run: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_compiler_the_next_step_is_told() {
        let told = ensure_target("no-such-program-here", Path::new(".")).unwrap_err().to_string();
        assert!(told.contains("cannot be run") && told.contains("rustup target add wasm32-wasip2"), "{told}");
    }
}
