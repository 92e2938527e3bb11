//! Random operations against a model that is too simple to be wrong.

use crate::{Opener, key, pods, spec, value};
use chainplate_storage::{Error, EventKind, ListRequest, Revision, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PATHS: [&str; 6] = ["a/a", "a/b", "a-b/a", "b/a", "b", "c/d"];

#[derive(Debug, Clone)]
enum Step {
    Create { path: usize, content: u8 },
    Update { path: usize, content: u8, expected: Expected },
    Delete { path: usize, expected: Expected },
    Compact { back: Revision },
    Reopen,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Any,
    Current,
    Wrong,
}

/// path → (content, revision, create revision)
type State = BTreeMap<&'static str, (u8, Revision, Revision)>;

#[derive(Default)]
struct Model {
    /// The state at each revision; the last is the current one.
    states: BTreeMap<Revision, State>,
    compacted: Revision,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let expected = prop_oneof![Just(Expected::Any), Just(Expected::Current), Just(Expected::Wrong)];
    let path = 0..PATHS.len();
    let step = prop_oneof![
        4 => (path.clone(), 0..3u8).prop_map(|(path, content)| Step::Create { path, content }),
        4 => (path.clone(), 0..3u8, expected.clone())
            .prop_map(|(path, content, expected)| Step::Update { path, content, expected }),
        3 => (path, expected).prop_map(|(path, expected)| Step::Delete { path, expected }),
        1 => (0..10u64).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

fn text(content: u8) -> String {
    content.to_string()
}

impl Model {
    fn current(&self) -> (Revision, &State) {
        let (revision, state) = self.states.last_key_value().unwrap();
        (*revision, state)
    }

    /// The result of a write: revision and content, or the kind of failure.
    fn write(&mut self, step: &Step) -> Result<(Revision, u8), &'static str> {
        let (revision, state) = self.current();
        let (next, mut state) = (revision + 1, state.clone());
        let (Step::Create { path, .. } | Step::Update { path, .. } | Step::Delete { path, .. }) = *step
        else {
            unreachable!("a write")
        };
        let path = PATHS[path];
        let before = state.get(path).copied();
        let result = match (step, before) {
            (Step::Create { .. }, Some(_)) => return Err("exists"),
            (Step::Create { content, .. }, None) => {
                state.insert(path, (*content, next, next));
                *content
            }
            (_, None) => return Err("missing"),
            (
                Step::Update { expected: Expected::Wrong, .. }
                | Step::Delete { expected: Expected::Wrong, .. },
                _,
            ) => {
                return Err("conflict");
            }
            (Step::Update { content, .. }, Some((old, revision, made))) => {
                if old == *content {
                    return Ok((revision, old));
                }
                state.insert(path, (*content, next, made));
                *content
            }
            (_, Some((old, ..))) => {
                state.remove(path);
                old
            }
        };
        self.states.insert(next, state);
        Ok((next, result))
    }
}

async fn run(opener: Opener, steps: Vec<Step>) {
    let mut store = opener.open().await;
    let mut model = Model::default();
    model.states.insert(1, State::new());
    model.compacted = 1;
    for step in steps {
        let expected = |wanted: Expected, path: usize| match (wanted, store.get(&key(PATHS[path]))) {
            (Expected::Any, _) => None,
            (Expected::Current, object) => Some(object.map_or(1, |object| object.revision())),
            (Expected::Wrong, object) => Some(object.map_or(1, |object| object.revision() + 1)),
        };
        let written = match step {
            Step::Create { path, content } => {
                store.create(key(PATHS[path]), value(&text(content)), None).await
            }
            Step::Update { path, content, expected: wanted } => {
                let expected = expected(wanted, path);
                store.update(key(PATHS[path]), value(&text(content)), expected, None).await
            }
            Step::Delete { path, expected: wanted } => {
                let expected = expected(wanted, path);
                store.delete(key(PATHS[path]), expected).await
            }
            Step::Compact { back } => {
                let revision = store.revision().saturating_sub(back);
                store.compact(revision).await.unwrap();
                model.compacted = model.compacted.max(revision);
                continue;
            }
            Step::Reopen => {
                if opener.keeps() {
                    store.close().await.unwrap();
                    store = opener.open().await;
                    if !opener.keeps_history() {
                        model.compacted = store.revision();
                    }
                    // The history is there again, and as long as before.
                    compare(&store, &model);
                }
                continue;
            }
        };
        let found = match &written {
            Ok(object) => Ok((object.revision(), spec(object).parse().unwrap())),
            Err(Error::AlreadyExists(_)) => Err("exists"),
            Err(Error::NotFound(_)) => Err("missing"),
            Err(Error::Conflict { .. }) => Err("conflict"),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, model.write(&step), "{step:?}");
        compare(&store, &model);
    }
    replay(&store, &model).await;
    store.close().await.unwrap();
}

/// Every list at every revision, paged in all ways.
fn compare(store: &Store, model: &Model) {
    let (revision, state) = model.current();
    assert_eq!(store.revision(), revision);
    for path in PATHS {
        let found = store.get(&key(path));
        let found = found.map(|object| {
            (spec(&object).parse::<u8>().unwrap(), object.revision(), object.create_revision())
        });
        assert_eq!(found, state.get(path).copied(), "{path}");
    }
    for (revision, state) in &model.states {
        for namespace in [None, Some("a"), Some("b")] {
            let expected: Vec<_> = state
                .iter()
                .filter(|(path, _)| {
                    namespace.is_none_or(|namespace| {
                        path.split_once('/').is_some_and(|(first, _)| first == namespace)
                    })
                })
                .map(|(path, (_, revision, _))| ((*path).to_owned(), *revision))
                .collect();
            let request = ListRequest { namespace, at: Some(*revision), ..pods() };
            if *revision < model.compacted {
                assert!(matches!(store.list(&request), Err(Error::Compacted { .. })));
                continue;
            }
            for limit in [0, 1, 2] {
                let mut found: Vec<(String, Revision)> = Vec::new();
                loop {
                    let after = found.last().map(|(path, _)| path.clone());
                    let page =
                        store.list(&ListRequest { after: after.as_deref(), limit, ..request }).unwrap();
                    let objects = page.objects.iter();
                    found.extend(objects.map(|object| (object.key().path.to_string(), object.revision())));
                    assert_eq!((page.revision, page.remaining + found.len()), (*revision, expected.len()));
                    if page.remaining == 0 {
                        break;
                    }
                }
                assert_eq!(found, expected);
            }
        }
    }
}

/// A watch from each revision that is known leads to the current state.
async fn replay(store: &Store, model: &Model) {
    let (last, current) = model.current();
    for (start, state) in model.states.range(model.compacted..) {
        let mut state: BTreeMap<_, _> =
            state.iter().map(|(path, (_, revision, _))| ((*path).to_owned(), *revision)).collect();
        let mut watch = store.watch("pods", *start).unwrap();
        let mut seen = *start;
        while seen < last {
            for event in watch.next(2).await.unwrap().unwrap() {
                seen += 1;
                assert_eq!(event.revision(), seen);
                let path = event.object.key().path.to_string();
                match event.kind {
                    EventKind::Added => assert_eq!(state.insert(path, seen), None),
                    EventKind::Modified => assert!(state.insert(path, seen).is_some()),
                    EventKind::Deleted => assert!(state.remove(&path).is_some()),
                }
            }
        }
        assert_eq!(state, current.iter().map(|(path, entry)| ((*path).to_owned(), entry.1)).collect());
    }
}

fn check(opener: Opener, steps: Vec<Step>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(opener, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_the_model_in_memory(steps in steps()) {
        check(Opener::memory(), steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_the_model_in_redb(steps in steps()) {
        check(Opener::redb(), steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_the_model_in_etcd(steps in steps()) {
        if let Some(opener) = Opener::etcd() {
            check(opener, steps);
        }
    }
}
