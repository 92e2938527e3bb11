//! Concurrent histories are linearizable: there is an order of the calls, each between its begin and its end, in
//! which a plain register for each key gives the same answers. The search is that of Wing and Gong, with Lowe's memory
//! of what was tried (Testing for linearizability, 2017).

use crate::{Opener, key, on_engines, spec, value};
use chainplate_storage::{Error, Object, Revision, Store};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

on_engines![concurrent_histories_are_linearizable];

const KEYS: [&str; 3] = ["a/one", "a/two", "b"];
const CLIENTS: u64 = 6;
const CALLS: u64 = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Get,
    Create(u64),
    Update(u64, Option<Revision>),
    Delete(Option<Revision>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Answer {
    /// Content and revision.
    Found(u64, Revision),
    Missing,
    Exists,
    Conflict(Revision),
    /// The revision of the write.
    Done(Revision),
}

/// A call that took from `begin` to `end`.
#[derive(Debug, Clone, Copy)]
struct Taken {
    call: Call,
    answer: Answer,
    begin: u64,
    end: u64,
}

/// One key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Register {
    /// Content and revision.
    object: Option<(u64, Revision)>,
    /// The last write, deletions included.
    last: Revision,
}

impl Register {
    /// The state after a call; `None` if it would have been answered in another way.
    fn after(self, call: Call, answer: Answer) -> Option<Self> {
        let expected = match call {
            Call::Update(_, expected) | Call::Delete(expected) => expected,
            Call::Get | Call::Create(_) => None,
        };
        let write = |object: Option<u64>| match answer {
            Answer::Done(revision) if revision > self.last => {
                Some(Self { object: object.map(|content| (content, revision)), last: revision })
            }
            _ => None,
        };
        let same = |fits: bool| fits.then_some(self);
        match (call, self.object) {
            (Call::Get, None) => same(answer == Answer::Missing),
            (Call::Get, Some((content, revision))) => same(answer == Answer::Found(content, revision)),
            (Call::Create(content), None) => write(Some(content)),
            (Call::Create(_), Some(_)) => same(answer == Answer::Exists),
            (_, None) => same(answer == Answer::Missing),
            (_, Some((_, revision))) if expected.is_some_and(|expected| expected != revision) => {
                same(answer == Answer::Conflict(revision))
            }
            (Call::Update(content, _), Some(_)) => write(Some(content)),
            (Call::Delete(_), Some(_)) => write(None),
        }
    }
}

