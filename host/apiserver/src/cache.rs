//! A bounded cache whose entries end by themselves, for what authenticators and authorizers answered.

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, fmt, time::Duration};
use tokio::time::Instant;

/// What was asked, as a digest: keys of any length take the same memory, and none shows a token.
pub(crate) type Key = [u8; 32];

/// Makes a [`Key`] of several texts. Each goes in with its length, so that no two lists of texts are one key.
#[derive(Default)]
pub(crate) struct KeyHasher(Sha256);

impl KeyHasher {
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.0.update(text);
        self
    }

    pub(crate) fn texts(&mut self, texts: &[String]) -> &mut Self {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }

    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.0.update((count as u64).to_le_bytes());
        self
    }

    pub(crate) fn key(self) -> Key {
        self.0.finalize().into()
    }
}

/// At most `most` entries, each for a time of its own. What was not used for long goes first: entries live in
/// two halves; when the young half is full it becomes the old one, and what the old one still had is forgotten.
pub(crate) struct Expiring<V> {
    half: usize,
    halves: Mutex<Halves<V>>,
}

struct Halves<V> {
    young: HashMap<Key, Kept<V>>,
    old: HashMap<Key, Kept<V>>,
}

struct Kept<V> {
    value: V,
    until: Instant,
}

impl<V> fmt::Debug for Expiring<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiring").field("most", &(2 * self.half)).finish_non_exhaustive()
    }
}

impl<V: Clone> Expiring<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            half: (most / 2).max(1),
            halves: Mutex::new(Halves { young: HashMap::new(), old: HashMap::new() }),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<V> {
        let now = Instant::now();
        let mut halves = self.halves.lock();
        if let Some(kept) = halves.young.get(key) {
            return (now < kept.until).then(|| kept.value.clone());
        }
        let kept = halves.old.remove(key).filter(|kept| now < kept.until)?;
        let value = kept.value.clone();
        self.insert(&mut halves, *key, kept);
        Some(value)
    }

    /// Remembers a value for so long; not at all with a time of zero.
    pub(crate) fn put(&self, key: Key, value: V, life: Duration) {
        if life.is_zero() {
            return;
        }
        // A time beyond the clock's end is as good as this one.
        let until = Instant::now().checked_add(life).unwrap_or_else(|| Instant::now() + FOR_EVER);
        self.insert(&mut self.halves.lock(), key, Kept { value, until });
    }

    fn insert(&self, halves: &mut Halves<V>, key: Key, kept: Kept<V>) {
        if halves.young.len() >= self.half && !halves.young.contains_key(&key) {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, kept);
    }
}

const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(texts: &[&str]) -> Key {
        let mut hasher = KeyHasher::default();
        for text in texts {
            hasher.text(text);
        }
        hasher.key()
    }

    #[test]
    fn where_one_text_ends_is_part_of_the_key() {
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab", ""]), key(&["ab"]));
    }

    #[tokio::test(start_paused = true)]
    async fn entries_end_after_their_time() {
        let cache = Expiring::new(8);
        cache.put(key(&["a"]), 1, Duration::from_secs(10));
        cache.put(key(&["b"]), 2, Duration::ZERO);
        cache.put(key(&["c"]), 3, Duration::MAX);
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!([cache.get(&key(&["a"])), cache.get(&key(&["b"]))], [Some(1), None]);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!([cache.get(&key(&["a"])), cache.get(&key(&["c"]))], [None, Some(3)]);
    }

    #[test]
    fn it_never_grows_beyond_its_bound_and_keeps_what_is_used() {
        let cache = Expiring::new(100);
        let used = key(&["used"]);
        cache.put(used, 0, FOR_EVER);
        for index in 0..1_000 {
            cache.put(key(&[&index.to_string()]), index, FOR_EVER);
            assert_eq!(cache.get(&used), Some(0));
            let halves = cache.halves.lock();
            assert!(halves.young.len() + halves.old.len() <= 100);
        }
        assert_eq!([cache.get(&key(&["0"])), cache.get(&key(&["999"]))], [None, Some(999)]);
    }
}
