//! The code cache: each third-party component is compiled once.

use crate::{Error, contract_of};
use sha2::{Digest, Sha256};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wasmtime::{Engine, component::Component};

/// Most entries that are kept: a chain of many plugins, and what stood in it before.
const MAX_ENTRIES: usize = 512;

/// A directory of compiled code that only this host writes.
///
/// A file's name holds the digest of the component and the engine's compatibility hash, so an entry is never
/// stale: another version of either is another entry.
#[derive(Debug, Clone)]
pub struct CodeCache {
    directory: PathBuf,
}

impl CodeCache {
    /// Opens or makes the cache. The directory is made for this user alone.
    ///
    /// # Errors
    /// [`Error::Cache`] where the directory cannot be made, or belongs to or can be written by somebody else: whoever
    /// writes there runs code in this process.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        let fail = |source| Error::Cache { path: directory.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(fail)?;
        let there = fs::metadata(&directory).map_err(fail)?;
        let ours = fs::metadata("/proc/self").map_or(there.uid(), |own| own.uid());
        if there.uid() != ours || there.mode() & 0o022 != 0 {
            return Err(fail(std::io::Error::other("others can write there")));
        }
        Ok(Self { directory })
    }

    /// The digest that names a component, `sha256:<hex>`.
    pub fn digest(wasm: &[u8]) -> String {
        use std::fmt::Write;
        Sha256::digest(wasm).iter().fold(String::from("sha256:"), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The code of a component: from the cache, or compiled (which takes from 0.1 s to many seconds: call it off the
    /// runtime's threads) and kept.
    ///
    /// # Errors
    /// What is wrong with the component, or a cache that cannot be written.
    #[expect(unsafe_code, reason = "code that this host wrote to a directory that only its user can write")]
    pub fn load(&self, engine: &Engine, wasm: &[u8]) -> Result<Component, Error> {
        contract_of(wasm)?;
        let path = self.entry(engine, &Self::digest(wasm));
        if path.is_file() {
            // SAFETY: `deserialize_file` trusts the file to be the output of `precompile_component` and to stay
            // as it is. `open` made sure that only this user writes to the directory, and entries are only made by
            // `store`, renamed into place whole and never changed.
            if let Ok(component) = unsafe { Component::deserialize_file(engine, &path) } {
                return Ok(component);
            }
            // Truncated by a full disk, say: compiled again below, and replaced.
        }
        let code = crate::precompile(engine, wasm)?;
        self.store(&path, &code)?;
        // SAFETY: as above; the file was written just now.
        unsafe { Component::deserialize_file(engine, &path) }
            .map_err(|error| Error::Compile(format!("{error:#}")))
    }

    /// The code of a component that this project's own build precompiled into the program. It is written to the cache at
    /// the first start and mapped from there: code that nobody calls then costs no memory.
    ///
    /// Where the machine is another than the one of the build, the component is compiled anew.
    ///
    /// # Errors
    /// What is wrong with the component, or a cache that cannot be written.
    #[expect(
        unsafe_code,
        reason = "code of this program's own build, in a directory that only its user can write"
    )]
    pub fn load_shipped(
        &self,
        engine: &Engine,
        precompiled: &'static [u8],
        wasm: &[u8],
        digest: &str,
    ) -> Result<Component, Error> {
        let path = self.entry(engine, digest);
        if !path.is_file() {
            self.store(&path, precompiled)?;
        }
        // SAFETY: as in `load`; what was stored is `'static` and comes from `include_bytes!` of what the build script
        // made with `precompile`. Version and configuration are checked by wasmtime itself.
        if let Ok(component) = unsafe { Component::deserialize_file(engine, &path) } {
            return Ok(component);
        }
        let code = crate::precompile(engine, wasm)?;
        self.store(&path, &code)?;
        // SAFETY: as in `load`.
        unsafe { Component::deserialize_file(engine, &path) }
            .map_err(|error| Error::Compile(format!("{error:#}")))
    }

    fn entry(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.directory.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }

    /// Writes beside the entry and renames, so that no reader (and no later start after a crash) sees half of it.
    fn store(&self, path: &Path, code: &[u8]) -> Result<(), Error> {
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        write().map_err(|source| Error::Cache { path: path.to_owned(), source })?;
        self.prune();
        Ok(())
    }

    /// Keeps the newest entries: each version of a component leaves one behind.
    fn prune(&self) {
        let Ok(files) = fs::read_dir(&self.directory) else { return };
        let mut entries: Vec<_> = files
            .filter_map(|file| {
                let file = file.ok()?;
                Some((file.metadata().ok()?.modified().ok()?, file.path()))
            })
            .collect();
        entries.sort();
        for (_, old) in entries.iter().rev().skip(MAX_ENTRIES) {
            // What stays is tried again next time.
            let _ = fs::remove_file(old);
        }
    }
}
