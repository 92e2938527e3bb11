//! Client certificates: the user is the CommonName, the groups are the Organizations.

use super::{AUTHENTICATED, Authentication, AuthenticationError, Authenticator, CREDENTIAL_ID, Credentials};
use crate::{BoxFuture, tls::ClientCa};
use chainplate_apimachinery::request::UserInfo;
use parking_lot::Mutex;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificates of a connection, with the last verdict on them.
#[derive(Debug)]
pub struct PeerCertificates {
    chain: Vec<CertificateDer<'static>>,
    verdict: Mutex<Option<Verdict>>,
}

#[derive(Debug)]
struct Verdict {
    generation: crate::tls::Generation,
    until: Instant,
    answer: Authentication,
}

/// How long a verdict holds while the authorities stay the same: a certificate may end in between.
const VERDICT_LIFE: Duration = Duration::from_secs(60);

impl PeerCertificates {
    /// The chain that a client showed, its own certificate first.
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, verdict: Mutex::new(None) }
    }
}

/// The authenticator for client certificates.
#[derive(Debug)]
pub struct ClientCertificates(Arc<ClientCa>);

impl ClientCertificates {
    /// Holds certificates against these authorities.
    pub fn new(authorities: Arc<ClientCa>) -> Self {
        Self(authorities)
    }

    fn judge(&self, peer: &PeerCertificates) -> Authentication {
        let Some(generation) = self.0.generation() else { return Ok(None) };
        let now = Instant::now();
        let mut verdict = peer.verdict.lock();
        if let Some(known) = &*verdict
            && known.generation == generation
            && now < known.until
        {
            return known.answer.clone();
        }
        let answer = match generation.verify(&peer.chain, UnixTime::now()) {
            Ok(()) => user(&peer.chain),
            Err(error) => {
                Err(AuthenticationError(format!("the client certificate is not accepted: {error}")))
            }
        };
        *verdict = Some(Verdict { generation, until: now + VERDICT_LIFE, answer: answer.clone() });
        answer
    }
}

impl Authenticator for ClientCertificates {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> BoxFuture<'a, Authentication> {
        let answer = credentials.certificates.map_or(Ok(None), |peer| self.judge(peer));
        Box::pin(std::future::ready(answer))
    }
}

/// The attribute that holds a user's uid, `apimachinery` `asn1.X509UID` (KEP-3926).
const UID: &str = "1.3.6.1.4.1.57683.2";

/// The user that a chain speaks for. Nobody without a CommonName.
fn user(chain: &[CertificateDer<'static>]) -> Authentication {
    let refuse = |why: &str| AuthenticationError(format!("the client certificate is not accepted: {why}"));
    let own = chain.first().ok_or_else(|| refuse("there is none"))?;
    let (_, certificate) = X509Certificate::from_der(own).map_err(|_| refuse("it cannot be parsed"))?;
    let subject = certificate.subject();
    let text =
        |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| attribute.as_str().map(str::to_owned);
    let Some(name) =
        subject.iter_common_name().last().and_then(|value| text(value).ok()).filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    let mut groups: Vec<String> = subject.iter_organization().filter_map(|value| text(value).ok()).collect();
    groups.push(AUTHENTICATED.to_owned());
    let mut uids = subject.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == UID);
    let uid = match (uids.next(), uids.next()) {
        (None, _) => String::new(),
        (Some(uid), None) => match text(uid) {
            Ok(uid) if !uid.is_empty() => uid,
            _ => return Err(refuse("its uid is empty or no text")),
        },
        (Some(_), Some(_)) => return Err(refuse("it has more than one uid")),
    };
    let digest: String = Sha256::digest(own).iter().map(|byte| format!("{byte:02x}")).collect();
    let extra = vec![(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={digest}")])];
    Ok(Some(Arc::new(UserInfo { name, uid, groups, extra })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn chain(attributes: &[(DnType, &str)]) -> Vec<CertificateDer<'static>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), *value);
        }
        vec![params.self_signed(&KeyPair::generate().expect("key")).expect("certificate").der().clone()]
    }

    #[test]
    fn the_subject_names_user_group_and_uid() {
        let uid = DnType::CustomDnType(UID.split('.').map(|part| part.parse().expect("number")).collect());
        let chain = chain(&[(DnType::OrganizationName, "devs"), (DnType::CommonName, "alice"), (uid, "42")]);
        let user = user(&chain).expect("accepted").expect("user");
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("alice", "42"));
        assert_eq!(user.groups, ["devs", AUTHENTICATED]);
        assert!(user.extra[0].1[0].starts_with("X509SHA256="));
    }

    #[test]
    fn nobody_without_a_common_name() {
        assert_eq!(user(&chain(&[(DnType::OrganizationName, "devs")])), Ok(None));
    }
}
