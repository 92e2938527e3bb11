//! Whether the sources of a project have changed.

use crate::MANIFEST;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Most files that are looked at; a project with more is watched in part.
const MAX_FILES: usize = 10_000;

/// What a project is built from, as it was when somebody last looked.
///
/// Files are asked for their times: a few dozen calls for a project of usual size, and the same everywhere, editors that
/// replace files and file systems in containers included.
#[derive(Debug)]
pub struct Sources {
    place: PathBuf,
    seen: State,
}

type State = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Sources {
    /// The sources of the project in a directory, or one file, as they are now.
    pub fn of(place: &Path) -> Self {
        Self { place: place.to_owned(), seen: state(place) }
    }

    /// Whether they have changed since the last time; and the time is now.
    pub fn changed(&mut self) -> bool {
        let now = state(&self.place);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn state(place: &Path) -> State {
    let mut state = State::new();
    let mut waiting: Vec<PathBuf> = if place.is_dir() {
        ["src", "Cargo.toml", "build.rs", MANIFEST].iter().map(|name| place.join(name)).collect()
    } else {
        vec![place.to_owned()]
    };
    while let Some(path) = waiting.pop() {
        // What is gone, or going just now, is a change by not being there.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
            waiting.extend(entries.take(MAX_FILES.saturating_sub(waiting.len())));
        } else if state.len() < MAX_FILES {
            state.insert(path, (metadata.modified().ok(), metadata.len()));
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_come_change_and_go_are_noticed_once() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("src/deep");
        fs::create_dir_all(&source).unwrap();
        let mut sources = Sources::of(directory.path());
        assert!(!sources.changed());
        fs::write(source.join("lib.rs"), "one").unwrap();
        assert!(sources.changed() && !sources.changed());
        fs::write(source.join("lib.rs"), "other").unwrap();
        assert!(sources.changed() && !sources.changed());
        fs::write(directory.path().join(MANIFEST), "").unwrap();
        assert!(sources.changed() && !sources.changed());
        fs::remove_file(source.join("lib.rs")).unwrap();
        assert!(sources.changed() && !sources.changed());
        fs::create_dir(directory.path().join("target")).unwrap();
        fs::write(directory.path().join("target/lib.rs"), "").unwrap();
        assert!(!sources.changed(), "what is built is no source");
        let mut component = Sources::of(&directory.path().join("target/lib.rs"));
        fs::write(directory.path().join("target/lib.rs"), "built").unwrap();
        assert!(component.changed() && !component.changed());
    }
}
