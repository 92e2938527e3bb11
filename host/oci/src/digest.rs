//! SHA-256 digests as registries write them.

use crate::Error;
use sha2::Digest as _;
use std::fmt;

/// The SHA-256 digest of some content, written `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

const ALGORITHM: &str = "sha256:";

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// [`Error::Digest`] if it is no SHA-256 digest in lower case. Other algorithms are not taken: no registry in use needs
    /// them.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix(ALGORITHM).unwrap_or_default();
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 64 && digits.bytes().all(lower) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Digest { text: text.chars().take(100).collect() })
        }
    }

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(sha2::Sha256::new_with_prefix(bytes))
    }

    /// The digest of what a hasher has seen.
    pub(crate) fn finish(hasher: sha2::Sha256) -> Self {
        let mut text = String::with_capacity(ALGORITHM.len() + 64);
        text.push_str(ALGORITHM);
        for byte in hasher.finalize() {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        Self(text)
    }

    /// `sha256:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hexadecimal digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix(ALGORITHM).unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Digest::parse(digest.as_str()).unwrap(), digest);
    }

    #[test]
    fn other_algorithms_lengths_and_cases_are_refused() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for text in [String::new(), hex.into(), format!("sha512:{hex}"), format!("sha256:{}", &hex[1..])] {
            assert!(matches!(Digest::parse(&text), Err(Error::Digest { .. })), "{text}");
        }
        assert!(Digest::parse(&format!("sha256:{}", hex.to_uppercase())).is_err());
    }
}
