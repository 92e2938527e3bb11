//! Names of artefacts: `registry/repository:tag@digest`.

use crate::{Digest, Error};
use std::fmt;

/// The name of an artefact, with a tag, a digest that pins it, or both.
///
/// Stricter than Docker's grammar in two things, so that a typing error is never another artefact: the registry is always named
/// (no silent `docker.io`), and so is the version (no silent `latest`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// The most characters of a registry and repository together, and of a tag: the distribution specification's.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

impl Reference {
    /// Reads `registry.example.com/team/plugin:1.2.0`, `…@sha256:…`, or both in this order.
    ///
    /// # Errors
    /// [`Error::Reference`] with what is missing or malformed, [`Error::Digest`] for the digest.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse =
            |reason: &'static str| Error::Reference { text: text.chars().take(300).collect(), reason };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (registry, path) = name
            .split_once('/')
            .ok_or_else(|| refuse("it names no registry; write registry/repository:tag"))?;
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_registry(registry) {
            return Err(refuse(
                "its first part is no registry: a host name with a dot or a port, or localhost, is wanted",
            ));
        }
        if name.len() > MAX_NAME + MAX_TAG || !repository.split('/').all(is_component) {
            return Err(refuse("a repository is made of lower case letters, digits, '.', '_', '-' and '/'"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(refuse("a tag is at most 128 letters, digits, '.', '_' and '-'"));
        }
        if tag.is_none() && digest.is_none() {
            return Err(refuse("it names no version; add a :tag or a @sha256: digest"));
        }
        // Docker Hub keeps what has no owner under `library`.
        let repository = if registry == DOCKER_HUB && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }

    /// The registry's host, and its port if one was given.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository's path in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The manifest's digest that this name pins, if it does.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same artefact, pinned to a digest.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self.clone() }
    }

    /// Another tag of the same repository.
    pub(crate) fn tagged(&self, tag: String) -> Self {
        Self { tag: Some(tag), digest: None, ..self.clone() }
    }

    /// Host and port of the registry's API.
    pub(crate) fn api_host(&self) -> &str {
        if self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }

    /// What the manifest is asked for by: the digest, which leaves no choice, before the tag.
    pub(crate) fn version(&self) -> &str {
        self.digest.as_ref().map(Digest::as_str).or(self.tag.as_deref()).unwrap_or_default()
    }
}

/// The registry whose API, credentials and short names differ from its own name.
pub(crate) const DOCKER_HUB: &str = "docker.io";

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether this is a host that may be a registry, by Docker's rule: a dot, a port, or `localhost`.
fn is_registry(text: &str) -> bool {
    let known = text.contains('.') || text.contains(':') || text == "localhost";
    let sound = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    known
        && sound
        && begins
        && text.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.host().is_empty())
}

fn is_component(text: &str) -> bool {
    let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(letter)
        && bytes.last().is_some_and(letter)
        && bytes.iter().all(|byte| letter(byte) || b"._-".contains(byte))
        && !text.contains("..")
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_TAG).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_written_as_it_was_read() {
        for text in [
            "registry.example.com/team/plugin:1.2.0".to_owned(),
            "localhost/p:v1".to_owned(),
            "localhost:5000/a/b/c__d:v1_2-x".to_owned(),
            "[::1]:5000/plugin:1".to_owned(),
            format!("ghcr.io/team/plugin@{DIGEST}"),
            format!("ghcr.io/team/plugin:1@{DIGEST}"),
        ] {
            assert_eq!(Reference::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_pin_goes_before_the_tag() {
        let reference = Reference::parse(&format!("ghcr.io/team/plugin:1@{DIGEST}")).unwrap();
        assert_eq!(reference.version(), DIGEST);
        assert_eq!(reference.tag(), Some("1"));
        assert_eq!(reference.tagged("2".into()).version(), "2");
    }

    #[test]
    fn docker_hub_has_its_own_api_host_and_library() {
        let reference = Reference::parse("docker.io/plugin:1").unwrap();
        assert_eq!(reference.api_host(), "registry-1.docker.io");
        assert_eq!(reference.repository(), "library/plugin");
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, reason) in [
            ("plugin:1", "no registry"),
            ("./plugin.wasm", "no registry"),
            ("team/plugin:1", "no registry"),
            ("user@host.com/p:1", "sha256"),
            ("ghcr.io/team/plugin", "no version"),
            ("ghcr.io/Team/plugin:1", "lower case"),
            ("ghcr.io/../plugin:1", "lower case"),
            ("ghcr.io/team//plugin:1", "lower case"),
            ("ghcr.io/team/plugin:", "a tag is"),
            ("ghcr.io/team/plugin:a b", "a tag is"),
            ("ghcr.io/team/plugin:1@sha512:00", "sha256"),
        ] {
            let error = Reference::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
