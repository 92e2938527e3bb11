//! Plugins in OCI registries: push and pull in the standard layout for WebAssembly, digest pins and signatures.
//!
//! An artefact is what the CNCF's *Wasm OCI Artifact Layout* says: an image manifest whose configuration is of type
//! [`CONFIG_MEDIA_TYPE`] and lists the component's imports and exports, and whose one layer, [`LAYER_MEDIA_TYPE`],
//! is the component. `wkg`, `wash` and `oras` read and write the same.
//!
//! The few requests of the OCI distribution specification that this needs are spoken here. `oci-client` was tried and refused:
//! it reads manifests and tokens of any size into memory and unwraps what a registry sends, so that a hostile registry could
//! stop the server; `oci-wasm` adds a second `wit-component` beside that. Here everything that is read has a bound.
//!
//! ```no_run
//! # async fn example(wasm: bytes::Bytes) -> Result<(), chainplate_oci::Error> {
//! use chainplate_oci::{Access, Annotations, DEFAULT_LIMIT, Reference, pull, push};
//!
//! let reference = Reference::parse("registry.example.com/team/plugin:1.2.0")?;
//! let access = Access::default();
//! let digest = push(&reference, wasm, &Annotations::default(), &access).await?;
//! let pulled = pull(&reference.pinned(&digest), DEFAULT_LIMIT, &access).await?;
//! assert_eq!(pulled.digest, digest);
//! # Ok(())
//! # }
//! ```

mod artifact;
mod component;
mod credentials;
mod digest;
mod error;
mod reference;
mod registry;
pub mod signature;
mod transport;

pub use artifact::{
    Annotations, CONFIG_MEDIA_TYPE, DEFAULT_LIMIT, LAYER_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Pulled, pull, push,
};
pub use credentials::{Credentials, docker_config_path};
pub use digest::Digest;
pub use error::Error;
pub use reference::Reference;

/// How to reach a registry.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Who asks.
    pub credentials: Credentials,
    /// Speaks HTTP without TLS to every host. Hosts on the loopback interface are always spoken to so.
    pub plain_http: bool,
    /// Certificates in PEM that are trusted beside the machine's.
    pub certificate_authorities: Option<Vec<u8>>,
}
