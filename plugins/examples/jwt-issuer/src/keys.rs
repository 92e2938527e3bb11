//! The issuer's keys. A key knows its algorithm, so that a token cannot choose another one.

use crate::{configuration::Issuer, token::Token};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::DecodePublicKey;
use p256::ecdsa::signature::Verifier;
use rsa::{BoxedUint, pkcs1v15, sha2::Sha256, traits::PublicKeyParts};
use serde::Deserialize;

/// Most keys; a token without `kid` may be tried with each.
const MAX_KEYS: usize = 32;
/// Bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The issuer's keys.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rs256(pkcs1v15::VerifyingKey<Sha256>),
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_dalek::VerifyingKey),
}

/// A JSON Web Key (RFC 7517), as far as it is needed.
#[derive(Debug, Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    pub(crate) fn read(issuer: &Issuer) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (at, jwk) in issuer.jwks.keys.iter().enumerate() {
            let place = || format!("configuration: issuer.jwks.keys[{at}]");
            let material = jwk.material().map_err(|why| format!("{}: {why}", place()))?;
            if let Some(material) = material {
                keys.push(Key { id: jwk.kid.clone(), material });
            }
        }
        for (at, pem) in issuer.public_keys.iter().enumerate() {
            let material =
                from_pem(pem).map_err(|why| format!("configuration: issuer.publicKeys[{at}]: {why}"))?;
            keys.push(Key { id: None, material });
        }
        match keys.len() {
            0 => Err(
                "configuration: issuer has no key for RS256, ES256 or EdDSA; give some in jwks or publicKeys"
                    .into(),
            ),
            1..=MAX_KEYS => Ok(Self(keys)),
            many => Err(format!("configuration: issuer has {many} keys, {MAX_KEYS} are the limit")),
        }
    }

    /// Whether one of the keys made the signature.
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), String> {
        let alg = token.header.alg.as_str();
        let mut fit = self.0.iter().filter(|key| {
            let id = key.id.is_none() || token.header.kid.is_none() || key.id == token.header.kid;
            id && key.material.algorithm() == alg
        });
        if fit.clone().next().is_none() {
            let kid = token.header.kid.as_deref().unwrap_or_default();
            return Err(format!("no key fits the token's alg {alg:?} and kid {kid:?}"));
        }
        if fit.any(|key| key.material.verify(token.message, &token.signature)) {
            Ok(())
        } else {
            Err("the token's signature is wrong".into())
        }
    }
}

impl Jwk {
    /// None for a key of another type or for another purpose.
    fn material(&self) -> Result<Option<Material>, String> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Ok(None);
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let number =
                    |name, value| Ok::<_, String>(BoxedUint::from_be_slice_vartime(&bytes(name, value)?));
                rs256(number("n", &self.n)?, number("e", &self.e)?)?
            }
            ("EC", Some("P-256")) => {
                let point = [vec![4], bytes("x", &self.x)?, bytes("y", &self.y)?].concat();
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point);
                Material::Es256(key.map_err(|_| "x and y are no point of P-256")?)
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x", &self.x)?;
                let x = <&[u8; 32]>::try_from(x.as_slice()).map_err(|_| "x must be 32 bytes")?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(x);
                Material::EdDsa(key.map_err(|_| "x is no point of Ed25519")?)
            }
            _ => return Ok(None),
        };
        Ok(self.alg.as_deref().is_none_or(|alg| alg == material.algorithm()).then_some(material))
    }
}

fn bytes(name: &str, value: &Option<String>) -> Result<Vec<u8>, String> {
    let value = value.as_deref().ok_or_else(|| format!("{name} is missing"))?;
    BASE64_URL_SAFE_NO_PAD.decode(value).map_err(|error| format!("{name} is no base64url: {error}"))
}

fn rs256(n: BoxedUint, e: BoxedUint) -> Result<Material, String> {
    let key = rsa::PublicKey::new_with_size_limits(n, e, RSA_BITS);
    Ok(Material::Rs256(pkcs1v15::VerifyingKey::new(key.map_err(|error| error.to_string())?)))
}

/// A `SubjectPublicKeyInfo`; each type refuses the others.
fn from_pem(pem: &str) -> Result<Material, String> {
    if let Ok(key) = rsa::PublicKey::from_public_key_pem(pem) {
        // Within the bounds of keys in JWKS.
        return rs256(key.n().as_ref().clone(), key.e().clone());
    }
    if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_pem(pem) {
        return Ok(Material::Es256(key));
    }
    if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
        return Ok(Material::EdDsa(key));
    }
    Err("not a PUBLIC KEY in PEM of RSA, P-256 or Ed25519".into())
}

impl Material {
    fn algorithm(&self) -> &'static str {
        match self {
            Material::Rs256(_) => "RS256",
            Material::Es256(_) => "ES256",
            Material::EdDsa(_) => "EdDSA",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Material::Rs256(key) => pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            // Strict: no signature by keys of small order, and one form only.
            Material::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}
