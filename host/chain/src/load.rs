//! From a configuration to loaded components.

use crate::{
    admission::{Hook, Policies},
    config::{ComponentConfiguration, Signature, Source},
    conversions::Conversions,
    instance::State,
    metrics::Metrics,
    outbound,
    plugin::{self, Plugin, PluginParts},
    shared::Shared,
    tokens::Tokens,
};
use chainplate_engine::{CodeCache, Trust};
use chainplate_manifest::{Capabilities, Manifest, Phase, Role};
use chainplate_oci::signature::PublicKey;
use chainplate_storage::Store;
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use wasmtime::component::{Component, Linker};

/// A component that ships with the host.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// The component.
    pub wasm: &'static [u8],
    /// The digest of the component, `sha256:<hex>`.
    pub digest: &'static str,
    /// Its code, precompiled by the program's own build for [`Trust::Shipped`].
    pub precompiled: &'static [u8],
}

/// What chains stand on.
pub struct Host {
    store: Store,
    shipped: fn(&str) -> Option<Shipped>,
    code_cache: PathBuf,
    metrics: Metrics,
    tokens: Option<Arc<dyn Tokens>>,
    /// Made when first needed, kept for the chains that follow: by [`Trust`].
    engines: Mutex<[Option<Arc<Linked>>; 2]>,
}

impl Host {
    /// A host for chains over a store. `shipped` finds a shipped component by name; compiled third-party code is kept in
    /// the directory `code_cache`, which is made when the first such component is loaded.
    pub fn new(
        store: Store,
        shipped: fn(&str) -> Option<Shipped>,
        code_cache: PathBuf,
        metrics: Metrics,
    ) -> Self {
        Self { store, shipped, code_cache, metrics, tokens: None, engines: Mutex::default() }
    }

    /// Has components that are granted it ask for tokens there. Without it there are none.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn Tokens>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    pub(crate) fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        self.tokens.clone()
    }

    /// The store behind all collections.
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn linked(&self, name: &str, trust: Trust) -> Result<Arc<Linked>, Error> {
        let mut engines = self.engines.lock();
        let slot = &mut engines[usize::from(trust == Trust::ThirdParty)];
        if let Some(linked) = slot {
            return Ok(Arc::clone(linked));
        }
        let engine = chainplate_engine::engine(trust)
            .map_err(|error| Error::Engine { name: name.to_owned(), error })?;
        let broken = |why: String| Error::Start { name: name.to_owned(), why };
        let mut linker = plugin::linker(&engine).map_err(|error| broken(format!("{error:#}")))?;
        if trust == Trust::ThirdParty {
            outbound::link(&mut linker).map_err(|error| broken(format!("{error:#}")))?;
            tick(&engine).map_err(|error| broken(format!("no thread for interruptions: {error}")))?;
        }
        let linked = Arc::new(Linked { engine, linker });
        *slot = Some(Arc::clone(&linked));
        Ok(linked)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("code_cache", &self.code_cache).finish_non_exhaustive()
    }
}

