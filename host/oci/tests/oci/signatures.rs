//! Signatures of files and artefacts, with keys and signatures that openssl made.

use crate::artifacts::component;
use crate::registry::{Login, Registry, known};
use chainplate_oci::signature::{PrivateKey, PublicKey, SIGNATURE_ANNOTATION, sign, verify};
use chainplate_oci::{Access, Annotations, Digest, Error, Reference, push};

/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`; of no use but here.
const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwoOWZNZ8DISrdSO0
5I1ylgvRwV587SuqzoOKvZm7eS6hRANCAAQU6xxBKQJDcKY1bzpb2xaK5JurnqkN
IyYYaWa6iHRC+DUGjwAm4YsXUix8TT4KCNdHcZS/viOUDjKe8HzC0C89
-----END PRIVATE KEY-----
";
const P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFOscQSkCQ3CmNW86W9sWiuSbq56p
DSMmGGlmuoh0Qvg1Bo8AJuGLF1IsfE0+CgjXR3GUv74jlA4ynvB8wtAvPQ==
-----END PUBLIC KEY-----
";
/// `openssl genpkey -algorithm ed25519`.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIMKbdx86HAxq6UwNNo4fAK94tqZBoAqn01hduJE1/7gK
-----END PRIVATE KEY-----
";
const ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGZks9nXgXVEjBj3VOYTUuU8dma4Tq2DdgrV3jvCUqeA=
-----END PUBLIC KEY-----
";
const BLOB: &[u8] = b"some wasm";
/// `openssl dgst -sha256 -sign`, which is what `cosign sign-blob --key` computes.
const P256_SIGNATURE: &str =
    "MEUCIGkGTXSIBBIvv34z7ttqnQmCJQD78MUBSauW1Skde/hwAiEAlY3jiA6KKFykiZ/m3bt9upInqWttSvh4Az/ESwowzOw=";
/// `openssl pkeyutl -sign -rawin`.
const ED25519_SIGNATURE: &str =
    "Z7nsnTu/ss7T1jFEyrsGoJkqZkmwGM21mh6Ns5//Rcc2l28hcPXMChu5ZMEMglBF8Ziizq2MpAx+hSA8UtHcBQ==";

fn public(pem: &str) -> PublicKey {
    PublicKey::from_pem(pem.as_bytes()).unwrap()
}

fn private(pem: &str) -> PrivateKey {
    PrivateKey::from_pem(pem.as_bytes()).unwrap()
}

#[test]
fn signatures_of_openssl_are_good_for_their_content_and_key_alone() {
    let (p256, ed25519) = (public(P256_PUBLIC), public(ED25519_PUBLIC));
    let other = b"other wasm".as_slice();
    // A file ends with a newline.
    p256.verify_blob(BLOB, &format!("{P256_SIGNATURE}\n")).unwrap();
    ed25519.verify_blob(BLOB, ED25519_SIGNATURE).unwrap();
    for (key, blob, signature) in [
        (&p256, other, P256_SIGNATURE),
        (&ed25519, other, ED25519_SIGNATURE),
        (&p256, BLOB, ED25519_SIGNATURE),
        (&ed25519, BLOB, P256_SIGNATURE),
        (&p256, BLOB, ""),
        (&p256, BLOB, "{\"mediaType\": \"a bundle\"}"),
        (&p256, BLOB, "A".repeat(1 << 20).as_str()),
    ] {
        assert!(matches!(key.verify_blob(blob, signature), Err(Error::BadSignature(_))));
    }
}

#[test]
fn what_a_private_key_signs_its_public_key_checks() {
    for (pem, expected) in [(P256, P256_PUBLIC), (ED25519, ED25519_PUBLIC)] {
        let key = private(pem);
        assert_eq!(key.public_key().to_pem(), expected);
        assert_eq!(key.public_key(), public(expected));
        public(expected).verify_blob(BLOB, &key.sign_blob(BLOB).unwrap()).unwrap();
        assert!(!format!("{key:?}").contains(&pem[40..60]));
    }
}

#[test]
fn keys_that_are_not_taken_are_explained() {
    for (pem, reason) in [
        ("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAA==\n", "encrypted"),
        ("-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n", "openssl pkcs8"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "openssl genpkey"),
        ("hello", "not PEM"),
    ] {
        let error = PrivateKey::from_pem(pem.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    for (pem, reason) in [
        (P256, "not PEM with a section PUBLIC KEY"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "neither"),
    ] {
        let error = PublicKey::from_pem(pem.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// A registry with an artefact, and the artefact's name and digest.
async fn pushed() -> (Registry, Reference, Digest) {
    let registry = Registry::start(Login::Basic).await;
    let reference = registry.reference(":1");
    let digest = push(&reference, component(), &Annotations::default(), &known()).await.unwrap();
    (registry, reference, digest)
}

fn tag(digest: &Digest) -> String {
    format!("sha256-{}.sig", digest.hex())
}

#[tokio::test]
async fn a_signed_artefact_is_good_for_the_keys_that_signed_it() {
    let (registry, reference, digest) = pushed().await;
    let (p256, ed25519) = (public(P256_PUBLIC), public(ED25519_PUBLIC));
    sign(&reference, &digest, &private(P256), &known()).await.unwrap();
    verify(&reference, &digest, &[ed25519.clone(), p256.clone()], &known()).await.unwrap();
    verify(&reference.pinned(&digest), &digest, std::slice::from_ref(&p256), &known()).await.unwrap();
    let error = verify(&reference, &digest, std::slice::from_ref(&ed25519), &known()).await.unwrap_err();
    assert!(matches!(&error, Error::Untrusted { count: 1, .. }), "{error}");
    assert!(error.to_string().contains("no trusted key"), "{error}");

    // A second signature does not replace the first.
    sign(&reference, &digest, &private(ED25519), &known()).await.unwrap();
    for key in [p256, ed25519] {
        verify(&reference, &digest, &[key], &known()).await.unwrap();
    }
    assert_eq!(registry.manifest(&tag(&digest))["layers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_signature_has_the_form_of_cosign() {
    let (registry, reference, digest) = pushed().await;
    sign(&reference, &digest, &private(P256), &known()).await.unwrap();
    let manifest = registry.manifest(&tag(&digest));
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "application/vnd.dev.cosign.simplesigning.v1+json");
    let payload = registry.content.lock().unwrap().blobs[layer["digest"].as_str().unwrap()].clone();
    let name = format!("{}/team/plugin", registry.host);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&payload).unwrap(),
        serde_json::json!({
            "critical": {
                "identity": { "docker-reference": name },
                "image": { "docker-manifest-digest": digest.as_str() },
                "type": "cosign container image signature",
            },
            "optional": null,
        })
    );
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
    public(P256_PUBLIC).verify_blob(&payload, signature).unwrap();
}

#[tokio::test]
async fn an_artefact_without_signatures_is_not_signed() {
    let (_registry, reference, digest) = pushed().await;
    let error = verify(&reference, &digest, &[public(P256_PUBLIC)], &known()).await.unwrap_err();
    assert!(matches!(&error, Error::NotSigned { tag: found, .. } if *found == tag(&digest)), "{error}");
    // Not to be let in is another matter.
    let error = verify(&reference, &digest, &[public(P256_PUBLIC)], &Access::default()).await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_signature_of_another_artefact_does_not_count() {
    let (registry, reference, digest) = pushed().await;
    let other = Digest::of(b"another manifest");
    sign(&reference, &other, &private(P256), &known()).await.unwrap();
    {
        let mut content = registry.content.lock().unwrap();
        let moved = content.manifests[&tag(&other)].clone();
        content.manifests.insert(tag(&digest), moved);
    }
    let error = verify(&reference, &digest, &[public(P256_PUBLIC)], &known()).await.unwrap_err();
    assert!(matches!(&error, Error::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("of another artefact"), "{error}");
}

#[tokio::test]
async fn a_changed_signature_or_document_does_not_count() {
    let (registry, reference, digest) = pushed().await;
    let keys = [public(P256_PUBLIC)];
    sign(&reference, &digest, &private(P256), &known()).await.unwrap();
    registry.change_manifest(&tag(&digest), |manifest| {
        let other = private(P256).sign_blob(b"another document").unwrap();
        manifest["layers"][0]["annotations"][SIGNATURE_ANNOTATION] = other.into();
    });
    let error = verify(&reference, &digest, &keys, &known()).await.unwrap_err();
    assert!(error.to_string().contains("no trusted key"), "{error}");

    // Signed bytes that are no document of an artefact: a signed file is not a signed artefact.
    registry.change_manifest(&tag(&digest), |manifest| {
        let layer = &mut manifest["layers"][0];
        layer["digest"] = Digest::of(BLOB).as_str().into();
        layer["size"] = BLOB.len().into();
        layer["annotations"][SIGNATURE_ANNOTATION] = P256_SIGNATURE.into();
    });
    let blob = bytes::Bytes::from_static(BLOB);
    registry.content.lock().unwrap().blobs.insert(Digest::of(BLOB).to_string(), blob);
    let error = verify(&reference, &digest, &keys, &known()).await.unwrap_err();
    assert!(error.to_string().contains("no document"), "{error}");

    // A document that is not the one that the manifest names.
    let blob = b"some wasn".to_vec();
    registry.content.lock().unwrap().blobs.insert(Digest::of(BLOB).to_string(), blob.into());
    let error = verify(&reference, &digest, &keys, &known()).await.unwrap_err();
    assert!(matches!(&error, Error::DigestDiffers { .. }), "{error}");
}
