//! YAML as Go writes it (`sigs.k8s.io/yaml`), so that answers compare equal.

use serde_json::Value;

/// Writes a JSON document as YAML.
///
/// # Errors
/// If `json` is not JSON.
pub fn from_json(json: &[u8]) -> Result<String, serde_json::Error> {
    let value: Value = serde_json::from_slice(json)?;
    Ok(format!("{value}\n"))
}