/// Why a chain cannot be made. Each message names the component and the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An engine or a component's code.
    #[error("component {name:?}: {error}")]
    Engine {
        /// The component.
        name: String,
        /// Why.
        error: chainplate_engine::Error,
    },
    /// A component's manifest.
    #[error("component {name:?}: {error}; build it anew with a correct plugin.yaml")]
    Manifest {
        /// The component.
        name: String,
        /// Why.
        error: chainplate_manifest::Error,
    },
    /// A shipped component that this host has not.
    #[error(
        "component {name:?}: this host ships no {builtin:?}; it ships aggregator, core and apiextensions"
    )]
    UnknownBuiltin {
        /// The component.
        name: String,
        /// What it asks for.
        builtin: String,
    },
    /// A component's file.
    #[error("component {name:?}: {}: {error}", path.display())]
    Read {
        /// The component.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A component's file that is not the one that the configuration names.
    #[error(
        "component {name:?}: {} has the digest {found}, the configuration says {wanted}; restore the file or correct digest",
        path.display()
    )]
    Digest {
        /// The component.
        name: String,
        /// Its file.
        path: PathBuf,
        /// The digest of the file.
        found: String,
        /// The digest in the configuration.
        wanted: String,
    },
    /// A component's file that is not signed as the configuration demands.
    #[error("component {name:?}: signature {}: {why}; restore the file and its signature, or correct signature", file.display())]
    Signature {
        /// The component.
        name: String,
        /// The signature's file, or the key's.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// What a component is, and was not granted to be.
    #[error(
        "component {name:?} is {}, which it was not granted; add `roles: [{}]` to grants of this component, or take it out of the chain",
        list(roles),
        list(roles)
    )]
    Role {
        /// The component.
        name: String,
        /// What it is.
        roles: Vec<Role>,
    },
    /// A component that does not link.
    #[error(
        "component {name:?} does not fit this host: {why}; build it with the SDK of this host \
         (chainplate:server@{})",
        chainplate_engine::CONTRACT_VERSION
    )]
    Link {
        /// The component.
        name: String,
        /// What it imports that the host has not, or does not export.
        why: String,
    },
    /// A component that does not start.
    #[error(
        "component {name:?} does not start: {why}; correct its configuration or take it out of the chain"
    )]
    Start {
        /// The component.
        name: String,
        /// Why.
        why: String,
    },
}

fn list(roles: &[Role]) -> String {
    roles.iter().map(Role::to_string).collect::<Vec<_>>().join(", ")
}

/// An engine with everything linked that a component may import.
struct Linked {
    engine: wasmtime::Engine,
    linker: Linker<State>,
}

/// What is known of a component before it runs.
struct Code {
    component: Component,
    digest: String,
    manifest: Option<Manifest>,
}

/// Loads a component, links it and starts one instance.
///
/// # Errors
/// Why it does not come up.
pub(crate) async fn load(
    host: &Host,
    shared: &Arc<Shared>,
    configuration: &ComponentConfiguration,
) -> Result<Arc<Plugin>, Error> {
    let name = &configuration.name;
    let broken = |why: String| Error::Start { name: name.clone(), why };
    let trust = match &configuration.source {
        Source::Builtin(_) => Trust::Shipped,
        Source::Path(_) => Trust::ThirdParty,
    };
    let linked = host.linked(name, trust)?;
    let code = match &configuration.source {
        Source::Builtin(builtin) => {
            let unknown = || Error::UnknownBuiltin { name: name.clone(), builtin: builtin.clone() };
            let shipped = (host.shipped)(builtin).ok_or_else(unknown)?;
            load_shipped(name, shipped, &host.code_cache, &linked.engine).await?
        }
        Source::Path(path) => {
            let wanted =
                Wanted { digest: configuration.digest.clone(), signature: configuration.signature.clone() };
            load_file(name, path, wanted, &host.code_cache, &linked.engine).await?
        }
    };
    let json = serde_json::to_vec(&configuration.configuration).map_err(|error| broken(error.to_string()))?;
    let limits = configuration.limits.effective(trust);
    let outbound = outbound::Client::load(configuration, &limits, host.metrics.outbound(name));
    let parts = PluginParts {
        name,
        digest: code.digest,
        grants: &configuration.grants,
        limits,
        failure_policy: configuration.failure_policy,
        trust,
        metrics: host.metrics.plugin(name),
        outbound: outbound.await.map_err(broken)?,
        store: &host.store,
        shared,
    };
    let plugin = Plugin::new(parts, &linked.linker, &code.component, json.into(), code.manifest)
        .map_err(|error| Error::Link { name: name.clone(), why: format!("{error:#}") })?;
    check_roles(&plugin, &configuration.grants)?;
    tell_missing(&plugin, &configuration.grants);
    let (component_name, version) = plugin.describe().await.map_err(|fault| broken(fault.to_string()))?;
    tracing::info!(
        plugin = name,
        component = component_name,
        version,
        digest = plugin.digest(),
        "component loaded"
    );
    Ok(plugin)
}

