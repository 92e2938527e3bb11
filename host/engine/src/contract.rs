//! Which contract a component was built against, read from its bytes before anything is compiled.

use crate::{CONTRACT_VERSION, Error};
use wasmparser::{Encoding, Parser, Payload};

/// The imports and exports of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Every imported instance, `chainplate:server/storage@0.2.0`, `wasi:io/streams@0.2.6`.
    pub imports: Vec<String>,
    /// Every exported instance.
    pub exports: Vec<String>,
}

const PACKAGE: &str = "chainplate:server/";

/// The worlds of the contract, each with the interface that is its heart.
const WORLDS: [(&str, &str); 5] = [
    ("server", "handler"),
    ("admission", "admission-hooks"),
    ("converter", "version-conversion"),
    ("authenticator", "token-review"),
    ("authorizer", "access-review"),
];

impl Contract {
    /// Reads the names from a component's outermost level, whatever they are.
    ///
    /// # Errors
    /// [`Error::NotAComponent`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |error: wasmparser::BinaryReaderError| Error::NotAComponent(error.to_string());
        let mut contract = Self { imports: Vec::new(), exports: Vec::new() };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(Error::NotAComponent("it is a core module".into()));
                }
                // Payloads of nested modules and components come in line: only the outermost level counts.
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        contract.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        contract.exports.push(export.map_err(malformed)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(contract)
    }

    /// The worlds that the component is of.
    pub fn worlds(&self) -> Vec<&'static str> {
        let exports = |heart: &str| {
            self.exports.iter().any(|name| {
                let interface = name.strip_prefix(PACKAGE).and_then(|rest| rest.split('@').next());
                interface == Some(heart)
            })
        };
        WORLDS.iter().filter(|(_, heart)| exports(heart)).map(|(world, _)| *world).collect()
    }

    /// The version of `chainplate:server` that the component was built against.
    pub fn version(&self) -> Option<&str> {
        let all = self.imports.iter().chain(&self.exports);
        all.filter_map(|name| name.strip_prefix(PACKAGE)?.split_once('@')).map(|(_, version)| version).next()
    }
}

/// Reads the contract of a component and checks that this host can serve it.
///
/// # Errors
/// [`Error::Precompiled`], [`Error::NotAComponent`], [`Error::NoWorld`], or [`Error::Contract`] with the version that the
/// component wants.
pub fn contract_of(bytes: &[u8]) -> Result<Contract, Error> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(Error::Precompiled);
    }
    let contract = Contract::read(bytes)?;
    for name in contract.imports.iter().chain(&contract.exports) {
        let Some(rest) = name.strip_prefix(PACKAGE) else { continue };
        let version = rest.split_once('@').map_or("", |(_, version)| version);
        if !compatible(version) {
            return Err(Error::Contract { wanted: format!("chainplate:server@{version} ({name})") });
        }
    }
    if contract.worlds().is_empty() {
        return Err(Error::NoWorld);
    }
    Ok(contract)
}

/// Whether a component of that version links: the same track (major, or minor below 1.0) and no newer.
fn compatible(version: &str) -> bool {
    fn parse(version: &str) -> Option<(u64, u64, u64)> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??, parts.next()??))
    }
    let (Some(wanted), Some(have)) = (parse(version), parse(CONTRACT_VERSION)) else { return false };
    let track = |(major, minor, _): (u64, u64, u64)| if major > 0 { (major, 0) } else { (0, minor) };
    track(wanted) == track(have) && wanted <= have
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_same_track_link_unless_they_are_newer() {
        assert!(compatible("0.2.0"));
        assert!(!compatible("0.2.1"));
        assert!(!compatible("0.1.0"));
        assert!(!compatible("1.0.0"));
        assert!(!compatible(""));
    }

    #[test]
    fn bytes_that_are_no_component_are_refused_with_the_reason() {
        assert!(matches!(contract_of(b"#!/bin/sh"), Err(Error::NotAComponent(_))));
        assert!(matches!(contract_of(b"\0asm\x01\0\0\0"), Err(Error::NotAComponent(_))));
        // An empty component.
        assert!(matches!(contract_of(b"\0asm\x0d\0\x01\0"), Err(Error::NoWorld)));
    }
}
