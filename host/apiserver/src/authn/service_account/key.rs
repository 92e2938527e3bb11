//! Keys: read from PEM, named as upstream names them, signing and verifying as JOSE has it (RFC 7518).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt;
use x509_parser::{
    oid_registry::{OID_EC_P256, OID_NIST_EC_P384},
    prelude::{FromDer as _, X509Certificate},
    public_key,
    x509::SubjectPublicKeyInfo,
};

/// How a key signs. Upstream takes P-521 as well, which ring does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    Es384,
}

impl Algorithm {
    /// What JOSE calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        }
    }

    /// The AlgorithmIdentifier of its keys in DER (RFC 3279, RFC 5480).
    fn identifier(self) -> &'static [u8] {
        match self {
            Algorithm::Rs256 => {
                &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00]
            }
            Algorithm::Es256 => &[
                0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
            ],
            Algorithm::Es384 => &[
                0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                0x04, 0x00, 0x22,
            ],
        }
    }
}

/// A key that tokens are verified with.
#[derive(Debug, Clone)]
pub(super) struct PublicKey {
    algorithm: Algorithm,
    id: String,
    /// As ring takes it: an RSAPublicKey in DER, or an uncompressed point.
    key: Vec<u8>,
    /// The members of the JSON Web Key that are the key itself.
    members: Value,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER.
    fn from_spki(der: &[u8]) -> Result<Self, String> {
        let broken = "a public key in it cannot be parsed";
        let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| broken)?;
        Self::from_info(&info)
    }

    fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, String> {
        let parsed = info.parsed().map_err(|_| "a public key in it cannot be parsed")?;
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (algorithm, members) = match parsed {
            public_key::PublicKey::RSA(rsa) => {
                // Numbers in JSON Web Keys have no leading zeros.
                let number =
                    |bytes: &[u8]| text(&bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]);
                let members = json!({ "kty": "RSA", "n": number(rsa.modulus), "e": number(rsa.exponent) });
                (Algorithm::Rs256, members)
            }
            public_key::PublicKey::EC(point) => {
                let curve =
                    info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
                let (algorithm, name, size) = match curve {
                    Some(curve) if curve == OID_EC_P256 => (Algorithm::Es256, "P-256", 32),
                    Some(curve) if curve == OID_NIST_EC_P384 => (Algorithm::Es384, "P-384", 48),
                    _ => return Err(UNKNOWN.into()),
                };
                let coordinates = match point.data().split_first() {
                    Some((4, coordinates)) if coordinates.len() == 2 * size => coordinates,
                    _ => return Err("the point of a key in it is not in uncompressed form".into()),
                };
                let (x, y) = coordinates.split_at(size);
                (algorithm, json!({ "kty": "EC", "crv": name, "x": text(x), "y": text(y) }))
            }
            _ => return Err(UNKNOWN.into()),
        };
        Ok(Self {
            algorithm,
            id: text(&Sha256::digest(info.raw)),
            key: info.subject_public_key.data.to_vec(),
            members,
        })
    }

    /// How tokens that it verifies are signed.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What tokens call it, `kid`: a digest of the key, so that nobody takes the name for the key
    /// (`pkg/serviceaccount/jwt.go`, `keyIDFromPublicKey`).
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the signature is of this message and this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(self.algorithm.verification(), &self.key);
        key.verify(message, signature).is_ok()
    }

    /// The key as a JSON Web Key (RFC 7517).
    pub(super) fn web_key(&self) -> Value {
        let mut key = self.members.clone();
        for (name, value) in [("use", "sig"), ("kid", &self.id), ("alg", self.algorithm.name())] {
            key[name] = value.into();
        }
        key
    }
}

const UNKNOWN: &str = "a key in it is neither RSA nor ECDSA on P-256 or P-384; make one with \
                       `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`";

/// The public keys of a PEM file: public keys, the public parts of private ones, and those of certificates.
///
/// # Errors
/// What is wrong with one of them.
pub(super) fn public_keys(pem: &[u8]) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|error| format!("it is no PEM: {error}"))?;
        match kind {
            SectionKind::PublicKey => keys.push(PublicKey::from_spki(&der)?),
            SectionKind::Certificate => {
                let (_, certificate) =
                    X509Certificate::from_der(&der).map_err(|_| "a certificate in it cannot be parsed")?;
                keys.push(PublicKey::from_info(certificate.public_key())?);
            }
            _ => keys.extend(SigningKey::from_section(kind, &der)?.map(|key| key.public)),
        }
    }
    Ok(keys)
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// The key that signs.
pub(super) struct SigningKey {
    pair: Pair,
    public: PublicKey,
    random: SystemRandom,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.id).finish()
    }
}

impl SigningKey {
    /// Reads the first private key of a PEM file: PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`).
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = section.map_err(|error| format!("it is no PEM: {error}"))?;
            if let Some(key) = Self::from_section(kind, &der)? {
                return Ok(key);
            }
        }
        Err("it holds no private key that is not encrypted".into())
    }

    /// `None` for a section that is no private key.
    fn from_section(kind: SectionKind, der: &[u8]) -> Result<Option<Self>, String> {
        let rsa = |pair: Result<RsaKeyPair, _>| pair.ok().map(Pair::Rsa);
        let pair = match kind {
            SectionKind::RsaPrivateKey => rsa(RsaKeyPair::from_der(der)),
            SectionKind::PrivateKey => ecdsa(der).or_else(|| rsa(RsaKeyPair::from_pkcs8(der))),
            SectionKind::EcPrivateKey => {
                // PKCS#8 is the same with the curve in front.
                let wrap = |algorithm: Algorithm| {
                    let key = encode(0x04, &[der]);
                    ecdsa(&encode(0x30, &[&[0x02, 0x01, 0x00], algorithm.identifier(), &key]))
                };
                wrap(Algorithm::Es256).or_else(|| wrap(Algorithm::Es384))
            }
            _ => return Ok(None),
        };
        let pair = pair.ok_or(UNKNOWN)?;
        let public = match &pair {
            Pair::Rsa(pair) => spki(Algorithm::Rs256, pair.public().as_ref()),
            Pair::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let algorithm = if point.len() == 65 { Algorithm::Es256 } else { Algorithm::Es384 };
                spki(algorithm, point)
            }
        };
        let public = PublicKey::from_spki(&public)?;
        Ok(Some(Self { pair, public, random: SystemRandom::new() }))
    }

    /// The key that verifies what this one signs.
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let failed = |_| "the machine gives no random numbers";
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&self.random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// An ECDSA key in PKCS#8, on one of the two curves.
fn ecdsa(pkcs8: &[u8]) -> Option<Pair> {
    let on = |curve| EcdsaKeyPair::from_pkcs8(curve, pkcs8, &SystemRandom::new()).ok();
    on(&ECDSA_P256_SHA256_FIXED_SIGNING).or_else(|| on(&ECDSA_P384_SHA384_FIXED_SIGNING)).map(Pair::Ecdsa)
}

/// A public key as SubjectPublicKeyInfo, which key ids are digests of.
fn spki(algorithm: Algorithm, key: &[u8]) -> Vec<u8> {
    encode(0x30, &[algorithm.identifier(), &encode(0x03, &[&[0], key])])
}

/// One value in DER.
fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    match (content.len(), u8::try_from(length.len())) {
        // A short one is its own length; an empty one has no digits.
        (0..=127, _) => out.push(length.first().copied().unwrap_or(0)),
        (_, digits) => {
            out.push(0x80 | digits.unwrap_or(u8::MAX));
            out.extend_from_slice(length);
        }
    }
    out.extend(content);
    out
}
