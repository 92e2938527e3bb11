//! What the guides show is what there is: their YAML is understood, the first plugin is the template, and what the examples
//! want is what their guides grant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use chainplate_chain::config::ServerChainConfiguration;
use chainplate_manifest::Manifest;
use chainplate_plugin_tools::{
    Plan, Sdk, Template,
    cases::{Expected, Request},
    create,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(place: &str) -> String {
    let path = root().join(place);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The examples, by name.
fn examples() -> Vec<String> {
    let entries = fs::read_dir(root().join("plugins/examples")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The blocks of a language in a document.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let parts = text.split(&start).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// The entries of a chain in a block, which may show a part of the file.
fn entries(document: &Value) -> Option<&Value> {
    if document.is_array() { Some(document) } else { document.get("components") }
}

/// Reads a block as whatever it is.
fn understand(text: &str) -> Result<(), String> {
    let document: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    if document["kind"] == "Plugin" {
        return Manifest::parse(text).map(drop).map_err(|error| error.to_string());
    }
    if let Some(entries) = entries(&document) {
        let whole = json!({
            "apiVersion": document.get("apiVersion").unwrap_or(&json!("chainplate.dev/v1alpha1")),
            "kind": document.get("kind").unwrap_or(&json!("ServerChainConfiguration")),
            "components": entries,
        });
        let read = ServerChainConfiguration::parse("it", &whole.to_string());
        return read.map(drop).map_err(|error| error.to_string());
    }
    let of_case = |read: Result<(), serde_json::Error>| read.map_err(|error| error.to_string());
    if document.get("path").is_some() {
        return of_case(serde_json::from_value::<Request>(document).map(drop));
    }
    if document.get("code").is_some() {
        return of_case(serde_json::from_value::<Expected>(document).map(drop));
    }
    // An object for kubectl.
    let names = ["/apiVersion", "/kind", "/metadata/name"];
    match names.iter().find(|place| document.pointer(place).and_then(Value::as_str).is_none()) {
        None => Ok(()),
        Some(place) => Err(format!("it is nothing that is known, and no object: {place} is missing")),
    }
}

#[test]
fn every_document_in_the_guides_is_understood() {
    let examples = examples().into_iter().map(|name| format!("plugins/examples/{name}/README.md"));
    let guides = ["README.md", "sdk/README.md"].map(str::to_owned);
    for guide in guides.into_iter().chain(examples) {
        let blocks = blocks(&read(&guide), "yaml");
        assert!(!blocks.is_empty(), "{guide} shows no configuration");
        for block in blocks {
            understand(&block).unwrap_or_else(|why| panic!("{guide}: {why}\n{block}"));
        }
    }
}

#[test]
fn the_first_plugin_of_the_guide_is_what_new_makes() {
    let directory = tempfile::tempdir().unwrap();
    let sdk = Sdk::Version("0.1".into());
    let plan = Plan::new("greetings", Template::Server, "greetings.example.com", sdk).unwrap();
    create(&plan, directory.path()).unwrap();
    let made = fs::read_to_string(directory.path().join("src/lib.rs")).unwrap();
    let (_, made) = made.split_once("\n\n").expect("the crate's own comment comes first");
    let shown = blocks(&read("sdk/README.md"), "rust");
    assert_eq!(shown.first().map(String::as_str), Some(made), "sdk/README.md");
    let case = |name| fs::read_to_string(directory.path().join("cases/refuse").join(name)).unwrap();
    let message = |text: &str| serde_saphyr::from_str::<Value>(text).unwrap()["message"].clone();
    let expected = blocks(&read("sdk/README.md"), "yaml").pop().unwrap();
    assert_eq!(message(&expected), message(&case("expected.yaml")));
}

#[test]
fn the_guides_of_the_examples_grant_what_they_want() {
    for name in examples() {
        let manifest = Manifest::parse(&read(&format!("plugins/examples/{name}/plugin.yaml"))).unwrap();
        let guide = read(&format!("plugins/examples/{name}/README.md"));
        let documents = blocks(&guide, "yaml").into_iter();
        let documents: Vec<Value> = documents.map(|block| serde_saphyr::from_str(&block).unwrap()).collect();
        let all = documents.iter().filter_map(entries).filter_map(Value::as_array).flatten();
        let entry = all.into_iter().find(|entry| entry["name"] == name.as_str());
        let entry = entry.unwrap_or_else(|| panic!("{name}: its guide has no entry for the chain"));
        let granted = serde_json::from_value(entry["grants"].clone()).unwrap();
        // The build adds the roles.
        let mut wants = manifest.wants.clone();
        wants.roles.extend(manifest.roles());
        assert_eq!(wants.missing(&granted), [""; 0], "{name}");
    }
}

#[test]
fn the_examples_are_in_the_index() {
    let index = read("README.md");
    for name in examples() {
        let link = format!("](plugins/examples/{name}/README.md)");
        assert!(index.contains(&link), "README.md does not tell of {name}");
    }
}
