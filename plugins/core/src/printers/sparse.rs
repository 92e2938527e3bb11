//! Reading an object for its row: most of it is passed over, and never becomes a value.

use chainplate_sdk::apimachinery::{Map, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Whether no column of any type looks into lists and objects that a member of this name holds. A text under such a name
/// is kept: labels have any name.
fn is_unseen(name: &str) -> bool {
    matches!(
        name,
        "affinity"
            | "args"
            | "command"
            | "env"
            | "envFrom"
            | "imagePullSecrets"
            | "lifecycle"
            | "livenessProbe"
            | "managedFields"
            | "readinessProbe"
            | "resources"
            | "securityContext"
            | "startupProbe"
            | "tolerations"
            | "topologySpreadConstraints"
            | "volumeMounts"
            | "volumes"
    )
}

/// Reads an object without what is unseen.
///
/// # Errors
/// What is no JSON.
pub(super) fn read(json: &[u8]) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Sparse { seen: true }.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

#[derive(Clone, Copy)]
struct Sparse {
    seen: bool,
}

impl<'de> DeserializeSeed<'de> for Sparse {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sparse {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if !self.seen {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        if !self.seen {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let seen = !is_unseen(&name);
            let value = members.next_value_seed(Sparse { seen })?;
            if seen || !value.is_null() {
                map.insert(name, value);
            }
        }
        Ok(map.into())
    }
}
