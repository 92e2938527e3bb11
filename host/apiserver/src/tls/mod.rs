//! TLS: protocol settings, certificates made on first start, and files that are read again when they change.

mod client_ca;
mod generate;
mod kubeconfig;
mod serving;
#[cfg(test)]
mod tests;

pub use client_ca::{ClientCa, Generation};
pub use generate::{Generated, generate};
pub use kubeconfig::{kubeconfig, write_private};
pub use serving::ServingCertificate;

use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, SupportedCipherSuite,
    SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{fmt::Debug, path::PathBuf, sync::Arc};

/// A fault of a certificate, key or authority file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{flag}: {path}: {source}; check that the file exists and this user may use it")]
    File {
        /// The flag that the file belongs to.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{flag}: {path}: {problem}; put PEM in it, or remove the flag to have one made")]
    Content {
        /// The flag that the file belongs to.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A certificate could not be made.
    #[error(
        "--cert-dir: a certificate could not be made: {0}; check --bind-address, --advertise-address and the host name"
    )]
    Generate(#[from] rcgen::Error),
    /// The settings contradict each other.
    #[error("--tls-cipher-suites, --tls-min-version: {0}; leave one of them at its default")]
    Settings(String),
}

/// Something that is read from a file and read again when the file changes.
pub trait Reload: Debug + Send + Sync + 'static {
    /// Reads the source again. A broken source leaves what is in use as it is.
    ///
    /// # Errors
    /// What is wrong with the source, ready to be logged.
    fn reload(&self) -> Result<bool, String>;
}

/// The versions of TLS from the given minimum on.
///
/// # Errors
/// A text that names no version, or one that is too old to be safe.
pub fn protocol_versions(
    minimum: &str,
) -> Result<&'static [&'static SupportedProtocolVersion], &'static str> {
    static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static FROM_13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match minimum {
        "VersionTLS12" => Ok(&FROM_12),
        "VersionTLS13" => Ok(&FROM_13),
        "VersionTLS10" | "VersionTLS11" => Err("is no longer safe and not supported"),
        _ => Err("is not a version of TLS"),
    }
}

/// The TLS 1.2 suite with an IANA name, which upstream's flag takes.
pub fn cipher_suite(name: &str) -> Option<SupportedCipherSuite> {
    ring::ALL_CIPHER_SUITES.iter().find(|suite| suite.tls13().is_none() && suite_name(suite) == name).copied()
}

/// All names that [`cipher_suite`] knows.
pub fn cipher_suite_names() -> Vec<String> {
    ring::ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_none()).map(suite_name).collect()
}

fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

/// The configuration of the listener: HTTP/2 and HTTP/1.1 by ALPN, client certificates asked for but neither
/// required nor judged in the handshake.
///
/// # Errors
/// Cipher suites that leave nothing for the minimum version.
pub fn server_config(
    minimum: &str,
    suites: &[String],
    certificate: Arc<ServingCertificate>,
    ask_for_client_certificates: bool,
) -> Result<ServerConfig, TlsError> {
    let mut provider = ring::default_provider();
    if !suites.is_empty() {
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || suites.contains(&suite_name(suite)));
    }
    let provider = Arc::new(provider);
    let versions =
        protocol_versions(minimum).map_err(|problem| TlsError::Settings(format!("{minimum} {problem}")))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Settings(error.to_string()))?;
    let verifier = AnyClientCertificate::new(&provider, ask_for_client_certificates);
    let mut config = builder.with_client_cert_verifier(Arc::new(verifier)).with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes any client certificate whose key the client proves to have. Whether an authority stands behind it is
/// asked once per connection by the authenticator, so that a stranger's certificate is a 401 and not a broken
/// handshake, and a changed authority file counts for connections that are open already.
#[derive(Debug)]
struct AnyClientCertificate {
    algorithms: WebPkiSupportedAlgorithms,
    ask: bool,
}

impl AnyClientCertificate {
    fn new(provider: &CryptoProvider, ask: bool) -> Self {
        Self { algorithms: provider.signature_verification_algorithms, ask }
    }
}

impl ClientCertVerifier for AnyClientCertificate {
    fn offer_client_auth(&self) -> bool {
        self.ask
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: authorities may change while the server runs, and clients send what they have.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
