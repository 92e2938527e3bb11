//! What a token says, read without believing it: the signature is for [`Token::verified_by`] to look at.

use super::key::PublicKey;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer};

/// The claim that holds what only Kubernetes says.
pub(super) const PRIVATE: &str = "kubernetes.io";

/// A token in its parts: a JWS in compact form (RFC 7515).
pub(super) struct Token<'a> {
    header: Header,
    /// Header and claims, as they were signed.
    message: &'a [u8],
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: String,
    /// Extensions that a reader must know. None is known here.
    crit: Option<serde_json::Value>,
}

/// The claims that are looked at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    pub(super) iss: String,
    #[serde(default)]
    pub(super) sub: String,
    #[serde(default, deserialize_with = "one_or_more")]
    pub(super) aud: Vec<String>,
    /// Seconds since 1970, as the other times.
    pub(super) exp: Option<f64>,
    pub(super) nbf: Option<f64>,
    pub(super) iat: Option<f64>,
    #[serde(default)]
    pub(super) jti: String,
    #[serde(default, rename = "kubernetes.io")]
    pub(super) private: Private,
}

/// What only Kubernetes says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Private {
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) serviceaccount: Reference,
    pub(super) pod: Option<Reference>,
    pub(super) secret: Option<Reference>,
    pub(super) node: Option<Reference>,
    pub(super) warnafter: Option<f64>,
}

/// An object that claims name.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reference {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) uid: String,
}

/// `aud` may be one text, too (RFC 7519).
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        One(String),
        More(Vec<String>),
    }
    Ok(match Option::<Form>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Form::One(one)) => vec![one],
        Some(Form::More(more)) => more,
    })
}

impl<'a> Token<'a> {
    /// Takes a token apart; `None` if it is none of this form.
    pub(super) fn parse(token: &'a str) -> Option<(Self, Claims)> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.').filter(|(_, claims)| !claims.contains('.'))?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims = serde_json::from_slice(&decode(claims)?).ok()?;
        Some((Self { header, message: message.as_bytes(), signature: decode(signature)? }, claims))
    }

    /// Whether one of the keys signed it: the one that it names, or any if it names none.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn verified_by(&self, keys: &[PublicKey]) -> Result<(), &'static str> {
        if self.header.crit.is_some() {
            return Err("the token has critical extensions, which are not known");
        }
        let named = |key: &&PublicKey| self.header.kid.is_empty() || self.header.kid == key.id();
        let mut named = keys.iter().filter(named).peekable();
        if named.peek().is_none() {
            return Err("invalid signature, no keys found");
        }
        // The key says how it signs; a token that says otherwise was made by somebody else.
        let good = |key: &PublicKey| {
            self.header.alg == key.algorithm().name() && key.verifies(self.message, &self.signature)
        };
        if named.any(good) { Ok(()) } else { Err("invalid signature") }
    }
}