/// Holds what a component is against what it may be.
fn check_roles(plugin: &Plugin, grants: &Capabilities) -> Result<(), Error> {
    let broken = |why: &str| Error::Start { name: plugin.name().to_owned(), why: why.to_owned() };
    let declared = plugin.manifest().map(Manifest::roles).unwrap_or_default();
    let hooks = declared.contains(&Role::Mutating) || declared.contains(&Role::Validating);
    if plugin.has_admission() && !hooks {
        return Err(broken("it is of the world admission, but its manifest declares no admission hooks"));
    }
    if hooks && !plugin.has_admission() {
        return Err(broken("its manifest declares admission hooks, but it is not of the world admission"));
    }
    if plugin.is_converter() != declared.contains(&Role::Converter) {
        return Err(broken(
            "world converter and `conversions` of the manifest go together, and it has one of them",
        ));
    }
    let roles: BTreeSet<Role> = plugin.exported_roles().into_iter().chain(declared).collect();
    let refused: Vec<Role> = roles.into_iter().filter(|role| !grants.roles.contains(role)).collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Error::Role { name: plugin.name().to_owned(), roles: refused })
    }
}

/// Tells the operator what a component asked for and did not get.
fn tell_missing(plugin: &Plugin, grants: &Capabilities) {
    let Some(manifest) = plugin.manifest() else { return };
    let missing = manifest.wants.missing(grants);
    if !missing.is_empty() {
        tracing::warn!(
            plugin = plugin.name(),
            "it asks for what it was not granted: {}; add it to grants of this component if it should have it",
            missing.join(", ")
        );
    }
}

/// The hooks and conversions of loaded components, in the order of the chain.
///
/// # Errors
/// Narrowings of hooks that there are not, and kinds that two components convert.
pub(crate) fn register(
    shared: &Shared,
    plugins: &[Arc<Plugin>],
    configurations: &[ComponentConfiguration],
) -> Result<(), Error> {
    let mut policies = Policies::default();
    let mut conversions = Conversions::default();
    for (plugin, configuration) in plugins.iter().zip(configurations) {
        let broken = |why: String| Error::Start { name: plugin.name().to_owned(), why };
        conversions.add(plugin).map_err(broken)?;
        let declared = plugin.manifest().map(|manifest| &*manifest.admission).unwrap_or_default();
        for narrowing in &configuration.admission {
            if !declared.iter().any(|hook| hook.name == narrowing.name) {
                let why = format!(
                    "the configuration narrows the admission hook {:?}, which it has not",
                    narrowing.name
                );
                return Err(broken(why));
            }
        }
        for hook in declared {
            let narrowing = configuration.admission.iter().find(|narrowing| narrowing.name == hook.name);
            if narrowing.is_some_and(|narrowing| narrowing.disabled) {
                continue;
            }
            let ready = Hook::new(plugin, hook, narrowing).map_err(broken)?;
            match hook.phase {
                Phase::Mutating => policies.mutating.push(ready),
                Phase::Validating => policies.validating.push(ready),
            }
        }
    }
    // A chain is loaded once.
    let _ = shared.policies.set(policies);
    let _ = shared.conversions.set(conversions);
    Ok(())
}

/// Has third-party code yield every [`chainplate_engine::EPOCH`], as long as the engine lives.
///
/// A thread of its own: were it a task, code that loops on every worker would keep it from ever ending that.
fn tick(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let run = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(chainplate_engine::EPOCH);
        }
    };
    std::thread::Builder::new().name("epochs".into()).spawn(run).map(drop)
}

