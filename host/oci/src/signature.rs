//! Signatures that cosign makes and checks with a key: of a file, and of an artefact in a registry.
//!
//! Of a file: base64 of the signature of its bytes (`cosign sign-blob --key`). Of an artefact: a second artefact at the tag
//! `sha256-<digest>.sig` whose layers are small documents that name the digest, each with its signature in an annotation
//! (cosign's *signature specification*, "simple signing"). cosign 3 writes bundles unless it is told
//! `--new-bundle-format=false --use-signing-config=false`; bundles, certificates and transparency logs are not read.
//!
//! Keys are ECDSA on P-256 with SHA-256, cosign's own kind, or Ed25519.

mod key;

pub use key::{PrivateKey, PublicKey};

use crate::artifact::{Descriptor, MANIFEST_MEDIA_TYPE, Manifest, serialize};
use crate::registry::{Action, Session};
use crate::{Access, Digest, Error, Reference};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The media type of the signed documents.
pub const PAYLOAD_MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation that holds a document's signature, in base64.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";

const CONFIG_MEDIA_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const PAYLOAD_TYPE: &str = "cosign container image signature";
/// The largest signed document, in bytes; they have about 250.
const MAX_PAYLOAD: u64 = 64 << 10;
/// The most signatures of one artefact that are looked at.
const MAX_SIGNATURES: usize = 32;

/// What is signed of an artefact.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Where the signatures of an artefact are.
fn place(reference: &Reference, digest: &Digest) -> Reference {
    reference.tagged(format!("sha256-{}.sig", digest.hex()))
}

/// Signs the artefact of this digest in the reference's repository, beside the signatures that it has.
///
/// # Errors
/// What the registry refuses.
pub async fn sign(
    reference: &Reference,
    digest: &Digest,
    key: &PrivateKey,
    access: &Access,
) -> Result<(), Error> {
    let place = place(reference, digest);
    let mut session = Session::new(&place, Action::Push, access);
    let mut layers = match session.manifest(MANIFEST_MEDIA_TYPE).await {
        Ok((body, _)) => Manifest::read(&body, &place)?.layers,
        Err(Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    if layers.len() >= MAX_SIGNATURES {
        let (reference, tag) = (reference.to_string(), place.version().to_owned());
        return Err(Error::TooManySignatures { reference, tag, limit: MAX_SIGNATURES });
    }
    let payload = Payload {
        critical: Critical {
            identity: Identity { reference: format!("{}/{}", reference.registry(), reference.repository()) },
            image: Image { digest: digest.to_string() },
            kind: PAYLOAD_TYPE.into(),
        },
        optional: None,
    };
    let payload = serialize(&payload, &place)?;
    let payload_digest = Digest::of(&payload);
    let mut layer = Descriptor::of(PAYLOAD_MEDIA_TYPE, &payload, &payload_digest);
    layer.annotations.insert(SIGNATURE_ANNOTATION.into(), key.sign_blob(&payload)?);
    layers.push(layer);

    // An image without anything in it, as cosign has it: registries that look want the layers listed.
    let contents: Vec<_> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let config = serde_json::json!({
        "architecture": "", "os": "", "config": {}, "created": "0001-01-01T00:00:00Z",
        "rootfs": { "type": "layers", "diff_ids": contents },
    });
    let config: Bytes = serialize(&config, &place)?;
    let config_digest = Digest::of(&config);
    let config_entry = Descriptor::of(CONFIG_MEDIA_TYPE, &config, &config_digest);
    let manifest = Manifest::new(config_entry, layers, BTreeMap::new()).write(&place)?;
    session.push_blob(&payload_digest, payload).await?;
    session.push_blob(&config_digest, config).await?;
    session.push_manifest(MANIFEST_MEDIA_TYPE, manifest).await?;
    Ok(())
}

/// Checks that one of these keys signed the artefact of this digest.
///
/// Give the digest that [`pull`](crate::pull) returned. The name in the signed document is not compared, as cosign does not:
/// an artefact that was copied to another registry keeps its signatures.
///
/// # Errors
/// [`Error::NotSigned`] if there are no signatures, [`Error::Untrusted`] if none is good, of these keys and of this digest.
pub async fn verify(
    reference: &Reference,
    digest: &Digest,
    keys: &[PublicKey],
    access: &Access,
) -> Result<(), Error> {
    let place = place(reference, digest);
    let mut session = Session::new(&place, Action::Pull, access);
    let body = match session.manifest(MANIFEST_MEDIA_TYPE).await {
        Ok((body, _)) => body,
        Err(Error::NotFound { .. }) => {
            let tag = place.version().to_owned();
            return Err(Error::NotSigned { reference: reference.to_string(), tag });
        }
        Err(error) => return Err(error),
    };
    let layers = Manifest::read(&body, &place)?.layers;
    let mut reason = "they are not in cosign's form";
    for layer in layers.iter().take(MAX_SIGNATURES) {
        let Some(signature) = layer.annotations.get(SIGNATURE_ANNOTATION) else { continue };
        if layer.media_type != PAYLOAD_MEDIA_TYPE || layer.size > MAX_PAYLOAD {
            continue;
        }
        let Ok(payload_digest) = Digest::parse(&layer.digest) else { continue };
        let payload = session.blob(&payload_digest, layer.size).await?;
        match judge(&payload, signature, digest, keys) {
            Ok(()) => return Ok(()),
            Err(why) => reason = why,
        }
    }
    Err(Error::Untrusted { reference: reference.to_string(), count: layers.len(), reason })
}

/// Whether a signed document is signed by one of the keys, and names the digest.
fn judge(payload: &[u8], signature: &str, digest: &Digest, keys: &[PublicKey]) -> Result<(), &'static str> {
    if !keys.iter().any(|key| key.verify_blob(payload, signature).is_ok()) {
        return Err("it is of no trusted key");
    }
    let payload: Payload = serde_json::from_slice(payload).map_err(|_| "what is signed is no document")?;
    if payload.critical.kind != PAYLOAD_TYPE {
        return Err("what is signed is no artefact");
    }
    if payload.critical.image.digest != digest.as_str() {
        return Err("it is of another artefact");
    }
    Ok(())
}
