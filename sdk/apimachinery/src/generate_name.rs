//! `metadata.generateName` (`apiserver/pkg/storage/names/generate.go`).

use crate::names::LABEL_MAX;

const RANDOM: usize = 5;
/// How much of the prefix is kept, in bytes.
pub const MAX_PREFIX: usize = LABEL_MAX - RANDOM;
/// How many names are tried before a collision is told to the client.
pub const ATTEMPTS: usize = 8;
/// No vowels, and no digits that look like them, so that no words come out.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A name made of a prefix and five random characters.
pub fn generate(prefix: &str) -> String {
    let mut end = prefix.len().min(MAX_PREFIX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = String::with_capacity(end + RANDOM);
    name.push_str(&prefix[..end]);
    let mut bits = uuid::Uuid::new_v4().as_u128();
    for _ in 0..RANDOM {
        let index = (bits % ALPHABET.len() as u128) as usize;
        name.push(char::from(ALPHABET[index]));
        bits /= ALPHABET.len() as u128;
    }
    name
}

/// A random uid (RFC 9562, version 4).
pub fn uid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_prefix_and_five_characters() {
        let name = generate("web-");
        assert_eq!(name.len(), 9);
        assert!(name.starts_with("web-") && name[4..].bytes().all(|byte| ALPHABET.contains(&byte)), "{name}");
        assert_ne!(generate("web-"), generate("web-"));
    }

    #[test]
    fn long_prefixes_are_cut_between_characters() {
        assert_eq!(generate(&"x".repeat(70)).len(), LABEL_MAX);
        assert!(generate(&"é".repeat(40)).len() <= LABEL_MAX);
    }

    #[test]
    fn uids_are_version_4() {
        assert_eq!(uuid::Uuid::parse_str(&uid()).unwrap().get_version_num(), 4);
    }
}
