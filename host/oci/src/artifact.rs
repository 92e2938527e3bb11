//! Push and pull of components in the standard layout.

use crate::component::Component;
use crate::registry::{Action, MAX_MANIFEST, Session};
use crate::{Access, Digest, Error, Reference};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The media type of a manifest with one configuration and its layers.
pub const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of a WebAssembly artefact's configuration.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The media type of the component.
pub const LAYER_MEDIA_TYPE: &str = "application/wasm";
/// The largest component that is pulled unless the caller says otherwise, in bytes.
pub const DEFAULT_LIMIT: u64 = 100 << 20;

/// What a pull takes. Others are named so that a registry sends them, and the message can say what is there.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// What is said of a component in its manifest, under the keys of the OCI image specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `org.opencontainers.image.title`: the plugin's name.
    pub name: Option<String>,
    /// `org.opencontainers.image.version`.
    pub version: Option<String>,
    /// `org.opencontainers.image.description`.
    pub description: Option<String>,
    /// `org.opencontainers.image.source`: where the source is.
    pub source: Option<String>,
    /// `org.opencontainers.image.licenses`: an SPDX expression.
    pub licenses: Option<String>,
    /// `org.opencontainers.image.created`; now, if not given. With the same time, the same component has the same digest.
    pub created: Option<jiff::Timestamp>,
    /// Any others, by their full keys. They win over the fields above.
    pub others: BTreeMap<String, String>,
}

impl Annotations {
    fn into_map(self, created: &str) -> BTreeMap<String, String> {
        let known = [
            ("title", self.name),
            ("version", self.version),
            ("description", self.description),
            ("source", self.source),
            ("licenses", self.licenses),
            ("created", Some(created.to_owned())),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let mut map: BTreeMap<_, _> =
            known.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value)).collect();
        map.extend(self.others);
        map
    }
}

/// A component from a registry.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The component, of the digest that the manifest names.
    pub wasm: Bytes,
    /// The manifest's digest: what to pin and what signatures are of.
    pub digest: Digest,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Content in a registry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, content: &[u8], digest: &Digest) -> Self {
        Self {
            media_type: media_type.into(),
            digest: digest.to_string(),
            size: content.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest, in the order in which it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    pub(crate) config: Descriptor,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn new(
        config: Descriptor,
        layers: Vec<Descriptor>,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        Self { schema_version: 2, media_type: Some(MANIFEST_MEDIA_TYPE.into()), config, layers, annotations }
    }

    /// Reads a manifest that has a configuration and layers.
    pub(crate) fn read(body: &[u8], reference: &Reference) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            #[serde(default)]
            media_type: Option<String>,
            #[serde(default)]
            manifests: Option<serde::de::IgnoredAny>,
        }
        let malformed = |error: serde_json::Error| Error::Malformed {
            reference: reference.to_string(),
            reason: format!("no manifest: {error}"),
        };
        let kind: Kind = serde_json::from_slice(body).map_err(malformed)?;
        if kind.manifests.is_some() {
            let kind = kind.media_type.unwrap_or_else(|| "an index".into());
            return Err(Error::Layout {
                reference: reference.to_string(),
                reason: format!("it is an index of several artefacts ({kind}), of which one must be named"),
            });
        }
        serde_json::from_slice(body).map_err(malformed)
    }

    /// The manifest's bytes.
    pub(crate) fn write(&self, reference: &Reference) -> Result<Bytes, Error> {
        let bytes = serialize(self, reference)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            let reference = reference.to_string();
            return Err(Error::TooLarge { reference, what: "manifest", limit: MAX_MANIFEST });
        }
        Ok(bytes)
    }
}

pub(crate) fn serialize(document: &impl Serialize, reference: &Reference) -> Result<Bytes, Error> {
    serde_json::to_vec(document)
        .map(Bytes::from)
        .map_err(|error| Error::Malformed { reference: reference.to_string(), reason: error.to_string() })
}

/// The configuration of a WebAssembly artefact. Field by field what `oci-wasm` writes, so that its readers understand it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: String,
    author: Option<String>,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    component: Component,
}

/// Pushes a component to the reference's tag and returns the manifest's digest, to pin it by.
///
/// # Errors
/// [`Error::NotAComponent`], [`Error::PushToDigest`], and what the registry refuses.
pub async fn push(
    reference: &Reference,
    wasm: Bytes,
    annotations: &Annotations,
    access: &Access,
) -> Result<Digest, Error> {
    if reference.digest().is_some() {
        return Err(Error::PushToDigest { reference: reference.to_string() });
    }
    // Large components take a while to read and to hash.
    let content = wasm.clone();
    let work = move || Ok::<_, Error>((Component::read(&content)?, Digest::of(&content)));
    let (component, digest) = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Shutdown)??;

    let created = annotations.created.unwrap_or_else(jiff::Timestamp::now);
    let created = created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let config = Config {
        created: created.clone(),
        author: None,
        architecture: "wasm",
        os: "wasip2",
        layer_digests: vec![digest.to_string()],
        component,
    };
    let config = serialize(&config, reference)?;
    let config_digest = Digest::of(&config);
    let manifest = Manifest::new(
        Descriptor::of(CONFIG_MEDIA_TYPE, &config, &config_digest),
        vec![Descriptor::of(LAYER_MEDIA_TYPE, &wasm, &digest)],
        annotations.clone().into_map(&created),
    )
    .write(reference)?;

    // The manifest last: until then the tag keeps what it had.
    let mut session = Session::new(reference, Action::Push, access);
    session.push_blob(&digest, wasm).await?;
    session.push_blob(&config_digest, config).await?;
    session.push_manifest(MANIFEST_MEDIA_TYPE, manifest).await
}

/// Pulls a component of at most `limit` bytes; [`DEFAULT_LIMIT`] does for most.
///
/// The bytes have the digest that the manifest names, and the manifest the one that the reference pins. Whether they are a
/// component that this host can run is for the engine to say.
///
/// # Errors
/// [`Error::Layout`] if the artefact is no WebAssembly, [`Error::DigestDiffers`], [`Error::TooLarge`], [`Error::NotFound`],
/// [`Error::Unauthorized`], and what else the registry refuses.
pub async fn pull(reference: &Reference, limit: u64, access: &Access) -> Result<Pulled, Error> {
    let mut session = Session::new(reference, Action::Pull, access);
    let (body, digest) = session.manifest(ACCEPT).await?;
    let manifest = Manifest::read(&body, reference)?;
    let layout = |reason: String| Error::Layout { reference: reference.to_string(), reason };
    let [layer] = manifest.layers.as_slice() else {
        return Err(layout(format!(
            "it has {} layers, not one of {LAYER_MEDIA_TYPE}",
            manifest.layers.len()
        )));
    };
    if layer.media_type != LAYER_MEDIA_TYPE {
        return Err(layout(format!("its layer is of type {:?}, not {LAYER_MEDIA_TYPE}", layer.media_type)));
    }
    if manifest.config.media_type != CONFIG_MEDIA_TYPE {
        let found = &manifest.config.media_type;
        return Err(layout(format!("its configuration is of type {found:?}, not {CONFIG_MEDIA_TYPE}")));
    }
    if layer.size > limit {
        return Err(Error::TooLarge { reference: reference.to_string(), what: "component", limit });
    }
    let wasm = session.blob(&Digest::parse(&layer.digest)?, layer.size).await?;
    Ok(Pulled { wasm, digest, annotations: manifest.annotations })
}
