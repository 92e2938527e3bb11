//! The chain's configuration as a document: what a plugin's entry looks like, where it stands, and what it grants. The
//! host's own reading of the file is another matter, and stricter.

use crate::{Error, read_text};
use chainplate_manifest::Capabilities;
use serde::Serialize;
use serde_json::Value;
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// Reads a chain configuration. Relative paths of components are resolved against its directory.
///
/// # Errors
/// A file that cannot be read, or lists no components.
pub fn read(path: &Path) -> Result<Value, Error> {
    let mut chain: Value = serde_saphyr::from_str(&read_text(path)?)
        .map_err(|error| Error::unfit(path, format!("it is no YAML: {error}")))?;
    let Some(components) = chain.get_mut("components").and_then(Value::as_array_mut) else {
        return Err(Error::unfit(path, "it lists no components; give a ServerChainConfiguration"));
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    for component in components {
        if let Some(file) = component.pointer_mut("/source/path")
            && let Some(relative) = file.as_str()
        {
            *file = Value::String(directory.join(relative).to_string_lossy().into_owned());
        }
    }
    Ok(chain)
}

/// A plugin's entry: its file, and all that it asks for.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    name: &'a str,
    source: Source<'a>,
    #[serde(skip_serializing_if = "is_nothing")]
    grants: &'a Capabilities,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    path: Cow<'a, str>,
}

fn is_nothing(wants: &&Capabilities) -> bool {
    **wants == Capabilities::default()
}

impl<'a> Entry<'a> {
    /// The entry of a plugin by that name, in that file.
    pub fn new(name: &'a str, file: &'a Path, wants: &'a Capabilities) -> Self {
        Self { name, source: Source { path: file.to_string_lossy() }, grants: wants }
    }
}

/// Puts an entry in front of the core server, or at the end of a chain without one.
pub fn insert(chain: &mut Value, entry: Value) {
    if let Some(components) = chain.get_mut("components").and_then(Value::as_array_mut) {
        let core = components.iter().position(|it| it["source"]["builtin"] == "core");
        components.insert(core.unwrap_or(components.len()), entry);
    }
}

/// Changes a chain: of components that it has, by name, those members that `changes` names; components that it has not
/// come in front of core.
pub fn overlay(chain: &mut Value, changes: &Value) {
    for change in changes["components"].as_array().into_iter().flatten() {
        let components = chain["components"].as_array_mut();
        let there = components.and_then(|all| all.iter_mut().find(|it| it["name"] == change["name"]));
        if let (Some(Value::Object(component)), Some(members)) = (there, change.as_object()) {
            component.extend(members.clone());
        } else {
            insert(chain, change.clone());
        }
    }
}

/// The entry of a plugin: the one that names its file, or else the one of its name.
pub fn find<'a>(chain: &'a Value, name: &str, file: &Path) -> Option<&'a Value> {
    let components = chain["components"].as_array()?;
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let file = canonical(file);
    let of_file = |it: &&Value| {
        it["source"]["path"].as_str().map(|it| canonical(&PathBuf::from(it))) == Some(file.clone())
    };
    components.iter().find(of_file).or_else(|| components.iter().find(|it| it["name"] == name))
}

/// What an entry grants.
///
/// # Errors
/// Grants that are not understood.
pub fn granted(entry: &Value) -> Result<Capabilities, String> {
    let Some(grants) = entry.get("grants") else { return Ok(Capabilities::default()) };
    serde_json::from_value(grants.clone())
        .map_err(|error| format!("component {}: grants: {error}", entry["name"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn own() -> Value {
        json!({"kind": "ServerChainConfiguration", "components": [
            {"name": "aggregator", "source": {"builtin": "aggregator"}},
            {"name": "core", "source": {"builtin": "core"}, "grants": {"groups": ["*"]}},
        ]})
    }

    fn names(chain: &Value) -> Vec<&str> {
        chain["components"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_plugin_stands_in_front_of_core_with_what_it_wants() {
        let wants = serde_json::from_value(json!({"groups": ["a.example.com"]})).unwrap();
        let mut chain = own();
        insert(&mut chain, json!(Entry::new("a", Path::new("a.wasm"), &wants)));
        assert_eq!(names(&chain), ["aggregator", "a", "core"]);
        let entry = find(&chain, "a", Path::new("elsewhere.wasm")).unwrap();
        assert_eq!(granted(entry).unwrap(), wants);
        let nothing = json!(Entry::new("a", Path::new("a.wasm"), &Capabilities::default()));
        assert_eq!(nothing, json!({"name": "a", "source": {"path": "a.wasm"}}));
    }

    #[test]
    fn an_overlay_changes_members_of_components_by_name() {
        let mut chain = own();
        overlay(
            &mut chain,
            &json!({"components": [
                {"name": "core", "configuration": {"x": 1}},
                {"name": "new", "source": {"path": "new.wasm"}},
            ]}),
        );
        assert_eq!(names(&chain), ["aggregator", "new", "core"]);
        assert_eq!(chain["components"][2]["configuration"], json!({"x": 1}));
        assert_eq!(chain["components"][2]["grants"], json!({"groups": ["*"]}));
    }

    #[test]
    fn an_entry_is_found_by_its_file_before_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chain.yaml");
        std::fs::write(
            &file,
            "components: [{name: a, source: {path: b.wasm}}, {name: b, source: {path: c.wasm}}]",
        )
        .unwrap();
        let chain = read(&file).unwrap();
        assert_eq!(find(&chain, "b", &directory.path().join("b.wasm")).unwrap()["name"], "a");
        assert_eq!(find(&chain, "b", Path::new("other.wasm")).unwrap()["name"], "b");
        assert_eq!(find(&chain, "c", Path::new("other.wasm")), None);
    }

    #[test]
    fn grants_that_are_not_understood_are_told_with_the_component() {
        let told = granted(&json!({"name": "a", "grants": {"grup": []}})).unwrap_err();
        assert!(told.contains("\"a\"") && told.contains("grup"), "{told}");
    }
}
