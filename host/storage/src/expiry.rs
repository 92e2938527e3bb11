//! Which objects are to be deleted when.

use crate::{Event, EventKind, Object, Revision};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How late a deletion may be when the wall clock is set forward.
const PATIENCE: Duration = Duration::from_secs(1);

/// The objects that have a time to live, in the order of their ends.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// By milliseconds since 1970, and the revision that gave the object this end.
    ends: BTreeMap<(u64, Revision), Arc<Object>>,
}

impl Expiry {
    pub(crate) fn insert(&mut self, object: &Arc<Object>) {
        if object.expires_millis() > 0 {
            self.ends.insert((object.expires_millis(), object.revision()), object.clone());
        }
    }

    /// Follows a change.
    pub(crate) fn apply(&mut self, event: &Event) {
        if let Some(previous) = event.previous.as_ref().filter(|previous| previous.expires_millis() > 0) {
            self.ends.remove(&(previous.expires_millis(), previous.revision()));
        }
        if event.kind != EventKind::Deleted {
            self.insert(&event.object);
        }
    }

    /// Objects whose end has come, the first one first.
    pub(crate) fn due(&self, now: u64) -> impl Iterator<Item = &Arc<Object>> {
        self.ends.range(..=(now, Revision::MAX)).map(|(_, object)| object)
    }

    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.due(now).next().is_some()
    }

    /// How long nothing is due, at most [`PATIENCE`]; for ever if nothing has an end.
    pub(crate) fn pause(&self, now: u64) -> Duration {
        let Some(((end, _), _)) = self.ends.first_key_value() else { return Duration::MAX };
        Duration::from_millis(end.saturating_sub(now)).min(PATIENCE)
    }
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, document::Document};

    fn object(revision: Revision, expires: u64) -> Arc<Object> {
        let document = Document::parse(r#"{"metadata":{}}"#.into(), 100).unwrap();
        Arc::new(Object::new(Key::new("events", None, "a"), &document, revision, 2).expiring(expires))
    }

    #[test]
    fn an_update_replaces_the_end_and_a_deletion_removes_it() {
        let mut expiry = Expiry::default();
        let event = |kind, object: &Arc<Object>, previous: Option<&Arc<Object>>| Event {
            kind,
            object: object.clone(),
            previous: previous.cloned(),
        };
        let (first, second, third) = (object(2, 1000), object(3, 3000), object(4, 0));
        assert_eq!(expiry.pause(0), Duration::MAX);
        expiry.apply(&event(EventKind::Added, &first, None));
        assert_eq!(expiry.pause(900), Duration::from_millis(100));
        assert_eq!(expiry.pause(9000), Duration::ZERO);
        assert!(!expiry.is_due(999) && expiry.is_due(1000));
        expiry.apply(&event(EventKind::Modified, &second, Some(&first)));
        assert!(!expiry.is_due(2999) && expiry.is_due(3000));
        assert_eq!(expiry.pause(0), PATIENCE);
        expiry.apply(&event(EventKind::Modified, &third, Some(&second)));
        assert!(expiry.ends.is_empty());
        expiry.apply(&event(EventKind::Modified, &first, Some(&third)));
        expiry.apply(&event(EventKind::Deleted, &first, Some(&first)));
        assert!(expiry.ends.is_empty());
    }
}