/// Loads a shipped component, off the runtime's threads.
async fn load_shipped(
    name: &str,
    shipped: Shipped,
    cache: &Path,
    engine: &wasmtime::Engine,
) -> Result<Code, Error> {
    let (cache, engine) = (cache.to_owned(), engine.clone());
    let load = move || {
        let Shipped { wasm, digest, precompiled } = shipped;
        let component = CodeCache::open(cache)?.load_shipped(&engine, precompiled, wasm, digest)?;
        Ok(Code { component, digest: digest.to_owned(), manifest: None })
    };
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => loaded.map_err(|error| Error::Engine { name: name.to_owned(), error }),
        Err(died) => Err(Error::Start { name: name.to_owned(), why: format!("loading it failed: {died}") }),
    }
}

/// What a component's file must be.
struct Wanted {
    digest: Option<String>,
    signature: Option<Signature>,
}

/// Holds a file against its signature.
fn verify(name: &str, wasm: &[u8], signature: &Signature) -> Result<(), Error> {
    let failed =
        |file: &Path, why: String| Error::Signature { name: name.to_owned(), file: file.to_owned(), why };
    let read = |file: &Path| std::fs::read_to_string(file).map_err(|error| failed(file, error.to_string()));
    let key = PublicKey::from_pem(read(&signature.key)?.as_bytes())
        .map_err(|error| failed(&signature.key, error.to_string()))?;
    let text = read(&signature.file)?;
    key.verify_blob(wasm, text.trim()).map_err(|error| failed(&signature.file, error.to_string()))
}

/// Reads and compiles a third-party component, off the runtime's threads.
async fn load_file(
    name: &str,
    path: &Path,
    wanted: Wanted,
    cache: &Path,
    engine: &wasmtime::Engine,
) -> Result<Code, Error> {
    let (owned_name, path, cache, engine) =
        (name.to_owned(), path.to_owned(), cache.to_owned(), engine.clone());
    let load = move || {
        let name = owned_name;
        let engine_error = |error| Error::Engine { name: name.clone(), error };
        let wasm = read_bounded(&path).map_err(|error| Error::Read {
            name: name.clone(),
            path: path.clone(),
            error,
        })?;
        let found = CodeCache::digest(&wasm);
        if let Some(signature) = &wanted.signature {
            verify(&name, &wasm, signature)?;
        }
        if let Some(wanted) = wanted.digest.filter(|wanted| *wanted != found) {
            return Err(Error::Digest { name: name.clone(), path, found, wanted });
        }
        chainplate_engine::contract_of(&wasm).map_err(engine_error)?;
        let manifest = chainplate_manifest::section::read(&wasm)
            .map_err(|error| Error::Manifest { name: name.clone(), error })?;
        let code = CodeCache::open(cache).and_then(|cache| cache.load(&engine, &wasm));
        let component = code.map_err(engine_error)?;
        Ok(Code { component, digest: found, manifest })
    };
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => loaded,
        Err(died) => Err(Error::Start { name: name.to_owned(), why: format!("loading it failed: {died}") }),
    }
}

/// A file, unless it is larger than any component may be.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = chainplate_engine::MAX_COMPONENT_SIZE;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        let why = format!(
            "it is larger than {} MiB, the limit for components; build it optimized and without debug information",
            limit >> 20
        );
        return Err(std::io::Error::other(why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_oci::signature::PrivateKey;

    #[test]
    fn a_file_must_bear_the_signature_that_the_configuration_names() {
        let directory = tempfile::tempdir().unwrap();
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let key = PrivateKey::from_pem(pem.as_bytes()).unwrap();
        let signature =
            Signature { key: directory.path().join("cosign.pub"), file: directory.path().join("a.sig") };
        let refused = verify("a", b"wasm", &signature).unwrap_err().to_string();
        assert!(refused.contains("cosign.pub"), "no key: {refused}");
        std::fs::write(&signature.key, key.public_key().to_pem()).unwrap();
        std::fs::write(&signature.file, key.sign_blob(b"wasm").unwrap()).unwrap();
        verify("a", b"wasm", &signature).unwrap();
        let refused = verify("a", b"other", &signature).unwrap_err().to_string();
        assert!(refused.contains("\"a\"") && refused.contains("a.sig"), "{refused}");
    }
}
