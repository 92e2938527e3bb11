//! From a project, or from a component of any language, to a component with its manifest.

use crate::{Component, Error, MANIFEST, Package, read_text, replace};
use chainplate_engine::Contract;
use chainplate_manifest::{Manifest, Role, section};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A component with its manifest.
#[derive(Debug)]
pub struct Built {
    /// Where it was written.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The size of the file, in bytes.
    pub size: usize,
}

/// Builds the Rust project in a directory with one of Cargo's profiles. The component is written to `output`, or else to
/// `<name>.wasm` in Cargo's target directory.
///
/// # Errors
/// What does not build, or the manifest's faults.
pub fn build(directory: &Path, profile: &str, output: Option<&Path>) -> Result<Built, Error> {
    let package = Package::of(directory)?;
    // Before the minutes that a build may take.
    let manifest = read_manifest(&directory.join(MANIFEST))?;
    let artefact = package.build(profile)?;
    let output = match output {
        Some(output) => output.to_owned(),
        None => package.target.join(format!("{}.wasm", name(&manifest, &package))),
    };
    finish(&artefact, manifest, Some(&package), &output)
}

/// Puts a manifest into a component that another tool has built.
///
/// # Errors
/// What is wrong with the component or the manifest.
pub fn assemble(component: &Path, manifest: &Path, output: &Path) -> Result<Built, Error> {
    let read = read_manifest(manifest)?;
    if read.name.is_empty() || read.version.is_empty() {
        return Err(Error::unfit(manifest, "name or version is missing; no Cargo.toml says them here"));
    }
    finish(component, read, None, output)
}

fn finish(
    component: &Path,
    mut manifest: Manifest,
    package: Option<&Package>,
    output: &Path,
) -> Result<Built, Error> {
    let bytes = fs::read(component).map_err(|source| Error::File { path: component.to_owned(), source })?;
    let component = Component::from_bytes(component, bytes)?;
    fill(&mut manifest, package, &component.contract);
    let bytes = section::write(&component.bytes, &manifest)
        .map_err(|source| Error::Manifest { path: component.path.clone(), source })?;
    replace(output, &bytes)?;
    Ok(Built { path: output.to_owned(), manifest, size: bytes.len() })
}

fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    if !path.exists() {
        let why = "it is missing; it says what the plugin is and wants: `apiVersion: chainplate.dev/v1alpha1`, \
                   `kind: Plugin` are enough to begin with";
        return Err(Error::unfit(path, why));
    }
    Manifest::parse(&read_text(path)?).map_err(|source| Error::Manifest { path: path.to_owned(), source })
}

fn name(manifest: &Manifest, package: &Package) -> String {
    if manifest.name.is_empty() {
        package.name.replace('_', "-").to_lowercase()
    } else {
        manifest.name.clone()
    }
}

/// Says what the author left to the build: who the plugin is, the version of the contract, and the roles that follow from
/// what it exports.
fn fill(manifest: &mut Manifest, package: Option<&Package>, contract: &Contract) {
    if let Some(package) = package {
        manifest.name = name(manifest, package);
        if manifest.version.is_empty() {
            manifest.version.clone_from(&package.version);
        }
        if manifest.description.is_empty() {
            manifest.description.clone_from(&package.description);
        }
    }
    manifest.contract = contract.version().unwrap_or_default().to_owned();
    let hooks = manifest.roles();
    manifest.wants.roles.extend(hooks);
    let roles = contract.worlds().into_iter().filter_map(|world| match world {
        "authenticator" => Some(Role::Authenticator),
        "authorizer" => Some(Role::Authorizer),
        // Hooks and conversions are in the manifest, and a server needs no role.
        _ => None,
    });
    manifest.wants.roles.extend(roles);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::tests::{HANDLER, component};

    fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    const NAMED: &str = "{apiVersion: chainplate.dev/v1alpha1, kind: Plugin, name: tokens, version: 1.2.0}";

    #[test]
    fn what_the_author_left_out_is_filled_in() {
        let directory = tempfile::tempdir().unwrap();
        let exports = ["chainplate:server/token-review@0.2.0"];
        let wasm = write(directory.path(), "in.wasm", component(&[], &exports));
        let manifest = write(directory.path(), "plugin.yaml", NAMED);
        let output = directory.path().join("out/tokens.wasm");
        let built = assemble(&wasm, &manifest, &output).unwrap();
        let read = Component::read(&output).unwrap();
        assert_eq!(read.manifest.as_ref(), Some(&built.manifest));
        assert_eq!(built.manifest.contract, "0.2.0");
        assert!(built.manifest.wants.roles.contains(&Role::Authenticator));
        assert_eq!(built.size, read.bytes.len());
    }

    #[test]
    fn cargo_says_who_the_plugin_is_where_the_manifest_does_not() {
        let metadata = r#"{"packages": [{"name": "my_tokens", "version": "0.3.0", "description": "Tokens",
            "manifest_path": "/w/Cargo.toml"}], "target_directory": "/w/target"}"#;
        let package = crate::cargo::tests::package(metadata, "/w/Cargo.toml");
        let contract = Contract { imports: Vec::new(), exports: vec![HANDLER.to_owned()] };
        let mut silent = Manifest::parse("{apiVersion: chainplate.dev/v1alpha1, kind: Plugin}").unwrap();
        fill(&mut silent, Some(&package), &contract);
        assert_eq!((silent.name.as_str(), silent.version.as_str()), ("my-tokens", "0.3.0"));
        assert_eq!(silent.description, "Tokens");
        let mut told = Manifest::parse(NAMED).unwrap();
        fill(&mut told, Some(&package), &contract);
        assert_eq!((told.name.as_str(), told.version.as_str()), ("tokens", "1.2.0"));
    }

    #[test]
    fn a_component_of_another_language_needs_a_full_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let wasm = write(directory.path(), "in.wasm", component(&[], &[HANDLER]));
        let manifest = directory.path().join("plugin.yaml");
        let output = directory.path().join("out.wasm");
        let told = assemble(&wasm, &manifest, &output).unwrap_err().to_string();
        assert!(told.contains("it is missing"), "{told}");
        fs::write(&manifest, "{apiVersion: chainplate.dev/v1alpha1, kind: Plugin}").unwrap();
        let told = assemble(&wasm, &manifest, &output).unwrap_err().to_string();
        assert!(told.contains("name or version is missing"), "{told}");
        assert!(!output.exists());
    }
}
