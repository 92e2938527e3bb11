//! The serving certificate and its key, read again when their files change.

use super::{Reload, TlsError};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::{
    crypto::ring::sign::any_supported_type,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The certificate that every handshake gets.
#[derive(Debug)]
pub struct ServingCertificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// The bytes that `current` was made from.
    source: Mutex<(Vec<u8>, Vec<u8>)>,
}

impl ServingCertificate {
    /// Reads a certificate chain and its key.
    ///
    /// # Errors
    /// Files that cannot be read, hold no PEM, or do not belong together.
    pub fn load(certificate_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let source = read(certificate_file, key_file)?;
        let key = parse(&source, certificate_file, key_file)?;
        Ok(Self {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
            current: ArcSwap::from_pointee(key),
            source: Mutex::new(source),
        })
    }

    /// The chain in PEM, as it was read.
    pub fn pem(&self) -> Vec<u8> {
        self.source.lock().0.clone()
    }
}

impl Reload for ServingCertificate {
    fn reload(&self) -> Result<bool, String> {
        let fresh = read(&self.certificate_file, &self.key_file).map_err(|error| error.to_string())?;
        let mut source = self.source.lock();
        if *source == fresh {
            return Ok(false);
        }
        let key = parse(&fresh, &self.certificate_file, &self.key_file).map_err(|error| error.to_string())?;
        self.current.store(Arc::new(key));
        *source = fresh;
        Ok(true)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

const CERTIFICATE: &str = "--tls-cert-file";
const KEY: &str = "--tls-private-key-file";

fn read(certificate_file: &Path, key_file: &Path) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let file = |flag, path: &Path| {
        std::fs::read(path).map_err(|source| TlsError::File { flag, path: path.to_owned(), source })
    };
    Ok((file(CERTIFICATE, certificate_file)?, file(KEY, key_file)?))
}

fn parse(
    (chain, key): &(Vec<u8>, Vec<u8>),
    certificate_file: &Path,
    key_file: &Path,
) -> Result<CertifiedKey, TlsError> {
    let fault =
        |flag, path: &Path, problem: String| TlsError::Content { flag, path: path.to_owned(), problem };
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fault(CERTIFICATE, certificate_file, error.to_string()))?;
    if chain.is_empty() {
        return Err(fault(CERTIFICATE, certificate_file, "no certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| fault(KEY, key_file, error.to_string()))?;
    let key = any_supported_type(&key).map_err(|error| fault(KEY, key_file, error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(error) => {
            Err(fault(KEY, key_file, format!("the key does not belong to the certificate: {error}")))
        }
    }
}
