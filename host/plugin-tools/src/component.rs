//! A component file, looked at from outside.

use crate::Error;
use chainplate_engine::{CodeCache, Contract, MAX_COMPONENT_SIZE, contract_of};
use chainplate_manifest::{Manifest, section};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// Packages of WASI 0.2 that a host links: with nothing preopened, no network and no environment behind them.
const WASI: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// The contract's package.
const OWN: &str = "chainplate:server/";

/// A component that a host of this version might take, as far as its imports and exports tell.
#[derive(Debug, Clone)]
pub struct Component {
    /// The file that it came from.
    pub path: PathBuf,
    /// The file's content.
    pub bytes: Vec<u8>,
    /// What it imports and exports.
    pub contract: Contract,
    /// What it says of itself; none if no build put a manifest into it.
    pub manifest: Option<Manifest>,
}

impl Component {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, is too large, is no component, wants another version of the contract, or has a broken
    /// manifest.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let limit = MAX_COMPONENT_SIZE as u64;
        if size > limit {
            let why = format!("it has {size} bytes, {limit} are the limit; leave debug information out");
            return Err(Error::unfit(path, why));
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
        Self::from_bytes(path, bytes)
    }

    /// Looks at the content of `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, Error> {
        if is_core_module(&bytes) {
            let why = "it is a core module, not a component; build for the target wasm32-wasip2, or make a component \
                       of it: `wasm-tools component new` (with an adapter for WASI), componentize-py, jco componentize";
            return Err(Error::unfit(path, why));
        }
        let contract =
            contract_of(&bytes).map_err(|source| Error::Component { path: path.to_owned(), source })?;
        let manifest =
            section::read(&bytes).map_err(|source| Error::Manifest { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), bytes, contract, manifest })
    }

    /// Its name: the manifest's, or that of the file.
    pub fn name(&self) -> String {
        let told =
            self.manifest.as_ref().map(|manifest| manifest.name.clone()).filter(|name| !name.is_empty());
        told.unwrap_or_else(|| {
            self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        })
    }

    /// The digest that pins it, `sha256:<hex>`.
    pub fn digest(&self) -> String {
        CodeCache::digest(&self.bytes)
    }

    /// Imports that no host has.
    pub fn unknown_imports(&self) -> impl Iterator<Item = &str> {
        let known =
            |name: &&str| name.starts_with(OWN) || WASI.iter().any(|package| name.starts_with(package));
        self.contract.imports.iter().map(String::as_str).filter(move |name| !known(name))
    }
}

/// The header of a core module: layer 0, version 1.
fn is_core_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x01\0\0\0")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A component of nothing but a list of exports, each an empty instance, and of imports of the same form.
    pub(crate) fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
        fn leb(value: usize) -> u8 {
            assert!(value < 0x80, "one byte is enough here");
            u8::try_from(value).unwrap()
        }
        fn section(id: u8, content: &[u8]) -> Vec<u8> {
            assert!(content.len() < 0x4000);
            let size = [
                u8::try_from(content.len() & 0x7f).unwrap() | 0x80,
                u8::try_from(content.len() >> 7).unwrap(),
            ];
            [&[id][..], &size, content].concat()
        }
        fn name(name: &str) -> Vec<u8> {
            [&[0, leb(name.len())], name.as_bytes()].concat()
        }
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        // One instance type, empty.
        bytes.extend(section(7, &[1, 0x42, 0]));
        let all: Vec<u8> = imports.iter().flat_map(|it| [name(it), vec![5, 0]].concat()).collect();
        bytes.extend(section(10, &[&[leb(imports.len())], &all[..]].concat()));
        // One instance, of no exports.
        bytes.extend(section(5, &[1, 1, 0]));
        let own = leb(imports.len());
        let all: Vec<u8> = exports.iter().flat_map(|it| [name(it), vec![5, own, 0]].concat()).collect();
        bytes.extend(section(11, &[&[leb(exports.len())], &all[..]].concat()));
        bytes
    }

    pub(crate) const HANDLER: &str = "chainplate:server/handler@0.2.0";
    pub(crate) const HOOKS: &str = "chainplate:server/admission-hooks@0.2.0";

    pub(crate) fn of(imports: &[&str], exports: &[&str]) -> Component {
        Component::from_bytes(Path::new("test.wasm"), component(imports, exports)).unwrap()
    }

    #[test]
    fn imports_that_no_host_has_are_told() {
        let imports =
            ["wasi:io/streams@0.2.6", "wasi:http/types@0.2.6", "chainplate:server/http@0.2.0", "acme:x/y"];
        let component = of(&imports, &[HANDLER]);
        assert_eq!(component.unknown_imports().collect::<Vec<_>>(), ["wasi:http/types@0.2.6", "acme:x/y"]);
        assert_eq!(component.name(), "test");
    }

    #[test]
    fn a_core_module_is_refused_with_the_way_to_a_component() {
        let refused = Component::from_bytes(Path::new("a.wasm"), b"\0asm\x01\0\0\0".to_vec());
        let told = refused.unwrap_err().to_string();
        assert!(told.starts_with("a.wasm: it is a core module") && told.contains("component new"), "{told}");
    }

    #[test]
    fn another_version_of_the_contract_is_refused_with_both() {
        let old = component(&[], &["chainplate:server/handler@0.1.0"]);
        let told = Component::from_bytes(Path::new("a.wasm"), old).unwrap_err().to_string();
        assert!(told.contains("chainplate:server@0.1.0") && told.contains("@0.2.0"), "{told}");
    }

    #[test]
    fn a_file_over_the_limit_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large.wasm");
        File::create(&path).unwrap().set_len(MAX_COMPONENT_SIZE as u64 + 1).unwrap();
        let told = Component::read(&path).unwrap_err().to_string();
        assert!(told.contains("67108865 bytes, 67108864 are the limit"), "{told}");
    }
}
