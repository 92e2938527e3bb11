//! Keys, and signatures of bytes.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::fmt;

/// Base64 of a signature has at most this many characters: 72 bytes at most, and a line's end.
const MAX_SIGNATURE: usize = 128;

/// What stands before the point in the DER form of a P-256 public key (RFC 5480): id-ecPublicKey, prime256v1, uncompressed.
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same for Ed25519 (RFC 8410).
const ED25519_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    P256,
    Ed25519,
}

/// A key that signatures are checked with: `cosign.pub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// The uncompressed point (65 bytes) or the Ed25519 key (32).
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads a public key in PEM (`PUBLIC KEY`): ECDSA on P-256, or Ed25519.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Key { kind: "public", reason: reason.into() };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| refuse("not PEM with a section PUBLIC KEY, as `cosign public-key` prints it"))?;
        let known = |prefix: &[u8], length: usize| {
            der.strip_prefix(prefix).filter(|rest| rest.len() == length).map(<[u8]>::to_vec)
        };
        if let Some(bytes) = known(P256_PREFIX, 65) {
            Ok(Self { kind: Kind::P256, bytes })
        } else if let Some(bytes) = known(ED25519_PREFIX, 32) {
            Ok(Self { kind: Kind::Ed25519, bytes })
        } else {
            Err(refuse("neither ECDSA on P-256 nor Ed25519; make one with `cosign generate-key-pair`"))
        }
    }

    /// The key in PEM, to be given to those who check.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let prefix = match self.kind {
            Kind::P256 => P256_PREFIX,
            Kind::Ed25519 => ED25519_PREFIX,
        };
        let encoded = STANDARD.encode([prefix, &self.bytes].concat());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }

    /// Checks a signature in base64, as `cosign sign-blob` writes it, of these bytes. Hashes them all: large ones belong on a
    /// thread that may block.
    ///
    /// # Errors
    /// [`Error::BadSignature`].
    pub fn verify_blob(&self, blob: &[u8], signature: &str) -> Result<(), Error> {
        let signature = signature.trim();
        if signature.len() > MAX_SIGNATURE {
            return Err(Error::BadSignature("it is too long for one in base64 (a bundle is not read)"));
        }
        let signature = STANDARD.decode(signature).map_err(|_| Error::BadSignature("it is not in base64"))?;
        let algorithm: &dyn VerificationAlgorithm = match self.kind {
            Kind::P256 => &ECDSA_P256_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes)
            .verify(blob, &signature)
            .map_err(|_| Error::BadSignature("it is not of this content and this key"))
    }
}

/// A key that signs.
pub struct PrivateKey(Pair);

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.public_key()).finish()
    }
}

impl PrivateKey {
    /// Reads an unencrypted PKCS#8 key in PEM (`PRIVATE KEY`): ECDSA on P-256 with its public part, or Ed25519.
    ///
    /// # Errors
    /// [`Error::Key`], which says how to make or convert one.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Key { kind: "private", reason: reason.into() };
        let has = |section: &str| pem.windows(section.len()).any(|window| window == section.as_bytes());
        if has("BEGIN ENCRYPTED") {
            return Err(refuse(
                "it is encrypted, which is not read; keep it as PKCS#8 without a password, or sign with cosign",
            ));
        }
        if has("BEGIN EC PRIVATE KEY") {
            return Err(refuse("it is in SEC 1 form; convert it with `openssl pkcs8 -topk8 -nocrypt`"));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| refuse("not PEM with a section PRIVATE KEY (PKCS#8)"))?;
        let der = der.secret_pkcs8_der();
        let random = SystemRandom::new();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random) {
            return Ok(Self(Pair::P256(pair)));
        }
        // Without its public part, too: so openssl writes it.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(|pair| Self(Pair::Ed25519(pair))).map_err(|_| {
            refuse(
                "neither ECDSA on P-256 nor Ed25519; make one with \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`",
            )
        })
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match &self.0 {
            Pair::P256(pair) => PublicKey { kind: Kind::P256, bytes: pair.public_key().as_ref().to_vec() },
            Pair::Ed25519(pair) => {
                PublicKey { kind: Kind::Ed25519, bytes: pair.public_key().as_ref().to_vec() }
            }
        }
    }

    /// Signs these bytes; the signature is in base64, as `cosign sign-blob` writes it. Hashes them all: large ones belong on
    /// a thread that may block.
    ///
    /// # Errors
    /// [`Error::Key`] if the machine gives no random numbers.
    pub fn sign_blob(&self, blob: &[u8]) -> Result<String, Error> {
        let failed = |_| Error::Key { kind: "private", reason: "the machine gives no random numbers".into() };
        Ok(match &self.0 {
            Pair::P256(pair) => STANDARD.encode(pair.sign(&SystemRandom::new(), blob).map_err(failed)?),
            Pair::Ed25519(pair) => STANDARD.encode(pair.sign(blob)),
        })
    }
}
