//! Certificates made on first start and kept: an authority and a serving certificate, an authority for clients
//! and the administrator's certificate.

use super::{TlsError, kubeconfig::write_private};
use crate::options::CompletedOptions;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const DAY: u64 = 24 * 60 * 60;
/// Life of an authority.
const AUTHORITY_DAYS: u64 = 3650;
/// Life of a serving or client certificate.
const LEAF_DAYS: u64 = 365;
/// A certificate with less left than this is made anew at the next start.
const RENEW_DAYS: u64 = 30;

/// Where the certificates are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Generated {
    /// The authority behind the serving certificate, in PEM; clients trust it. `None` when the operator gave a
    /// serving certificate.
    pub authority_pem: Option<String>,
    /// File of the serving certificate.
    pub serving_certificate: PathBuf,
    /// File of its key.
    pub serving_key: PathBuf,
    /// File of the authority that signed the administrator's certificate.
    pub client_authority: PathBuf,
    /// The administrator's certificate in PEM.
    pub admin_certificate_pem: String,
    /// The administrator's key in PEM.
    pub admin_key_pem: String,
}

/// A certificate and its key, as they are in the directory.
struct Pair {
    certificate: String,
    key: String,
}

/// Makes what is missing, broken, near its end, or made for other names than now, under `--cert-dir`. Keys are
/// readable by their owner alone.
///
/// # Errors
/// A directory or file that cannot be used.
pub fn generate(options: &CompletedOptions, now: SystemTime) -> Result<Generated, TlsError> {
    let directory = &options.cert_dir;
    fs::create_dir_all(directory).map_err(|source| TlsError::File {
        flag: "--cert-dir",
        path: directory.clone(),
        source,
    })?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let maker = Maker { directory, now };

    let serving = &options.given.serving;
    let (authority_pem, serving_certificate, serving_key) =
        match (&serving.tls_cert_file, &serving.tls_private_key_file) {
            (Some(certificate), Some(key)) => (None, certificate.clone(), key.clone()),
            _ => {
                let authority = maker.authority("ca", "chainplate-ca")?;
                let (names, addresses) = options.certificate_names();
                let mut params = CertificateParams::default();
                params.distinguished_name = name("kube-apiserver", None);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                for dns in names {
                    params.subject_alt_names.push(SanType::DnsName(dns.try_into()?));
                }
                params.subject_alt_names.extend(addresses.into_iter().map(SanType::IpAddress));
                maker.leaf("apiserver", params, &authority)?;
                (Some(authority.certificate), maker.file("apiserver", "crt"), maker.file("apiserver", "key"))
            }
        };

    let client_authority = maker.authority("client-ca", "chainplate-client-ca")?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name("kubernetes-admin", Some("system:masters"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let admin = maker.leaf("admin", params, &client_authority)?;
    Ok(Generated {
        authority_pem,
        serving_certificate,
        serving_key,
        client_authority: maker.file("client-ca", "crt"),
        admin_certificate_pem: admin.certificate,
        admin_key_pem: admin.key,
    })
}

fn name(common_name: &str, organization: Option<&str>) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}

struct Maker<'a> {
    directory: &'a Path,
    now: u64,
}

impl Maker<'_> {
    fn file(&self, stem: &str, extension: &str) -> PathBuf {
        self.directory.join(format!("{stem}.{extension}"))
    }

    /// The pair in the directory, if both files are there and can be read.
    fn read(&self, stem: &str) -> Option<Pair> {
        let text = |extension| fs::read_to_string(self.file(stem, extension)).ok();
        Some(Pair { certificate: text("crt")?, key: text("key")? })
    }

    fn write(&self, stem: &str, pair: &Pair) -> Result<(), TlsError> {
        // The key first: a crash in between leaves a pair that does not match and is made anew.
        for (extension, text) in [("key", &pair.key), ("crt", &pair.certificate)] {
            let path = self.file(stem, extension);
            write_private(&path, text.as_bytes()).map_err(|source| TlsError::File {
                flag: "--cert-dir",
                path,
                source,
            })?;
        }
        tracing::info!(certificate = %self.file(stem, "crt").display(), "made a certificate");
        Ok(())
    }

    fn authority(&self, stem: &str, common_name: &str) -> Result<Pair, TlsError> {
        if let Some(pair) = self.read(stem)
            && self.fit(&pair, None, &[])
        {
            return Ok(pair);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&format!("{common_name}@{}", self.now), None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
        self.valid_for(&mut params, AUTHORITY_DAYS);
        let key = KeyPair::generate()?;
        let pair = Pair { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() };
        self.write(stem, &pair)?;
        Ok(pair)
    }

    fn leaf(&self, stem: &str, mut params: CertificateParams, authority: &Pair) -> Result<Pair, TlsError> {
        if let Some(pair) = self.read(stem)
            && self.fit(&pair, Some(authority), &params.subject_alt_names)
        {
            return Ok(pair);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.use_authority_key_identifier_extension = true;
        self.valid_for(&mut params, LEAF_DAYS);
        let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
        let key = KeyPair::generate()?;
        let pair = Pair { certificate: params.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() };
        self.write(stem, &pair)?;
        Ok(pair)
    }

    /// From an hour ago, for clocks that differ.
    fn valid_for(&self, params: &mut CertificateParams, days: u64) {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(self.now.saturating_sub(3600));
        params.not_after = epoch + Duration::from_secs(self.now + days * DAY);
    }

    /// Whether a pair can stay: readable, belonging together, with time left, signed by the authority there is
    /// now (or by itself), and made for all the names.
    fn fit(&self, pair: &Pair, authority: Option<&Pair>, names: &[SanType]) -> bool {
        let authority = authority.unwrap_or(pair);
        let parsed = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).ok();
        let (Some(own), Some(above), Ok(key)) =
            (parsed(&pair.certificate), parsed(&authority.certificate), KeyPair::from_pem(&pair.key))
        else {
            return false;
        };
        let (Ok((_, own)), Ok((_, above))) =
            (X509Certificate::from_der(&own), X509Certificate::from_der(&above))
        else {
            return false;
        };
        let end = u64::try_from(own.validity().not_after.timestamp()).unwrap_or(0);
        let same_key = own.public_key().raw == rcgen::PublicKeyData::subject_public_key_info(&key).as_slice();
        end > self.now + RENEW_DAYS * DAY
            && same_key
            && own.issuer() == above.subject()
            && own.verify_signature(Some(above.public_key())).is_ok()
            && names.iter().all(|name| made_for(&own, name))
    }
}

fn made_for(certificate: &X509Certificate<'_>, name: &SanType) -> bool {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return false };
    extension.value.general_names.iter().any(|there| match (there, name) {
        (GeneralName::DNSName(there), SanType::DnsName(name)) => *there == name.as_str(),
        (GeneralName::IPAddress(there), SanType::IpAddress(IpAddr::V4(address))) => {
            *there == address.octets()
        }
        (GeneralName::IPAddress(there), SanType::IpAddress(IpAddr::V6(address))) => {
            *there == address.octets()
        }
        _ => false,
    })
}
