//! The manifest's place in a component: a custom section of JSON, at its outermost level.

use crate::{Error, Manifest};
use wasmparser::{Encoding, Parser, Payload};

/// The name of the section.
pub const NAME: &str = "chainplate:manifest";

/// The manifest of a component, if it has one.
///
/// # Errors
/// [`Error::NotAComponent`], or [`Error::Invalid`] for a section that is no manifest.
pub fn read(component: &[u8]) -> Result<Option<Manifest>, Error> {
    let Some(place) = find(component)? else { return Ok(None) };
    let text = std::str::from_utf8(place.content).map_err(|_| {
        Error::Invalid(vec![format!("the section {NAME} is no UTF-8; build the plugin anew")])
    })?;
    Manifest::parse(text).map(Some)
}

/// The component with this manifest in it, instead of the one that it had.
///
/// # Errors
/// [`Error::NotAComponent`], or [`Error::Invalid`] for a manifest that is too large.
pub fn write(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(manifest).map_err(|error| Error::Invalid(vec![error.to_string()]))?;
    if json.len() > crate::MAX_SIZE {
        return Err(Error::Invalid(vec![format!(
            "it has {} bytes, {} are the limit",
            json.len(),
            crate::MAX_SIZE
        )]));
    }
    let mut bytes = component.to_vec();
    if let Some(place) = find(component)? {
        bytes.drain(place.section);
    }
    // Sections of a component may stand in any order: the last place is as good as any.
    let mut section = leb(NAME.len());
    section.extend(NAME.bytes());
    section.extend(json);
    bytes.push(0);
    bytes.extend(leb(section.len()));
    bytes.extend(section);
    Ok(bytes)
}

struct Place<'a> {
    content: &'a [u8],
    /// The whole section, its id and size included.
    section: std::ops::Range<usize>,
}

fn find(component: &[u8]) -> Result<Option<Place<'_>>, Error> {
    let malformed = |error: wasmparser::BinaryReaderError| Error::NotAComponent(error.to_string());
    let mut depth = 0_usize;
    let mut end = 0;
    let mut found = None;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(malformed)?;
        match &payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(Error::NotAComponent("it is a core module".into()));
            }
            Payload::Version { range, .. } if depth == 0 => end = range.end,
            // Payloads of nested modules and components come in line: only the outermost level counts.
            Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } => {
                if depth == 0 {
                    end = unchecked_range.end;
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 => {
                if section.name() == NAME {
                    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                    let whole = place(end)..place(section.range().end);
                    found = Some(Place { content: section.data(), section: whole });
                }
                end = section.range().end;
            }
            other if depth == 0 => {
                if let Some((_, range)) = other.as_section() {
                    end = range.end;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// An unsigned integer in LEB128.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn manifest(name: &str) -> Manifest {
        Manifest::parse(&format!("{{apiVersion: chainplate.dev/v1alpha1, kind: Plugin, name: {name}}}"))
            .unwrap()
    }

    #[test]
    fn a_manifest_is_written_read_and_replaced() {
        assert_eq!(read(EMPTY).unwrap(), None);
        let first = write(EMPTY, &manifest("first")).unwrap();
        assert_eq!(read(&first).unwrap().unwrap().name, "first");
        let second = write(&first, &manifest("other")).unwrap();
        assert_eq!(read(&second).unwrap().unwrap().name, "other");
        assert_eq!(first.len(), second.len(), "the old one is gone");
        assert_eq!(&second[..8], EMPTY);
    }

    #[test]
    fn a_section_that_is_no_manifest_is_refused() {
        let mut bytes = EMPTY.to_vec();
        let section = [&[u8::try_from(NAME.len()).unwrap()], NAME.as_bytes(), b"\xff{"].concat();
        bytes.push(0);
        bytes.push(u8::try_from(section.len()).unwrap());
        bytes.extend(section);
        assert!(read(&bytes).unwrap_err().to_string().contains("no UTF-8"));
        assert!(matches!(read(b"\0asm\x01\0\0\0"), Err(Error::NotAComponent(_))));
        assert!(matches!(read(b"#!/bin/sh"), Err(Error::NotAComponent(_))));
    }
}
