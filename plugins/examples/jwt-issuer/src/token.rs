//! The parts of a token (RFC 7515, RFC 7519).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chainplate_sdk::apimachinery::Map;
use serde::Deserialize;

/// The largest token that is looked at, in bytes.
const MAX_SIZE: usize = 16 << 10;
/// Seconds by which clocks may differ.
const LEEWAY: f64 = 60.0;

/// A token whose signature has not been checked.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    pub(crate) claims: Map,
    /// What is signed.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

impl<'a> Token<'a> {
    /// None if it is not a signed token in the compact form.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        if text.len() > MAX_SIZE {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            message: message.as_bytes(),
            signature: decode(signature)?,
        })
    }
}

impl Header {
    /// Extensions that must be understood, and are not (RFC 7515, 4.1.11).
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.crit {
            Some(_) => Err("the token's header has \"crit\", which is not supported".into()),
            None => Ok(()),
        }
    }
}

/// Whether the token is good at that time.
pub(crate) fn check_times(claims: &Map, now: f64) -> Result<(), String> {
    let time = |claim: &str| match claims.get(claim) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(format!("the token's claim {claim:?} is no number")),
        },
    };
    let expires = time("exp")?.ok_or("the token has no \"exp\"")?;
    if now >= expires + LEEWAY {
        return Err(format!("the token expired {:.0} s ago", now - expires));
    }
    if let Some(begins) = time("nbf")?
        && now < begins - LEEWAY
    {
        return Err(format!("the token is good in {:.0} s only", begins - now));
    }
    Ok(())
}
