//! The requests of the OCI distribution specification that push and pull need, and the two ways to say who asks.

use crate::transport::{Answer, MAX_MESSAGE, Outgoing, Transport, resolve, same_server};
use crate::{Access, Credentials, Digest, Error, Reference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Deserialize;

/// The largest manifest, in bytes: what the specification has registries take.
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Pull,
    Push,
}

/// One operation in one repository: the credentials that the registry asked for are kept for its duration.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    reference: &'a Reference,
    access: &'a Access,
    action: Action,
    transport: Transport,
    authorization: Option<HeaderValue>,
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

impl<'a> Session<'a> {
    pub(crate) fn new(reference: &'a Reference, action: Action, access: &'a Access) -> Self {
        let transport = Transport::new(reference.api_host(), access);
        Self { reference, access, action, transport, authorization: None }
    }

    /// The manifest, its bytes checked against the digest that pins it and the one that the registry names.
    pub(crate) async fn manifest(&mut self, accept: &'static str) -> Result<(Bytes, Digest), Error> {
        let path = format!("manifests/{}", self.reference.version());
        let mut request = Outgoing::new(Method::GET, self.uri(&path)?);
        request.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let answer = self.send(request, "manifest", MAX_MANIFEST).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused("the manifest", &answer));
        }
        let named = answer.headers.get(CONTENT_DIGEST).and_then(|value| value.to_str().ok());
        let named = named.and_then(|text| Digest::parse(text).ok());
        for expected in self.reference.digest().into_iter().chain(&named) {
            self.compare("manifest", expected, &answer.digest)?;
        }
        Ok((answer.body, answer.digest))
    }

    /// Content by its digest, of exactly this size.
    pub(crate) async fn blob(&mut self, digest: &Digest, size: u64) -> Result<Bytes, Error> {
        let request = Outgoing::new(Method::GET, self.uri(&format!("blobs/{digest}"))?);
        let answer = self.send(request, "content", size).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused("the content", &answer));
        }
        self.compare("content", digest, &answer.digest)?;
        Ok(answer.body)
    }

    /// Uploads content that the repository does not have, in one piece.
    pub(crate) async fn push_blob(&mut self, digest: &Digest, body: Bytes) -> Result<(), Error> {
        let request = Outgoing::new(Method::HEAD, self.uri(&format!("blobs/{digest}"))?);
        if self.send(request, "content", MAX_MESSAGE).await?.status == StatusCode::OK {
            return Ok(());
        }
        let start = self.uri("blobs/uploads/")?;
        let answer = self.send(Outgoing::new(Method::POST, start.clone()), "answer", MAX_MESSAGE).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(self.refused("the start of the upload", &answer));
        }
        let Some(location) = answer.headers.get(LOCATION) else {
            return Err(self.malformed("it does not say where to upload to".into()));
        };
        let location = resolve(&start, location)?;
        let joint = if location.query().is_some() { '&' } else { '?' };
        let target = format!("{location}{joint}digest={digest}");
        let target = target.parse().map_err(|_| self.malformed("it names no place to upload to".into()))?;
        let mut request = Outgoing::new(Method::PUT, target);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        request.body = body;
        let answer = self.send(request, "answer", MAX_MESSAGE).await?;
        if answer.status == StatusCode::CREATED { Ok(()) } else { Err(self.refused("the upload", &answer)) }
    }

    /// Puts a manifest under the reference's tag.
    pub(crate) async fn push_manifest(
        &mut self,
        media_type: &'static str,
        body: Bytes,
    ) -> Result<Digest, Error> {
        let digest = Digest::of(&body);
        let path = format!("manifests/{}", self.reference.version());
        let mut request = Outgoing::new(Method::PUT, self.uri(&path)?);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.body = body;
        let answer = self.send(request, "answer", MAX_MESSAGE).await?;
        if answer.status == StatusCode::CREATED {
            Ok(digest)
        } else {
            Err(self.refused("the manifest's upload", &answer))
        }
    }

    pub(crate) fn malformed(&self, reason: String) -> Error {
        Error::Malformed { reference: self.reference.to_string(), reason }
    }

    fn compare(&self, what: &'static str, expected: &Digest, found: &Digest) -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        Err(Error::DigestDiffers {
            reference: self.reference.to_string(),
            what,
            expected: expected.clone(),
            found: found.clone(),
        })
    }

    fn uri(&self, path: &str) -> Result<Uri, Error> {
        let host = self.reference.api_host();
        let scheme = self.transport.scheme();
        format!("{scheme}://{host}/v2/{}/{path}", self.reference.repository())
            .parse()
            .map_err(|_| self.malformed("the reference makes no address".into()))
    }

    /// Sends a request; asked who asks, says so and sends it again, once.
    async fn send(&mut self, mut request: Outgoing, what: &'static str, limit: u64) -> Result<Answer, Error> {
        let own = same_server(&request.uri, &self.uri("")?);
        let answer = self.transport.send(self.authorized(&mut request, own).clone(), what, limit).await;
        let answer = self.name(answer)?;
        // An upload may go to another host: that one has no business with the credentials.
        if answer.status != StatusCode::UNAUTHORIZED || !own {
            return Ok(answer);
        }
        self.authorization = Some(self.authenticate(&answer.headers).await?);
        let answer = self.transport.send(self.authorized(&mut request, own).clone(), what, limit).await;
        self.name(answer)
    }

    fn authorized<'r>(&self, request: &'r mut Outgoing, own: bool) -> &'r Outgoing {
        if let Some(authorization) = self.authorization.as_ref().filter(|_| own) {
            request.headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// Lets an error of the transport name the artefact.
    fn name(&self, result: Result<Answer, Error>) -> Result<Answer, Error> {
        result.map_err(|error| match error {
            Error::TooLarge { what, limit, .. } => {
                Error::TooLarge { reference: self.reference.to_string(), what, limit }
            }
            other => other,
        })
    }

    /// What to send after a challenge.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<HeaderValue, Error> {
        let mut value = match (challenge(headers), &self.access.credentials) {
            (_, Credentials::Bearer(token)) => HeaderValue::try_from(format!("Bearer {token}")),
            (Some(Challenge::Basic), Credentials::Basic { username, password }) => {
                HeaderValue::try_from(basic(username, password))
            }
            (Some(Challenge::Bearer { realm, service }), _) => {
                let token = self.token(&realm, service.as_deref()).await?;
                HeaderValue::try_from(format!("Bearer {token}"))
            }
            _ => return Err(self.unauthorized()),
        }
        .map_err(|_| self.malformed("a token that is no header".into()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Asks the token service that the registry names.
    async fn token(&self, realm: &str, service: Option<&str>) -> Result<String, Error> {
        let actions = if self.action == Action::Push { "pull,push" } else { "pull" };
        let scope = format!("repository:{}:{actions}", self.reference.repository());
        let joint = if realm.contains('?') { '&' } else { '?' };
        let service = service.map(|service| format!("&service={}", encode(service))).unwrap_or_default();
        let uri = format!("{realm}{joint}scope={}{service}", encode(&scope));
        let uri = uri.parse().map_err(|_| self.malformed("its token service has no address".into()))?;
        let mut request = Outgoing::new(Method::GET, uri);
        if let Credentials::Basic { username, password } = &self.access.credentials {
            let value = HeaderValue::try_from(basic(username, password));
            let mut value = value.map_err(|_| self.unauthorized())?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        let answer = self.name(self.transport.send(request, "token", MAX_MESSAGE).await)?;
        if answer.status != StatusCode::OK {
            return Err(self.refused("the token", &answer));
        }
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let token: Token = serde_json::from_slice(&answer.body)
            .map_err(|_| self.malformed("its token service sends no token".into()))?;
        token
            .token
            .or(token.access_token)
            .ok_or_else(|| self.malformed("its token service sends no token".into()))
    }

    fn unauthorized(&self) -> Error {
        Error::Unauthorized {
            reference: self.reference.to_string(),
            registry: self.reference.registry().to_owned(),
            credentials: self.access.credentials.kind(),
        }
    }

    fn refused(&self, step: &'static str, answer: &Answer) -> Error {
        let reference = self.reference.to_string();
        match answer.status {
            StatusCode::UNAUTHORIZED => self.unauthorized(),
            StatusCode::FORBIDDEN => Error::Denied {
                reference,
                message: explanation(&answer.body),
                action: if self.action == Action::Push { "push" } else { "pull" },
            },
            StatusCode::NOT_FOUND => Error::NotFound { reference },
            status => Error::Registry {
                reference,
                step,
                status: status.as_u16(),
                message: explanation(&answer.body),
            },
        }
    }
}

/// The messages in an answer of the specification's form, or its text; one line, cut.
fn explanation(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        errors: Vec<Message>,
    }
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => {
            let messages = answer.errors.iter().map(|error| format!("{} {}", error.code, error.message));
            messages.collect::<Vec<_>>().join("; ")
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    if line.trim().is_empty() { "without a reason".into() } else { line.trim().to_owned() }
}

#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

/// The challenge to answer: the first Bearer, else Basic (RFC 9110, 11.6.1).
fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut found = None;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(text) = value.to_str() else { continue };
        let (scheme, parameters) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            found = found.or(Some(Challenge::Basic));
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = parameter(parameters, "realm")
        {
            return Some(Challenge::Bearer { realm, service: parameter(parameters, "service") });
        }
    }
    found
}

/// A parameter of a challenge, `name="value"` or `name=value`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, tail)) = rest.split_once('=') {
        let (value, after) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        if key.trim_matches([',', ' ']).eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = after;
    }
    None
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// Percent-encoding for a value in a query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenged(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        challenge(&headers)
    }

    #[test]
    fn a_bearer_challenge_goes_before_basic() {
        let bearer =
            r#"Bearer realm="https://auth.example.com/token?a=b,c",service="registry",scope="x:y:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example.com/token?a=b,c".into(),
            service: Some("registry".into()),
        };
        assert_eq!(challenged(&["Basic realm=\"x\"", bearer]), Some(expected));
        assert_eq!(challenged(&["Basic"]), Some(Challenge::Basic));
        assert_eq!(challenged(&["Bearer service=\"x\"", "Negotiate"]), None);
    }

    #[test]
    fn explanations_are_one_short_line() {
        assert_eq!(explanation(br#"{"errors":[{"code":"DENIED","message":"no\nway"}]}"#), "DENIED no way");
        assert_eq!(explanation(b""), "without a reason");
        assert_eq!(explanation("ä".repeat(400).as_bytes()).chars().count(), 300);
    }

    #[test]
    fn values_in_queries_are_encoded() {
        assert_eq!(encode("repository:a/b:pull,push"), "repository:a/b:pull,push");
        assert_eq!(encode("a&b =ü"), "a%26b%20%3D%C3%BC");
    }
}
