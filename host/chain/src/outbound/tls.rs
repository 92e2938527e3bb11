//! Whom a component's requests trust.

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{path::Path, sync::Arc};
use tokio_rustls::TlsConnector;

/// Trusts the authorities of the file; without one, those of the system. Reads files: call it off the runtime's
/// threads.
///
/// # Errors
/// No authority to trust; the text names the file and the next step.
pub(super) fn connector(authorities: Option<&Path>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            let broken = |why: &dyn std::fmt::Display| {
                format!("outboundCAFile {}: {why}; give a PEM file of certificates", path.display())
            };
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| broken(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| broken(&error))?;
                roots.add(certificate).map_err(|error| broken(&error))?;
            }
            if roots.is_empty() {
                return Err(broken(&"it holds no certificate"));
            }
        }
        None => {
            // Single files that cannot be read are no reason to do without the others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(
                    "the system has no certificate authorities, which grants.outbound needs for https; \
                            install them (ca-certificates) or name a file in outboundCAFile"
                        .to_owned(),
                );
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}
