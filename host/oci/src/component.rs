//! What a component imports and exports, for the artefact's configuration.

use crate::Error;
use chainplate_engine::Contract;
use serde::Serialize;

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
        match Contract::read(wasm) {
            Ok(Contract { imports, exports }) => Ok(Self { exports, imports }),
            Err(chainplate_engine::Error::NotAComponent(why)) => Err(Error::NotAComponent(why)),
            Err(other) => Err(Error::NotAComponent(other.to_string())),
        }
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
