//! What a component imports and exports, for the artefact's configuration.

use crate::Error;
use serde::Serialize;
use wasmparser::{Encoding, Parser, Payload};

/// The part `component` of the configuration.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
}

impl Component {
    /// Reads the names from the component's outermost level.
    ///
    /// # Errors
    /// [`Error::NotAComponent`].
    pub(crate) fn read(wasm: &[u8]) -> Result<Self, Error> {
        let malformed = |error: wasmparser::BinaryReaderError| Error::NotAComponent(error.to_string());
        let mut component = Self { exports: Vec::new(), imports: Vec::new() };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(malformed)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(Error::NotAComponent("it is a core module".into()));
                }
                // Payloads of nested modules and components come in line.
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        component.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        component.exports.push(export.map_err(malformed)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_refused_with_the_reason() {
        for bytes in [&b""[..], b"#!/bin/sh", b"\0asm\x01\0\0\0"] {
            assert!(matches!(Component::read(bytes), Err(Error::NotAComponent(_))));
        }
        assert_eq!(
            Component::read(b"\0asm\x0d\0\x01\0").unwrap(),
            Component { exports: Vec::new(), imports: Vec::new() }
        );
    }
}
