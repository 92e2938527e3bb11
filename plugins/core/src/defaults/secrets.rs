//! What the write strategy of Secrets does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chainplate_apimachinery::{Map, Value};

/// Moves `stringData` into `data`, encoded; a key of `stringData` wins, an empty `stringData` vanishes
/// (`pkg/apis/core/v1/conversion.go`).
pub fn merge_string_data(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    let Some(Value::Object(strings)) = object.remove("stringData") else { return };
    if strings.is_empty() {
        return;
    }
    let data = object.entry("data").or_insert_with(|| Map::new().into());
    if data.is_null() {
        *data = Map::new().into();
    }
    if let Value::Object(data) = data {
        for (key, text) in strings {
            data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn string_data_wins_over_data() {
        let mut secret = json!({"data": {"a": "b2xk", "b": "Yg=="}, "stringData": {"a": "new", "c": ""}});
        merge_string_data(&mut secret);
        assert_eq!(secret, json!({"data": {"a": "bmV3", "b": "Yg==", "c": ""}}));
    }
}
