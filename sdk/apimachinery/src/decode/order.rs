//! The paths of unknown and duplicate fields, in the order of the document.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{
    collections::{BTreeSet, HashSet},
    fmt::{self, Write as _},
};

/// The most strict errors that are told (`sigs.k8s.io/json`).
const MAX_ERRORS: usize = 100;

/// `unknown field "a.b"` and `duplicate field "c"` of a JSON body, in the order in which a typed decoder meets them.
/// `unknown` are the paths that the type does not know. Members of unknown fields are not looked at.
pub fn strict_errors(body: &[u8], unknown: &[String]) -> Vec<String> {
    let mut walk = Walk {
        unknown: unknown.iter().map(String::as_str).collect(),
        path: String::new(),
        errors: Vec::new(),
        told: HashSet::new(),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    if (Place(&mut walk)).deserialize(&mut deserializer).is_err() {
        // The body was read before, so this is one that is not JSON: its order is not known.
        return unknown.iter().take(MAX_ERRORS).map(|path| format!("unknown field {path:?}")).collect();
    }
    walk.errors
}

struct Walk<'a> {
    unknown: BTreeSet<&'a str>,
    path: String,
    errors: Vec<String>,
    told: HashSet<String>,
}

impl Walk<'_> {
    fn tell(&mut self, what: &str) {
        let error = format!("{what} field {:?}", self.path);
        if self.errors.len() < MAX_ERRORS && self.told.insert(error.clone()) {
            self.errors.push(error);
        }
    }
}

struct Place<'w, 'a>(&'w mut Walk<'a>);

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let length = self.0.path.len();
        for index in 0.. {
            // Writing to a String cannot fail.
            let _ = write!(self.0.path, "[{index}]");
            let more = items.next_element_seed(Place(self.0))?.is_some();
            self.0.path.truncate(length);
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let length = self.0.path.len();
        let mut seen = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if length > 0 {
                self.0.path.push('.');
            }
            self.0.path.push_str(&key);
            if self.0.unknown.contains(self.0.path.as_str()) {
                self.0.tell("unknown");
                members.next_value::<IgnoredAny>()?;
            } else {
                if !seen.insert(key) {
                    self.0.tell("duplicate");
                }
                members.next_value_seed(Place(self.0))?;
            }
            self.0.path.truncate(length);
        }
        Ok(())
    }
}