/// Whether there is an order. At most 256 calls.
fn is_linearizable(calls: &[Taken]) -> bool {
    fn search(
        calls: &[Taken],
        taken: [u128; 2],
        state: Register,
        tried: &mut HashSet<([u128; 2], Register)>,
    ) -> bool {
        let left = |index: &usize| taken[index / 128] & (1 << (index % 128)) == 0;
        let open: Vec<usize> = (0..calls.len()).filter(left).collect();
        let Some(first_end) = open.iter().map(|index| calls[*index].end).min() else { return true };
        if !tried.insert((taken, state)) {
            return false;
        }
        // Who began after another one ended cannot come before it.
        open.into_iter().filter(|index| calls[*index].begin < first_end).any(|index| {
            let mut taken = taken;
            taken[index / 128] |= 1 << (index % 128);
            let after = state.after(calls[index].call, calls[index].answer);
            after.is_some_and(|after| search(calls, taken, after, tried))
        })
    }
    assert!(calls.len() <= 256);
    search(calls, [0; 2], Register::default(), &mut HashSet::new())
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn content(object: &Object) -> u64 {
    spec(object).parse().unwrap()
}

async fn answer(store: &Store, path: &str, call: Call) -> Answer {
    let text = |content: u64| value(&content.to_string());
    let written = match call {
        Call::Get => {
            store.refresh().await.unwrap();
            let found = store.get(&key(path));
            return found
                .map_or(Answer::Missing, |object| Answer::Found(content(&object), object.revision()));
        }
        Call::Create(content) => store.create(key(path), text(content), None).await,
        Call::Update(content, expected) => store.update(key(path), text(content), expected, None).await,
        Call::Delete(expected) => store.delete(key(path), expected).await,
    };
    match written {
        Ok(object) => Answer::Done(object.revision()),
        Err(Error::NotFound(_)) => Answer::Missing,
        Err(Error::AlreadyExists(_)) => Answer::Exists,
        Err(Error::Conflict { current, .. }) => Answer::Conflict(current),
        Err(error) => panic!("{error}"),
    }
}

/// What one client does: a list of keys and calls.
async fn client(store: Store, number: u64, seed: u64, clock: Arc<AtomicU64>) -> Vec<(&'static str, Taken)> {
    let mut random = Random(seed * 1000 + number + 1);
    let mut seen: HashMap<&str, Revision> = HashMap::new();
    let mut history = Vec::new();
    for turn in 0..CALLS {
        let path = KEYS[random.below(KEYS.len() as u64) as usize];
        let content = number * CALLS + turn;
        let expected = match random.below(3) {
            0 => None,
            _ => seen.get(path).copied(),
        };
        let call = match random.below(10) {
            0..4 => Call::Get,
            4..6 => Call::Create(content),
            6..9 => Call::Update(content, expected),
            _ => Call::Delete(expected),
        };
        let begin = clock.fetch_add(1, Ordering::SeqCst);
        let answer = answer(&store, path, call).await;
        let end = clock.fetch_add(1, Ordering::SeqCst);
        if let Answer::Found(_, revision) | Answer::Done(revision) | Answer::Conflict(revision) = answer {
            seen.insert(path, revision);
        }
        history.push((path, Taken { call, answer, begin, end }));
    }
    history
}

async fn concurrent_histories_are_linearizable(opener: Opener) {
    for seed in 1..6 {
        let store = opener.open().await;
        for path in KEYS {
            let _ = store.delete(key(path), None).await;
        }
        let clock = Arc::new(AtomicU64::new(0));
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(client(store.clone(), number, seed, clock.clone()));
        }
        let history = clients.join_all().await.concat();
        for path in KEYS {
            let calls: Vec<_> =
                history.iter().filter(|(other, _)| *other == path).map(|(_, taken)| *taken).collect();
            assert!(is_linearizable(&calls), "seed {seed}, {path}: {calls:#?}");
        }
        // Over all keys revisions follow time.
        let write = |(_, taken): &(_, Taken)| match taken.answer {
            Answer::Done(revision) => Some((revision, taken.begin, taken.end)),
            _ => None,
        };
        let mut writes: Vec<_> = history.iter().filter_map(write).collect();
        writes.sort_unstable();
        let mut latest_begin = 0;
        for (revision, begin, end) in writes {
            assert!(
                end > latest_begin,
                "revision {revision} was answered before an earlier one was asked for"
            );
            latest_begin = latest_begin.max(begin);
        }
        store.close().await.unwrap();
    }
}

#[test]
fn histories_that_cannot_be_are_rejected() {
    let taken = |call, answer, begin, end| Taken { call, answer, begin, end };
    let create = taken(Call::Create(1), Answer::Done(2), 0, 1);
    let update = |begin, end| taken(Call::Update(2, None), Answer::Done(3), begin, end);
    let old = |begin, end| taken(Call::Get, Answer::Found(1, 2), begin, end);
    let new = |begin, end| taken(Call::Get, Answer::Found(2, 3), begin, end);
    assert!(is_linearizable(&[create, update(2, 3), new(4, 5)]));
    // A read beside the write may see either; a stale one after it may not.
    assert!(is_linearizable(&[create, update(2, 5), old(3, 4)]));
    assert!(is_linearizable(&[create, update(2, 5), new(3, 4)]));
    assert!(!is_linearizable(&[create, update(2, 3), old(4, 5)]));
    // Once one has seen the new state, nobody sees the old one any more.
    assert!(!is_linearizable(&[create, update(2, 9), new(3, 4), old(5, 6)]));
    // Both swaps from the same revision.
    let swap = |content, revision| taken(Call::Update(content, Some(2)), Answer::Done(revision), 2, 5);
    assert!(!is_linearizable(&[create, swap(5, 3), swap(6, 4)]));
    // A revision that goes back, a lost write, a conflict with the current revision.
    assert!(!is_linearizable(&[create, taken(Call::Update(2, None), Answer::Done(1), 2, 3)]));
    assert!(!is_linearizable(&[create, taken(Call::Get, Answer::Missing, 2, 3)]));
    let conflict = taken(Call::Delete(Some(2)), Answer::Conflict(2), 2, 3);
    assert!(!is_linearizable(&[create, conflict]));
}
