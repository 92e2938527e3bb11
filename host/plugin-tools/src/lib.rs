//! What the author of a plugin does beside writing it, as far as no server is needed for it: make a project, build the
//! component, look at it, judge it, and say what the answers of a test case should have been.
//!
//! Everything here looks at a component from outside ([`Component`]); none of its code is compiled or run. Whatever needs
//! a host (`test`, `run`, the last part of `check`) is in the program, which has one.

mod build;
mod cargo;
pub mod cases;
pub mod chain;
mod check;
mod component;
mod inspect;
mod project;
mod watch;

pub use build::{Built, assemble, build};
pub use cargo::Package;
pub use check::{Finding, Severity, check};
pub use component::Component;
pub use inspect::{Grants, Report, inspect};
pub use project::{Plan, Sdk, Template, create};
pub use watch::Sources;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The name of the manifest in a project.
pub const MANIFEST: &str = "plugin.yaml";
/// The directory of the cases in a project.
pub const CASES: &str = "cases";

/// Why something cannot be done. Each message names the thing and the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or directory is not what it should be.
    #[error("{}: {why}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A manifest, as a file or in a component.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: chainplate_manifest::Error,
    },
    /// A component that no host of this version takes.
    #[error("{}: {source}", path.display())]
    Component {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: chainplate_engine::Error,
    },
    /// A name that a plugin cannot have.
    #[error(
        "plugin name {0:?} must be lower-case letters, digits and '-', at most 63, and begin with a letter"
    )]
    Name(String),
    /// A group that no resource can be in.
    #[error("API group {group:?}: {why}; give one with --group, such as example.com")]
    Group {
        /// Which.
        group: String,
        /// Why.
        why: String,
    },
    /// A program that this needs did not do its work.
    #[error("{command}: {why}")]
    Command {
        /// What was run.
        command: String,
        /// How it went, and what to do.
        why: String,
    },
}

impl Error {
    fn unfit(path: &Path, why: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), why: why.into() }
    }
}

fn read_text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Writes a file, and the directories that it is in.
fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let fail = |source| Error::File { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(fail)?;
    }
    fs::write(path, content).map_err(fail)
}

/// Writes a file in one step: whoever reads it meanwhile, a server that reloads say, finds the old or the new one.
///
/// # Errors
/// [`Error::File`].
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    write(&beside, content)?;
    fs::rename(&beside, path).map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deep/file");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }
}
