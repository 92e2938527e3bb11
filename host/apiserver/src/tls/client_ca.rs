//! The authorities that client certificates are held against.

use super::{Reload, TlsError};
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use rustls::{RootCertStore, crypto::ring, server::WebPkiClientVerifier, server::danger::ClientCertVerifier};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};
use std::{path::PathBuf, sync::Arc};

/// The trusted authorities, from one or more files.
#[derive(Debug)]
pub struct ClientCa {
    files: Vec<PathBuf>,
    current: ArcSwapOption<Trusted>,
    source: Mutex<Vec<Vec<u8>>>,
}

/// Authorities as they were read at one time.
#[derive(Debug)]
struct Trusted(Arc<dyn ClientCertVerifier>);

/// Names one reading of the authority files: a verdict from an earlier one has to be asked for again.
#[derive(Debug, Clone)]
pub struct Generation(Arc<Trusted>);

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl ClientCa {
    /// Reads the authorities of all files.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate.
    pub fn load(files: Vec<PathBuf>) -> Result<Self, TlsError> {
        let ca = Self { files, current: ArcSwapOption::empty(), source: Mutex::default() };
        ca.read_again()?;
        Ok(ca)
    }

    /// Which reading counts now; `None` when no authority is trusted.
    pub fn generation(&self) -> Option<Generation> {
        self.current.load_full().map(Generation)
    }

    fn read_again(&self) -> Result<bool, TlsError> {
        let flag = "--client-ca-file";
        let fresh = self
            .files
            .iter()
            .map(|path| {
                std::fs::read(path).map_err(|source| TlsError::File { flag, path: path.clone(), source })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut source = self.source.lock();
        if *source == fresh {
            return Ok(false);
        }
        let mut roots = RootCertStore::empty();
        for (path, pem) in self.files.iter().zip(&fresh) {
            let fault = |problem: String| TlsError::Content { flag, path: path.clone(), problem };
            let before = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| fault(error.to_string()))?;
                roots.add(certificate).map_err(|error| fault(error.to_string()))?;
            }
            if roots.len() == before {
                return Err(fault("no certificate in it".into()));
            }
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| TlsError::Settings(error.to_string()))?;
        self.current.store(Some(Arc::new(Trusted(verifier))));
        *source = fresh;
        Ok(true)
    }
}

impl Generation {
    /// Holds a chain, the client's own certificate first, against the authorities.
    ///
    /// # Errors
    /// Why nobody vouches for it.
    pub fn verify(&self, chain: &[CertificateDer<'static>], now: UnixTime) -> Result<(), String> {
        let (own, intermediates) = chain.split_first().ok_or("no certificate")?;
        self.0.0.verify_client_cert(own, intermediates, now).map(drop).map_err(|error| error.to_string())
    }
}

impl Reload for ClientCa {
    fn reload(&self) -> Result<bool, String> {
        self.read_again().map_err(|error| error.to_string())
    }
}
