//! Tokens of service accounts: issued, verified, and told of to others (`pkg/serviceaccount` of upstream).

mod authenticator;
mod claims;
mod key;
mod openid;
#[cfg(test)]
mod tests;

pub use authenticator::{BoundObject, BoundObjects, ServiceAccountAuthenticator};
pub(crate) use openid::{OpenIdDocuments, PATHS as OPENID_PATHS};

use crate::{
    options::CompletedOptions,
    tls::{TlsError, write_private},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chainplate_apimachinery::Map;
use key::{PublicKey, SigningKey};
use serde_json::json;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

const SIGNING_FLAG: &str = "--service-account-signing-key-file";
const KEY_FLAG: &str = "--service-account-key-file";
/// The group of all service accounts.
pub(crate) const GROUP: &str = "system:serviceaccounts";
/// Longest token that is issued or looked at, in bytes. What is made here has about one thousand.
const MOST_TOKEN_BYTES: usize = 64 * 1024;

/// The keys of service account tokens, and what the tokens say of this server.
#[derive(Debug)]
pub struct ServiceAccountTokens {
    signer: SigningKey,
    /// Those that tokens are verified with, the signer's among them; each once.
    keys: Vec<PublicKey>,
    /// The first one issues.
    issuers: Vec<String>,
    audiences: Vec<String>,
    jwks_uri: Option<String>,
}

/// Why claims are not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// A claim without which no token is accepted.
    #[error("the claims of the token have no {0}; add it")]
    Missing(&'static str),
    /// The token would be too long to be used.
    #[error("the token would have more than {MOST_TOKEN_BYTES} bytes; ask for fewer audiences")]
    TooLong,
    /// The machine is at fault.
    #[error("the token cannot be signed: {0}; try again")]
    Key(&'static str),
}

impl ServiceAccountTokens {
    /// Reads the keys of the options. Without a key to sign with, one is kept in `--cert-dir` and made if it is not
    /// there: ECDSA on P-256, readable by its owner alone. One that is there and cannot be read is not replaced: every
    /// token would end with it.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn load(options: &CompletedOptions) -> Result<Self, TlsError> {
        let authentication = &options.given.authentication;
        let signer = match &authentication.service_account_signing_key_file {
            Some(path) => signing_key(SIGNING_FLAG, path, &read(SIGNING_FLAG, path)?)?,
            None => kept(&options.cert_dir)?,
        };
        let mut keys = vec![signer.public().clone()];
        for path in &authentication.service_account_key_file {
            let pem = read(KEY_FLAG, path)?;
            let found = key::public_keys(&pem).map_err(|problem| content(KEY_FLAG, path, problem))?;
            if found.is_empty() {
                return Err(content(KEY_FLAG, path, "it holds no key".into()));
            }
            for key in found {
                if !keys.iter().any(|there| there.id() == key.id()) {
                    keys.push(key);
                }
            }
        }
        Ok(Self {
            signer,
            keys,
            issuers: options.service_account_issuers.clone(),
            audiences: options.api_audiences.clone(),
            jwks_uri: authentication.service_account_jwks_uri.clone(),
        })
    }

    /// Signs the claims of a token; `iss` is set.
    ///
    /// # Errors
    /// Claims that no token can do without, or that are too long.
    pub fn sign(&self, mut claims: Map) -> Result<String, SigningError> {
        for needed in ["sub", "aud", "exp", claims::PRIVATE] {
            if claims.get(needed).is_none_or(serde_json::Value::is_null) {
                return Err(SigningError::Missing(needed));
            }
        }
        claims.insert("iss".into(), self.issuers.first().map(String::as_str).unwrap_or_default().into());
        let public = self.signer.public();
        let header = json!({ "alg": public.algorithm().name(), "kid": public.id() });
        let encode = |json: String| URL_SAFE_NO_PAD.encode(json);
        let mut token =
            format!("{}.{}", encode(header.to_string()), encode(serde_json::Value::from(claims).to_string()));
        let signature = self.signer.sign(token.as_bytes()).map_err(SigningError::Key)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > MOST_TOKEN_BYTES { Err(SigningError::TooLong) } else { Ok(token) }
    }

    /// What tokens for this API are made for.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }
}

/// The key in the directory of certificates, made if there is none.
fn kept(directory: &Path) -> Result<SigningKey, TlsError> {
    const FLAG: &str = "--cert-dir";
    let path = directory.join("sa.key");
    let failed = |source| file(FLAG, &path, source);
    let pem = match fs::read(&path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let pem = rcgen::KeyPair::generate()?.serialize_pem().into_bytes();
            fs::create_dir_all(directory).map_err(failed)?;
            write_private(&path, &pem).map_err(failed)?;
            tracing::info!(key = %path.display(), "made a key for service account tokens");
            pem
        }
        Err(error) => return Err(failed(error)),
    };
    signing_key(FLAG, &path, &pem)
}

fn signing_key(flag: &'static str, path: &Path, pem: &[u8]) -> Result<SigningKey, TlsError> {
    SigningKey::from_pem(pem).map_err(|problem| content(flag, path, problem))
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| file(flag, path, source))
}

fn file(flag: &'static str, path: &Path, source: std::io::Error) -> TlsError {
    TlsError::File { flag, path: PathBuf::from(path), source }
}

fn content(flag: &'static str, path: &Path, problem: String) -> TlsError {
    TlsError::Content { flag, path: PathBuf::from(path), problem }
}
