//! How many requests are served at once (`server/filters/maxinflight.go`).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The limits for reading and for writing requests. 0 is no limit.
#[derive(Debug)]
pub(crate) struct Limits {
    reading: Arc<Limit>,
    writing: Arc<Limit>,
}

#[derive(Debug)]
struct Limit {
    most: usize,
    count: AtomicUsize,
}

/// A place among the requests in flight, given back when it is released or dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    limit: Arc<Limit>,
    taken: AtomicBool,
}

impl Permit {
    /// Gives the place back; doing it again changes nothing.
    pub(super) fn release(&self) {
        if self.taken.swap(false, Ordering::AcqRel) {
            self.limit.count.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Limits {
    pub(crate) fn new(reading: usize, writing: usize) -> Self {
        let limit = |most| Arc::new(Limit { most, count: AtomicUsize::new(0) });
        Self { reading: limit(reading), writing: limit(writing) }
    }

    /// A place and how many requests there are now; an error when all are taken.
    pub(super) fn enter(&self, mutating: bool) -> Result<(Permit, usize), ()> {
        let limit = if mutating { &self.writing } else { &self.reading };
        let before = limit.count.fetch_add(1, Ordering::AcqRel);
        let permit = Permit { limit: limit.clone(), taken: AtomicBool::new(true) };
        if limit.most != 0 && before >= limit.most {
            return Err(());
        }
        Ok((permit, before + 1))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_writing_have_places_of_their_own() {
        let limits = Limits::new(1, 2);
        let reading = limits.enter(false).expect("a place");
        assert!(limits.enter(false).is_err());
        let _writing = [limits.enter(true).expect("a place"), limits.enter(true).expect("a place")];
        assert!(limits.enter(true).is_err());
        drop(reading);
        assert!(limits.enter(false).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = Limits::new(0, 0);
        let places: Vec<_> = (0..1000).map(|_| limits.enter(true).expect("a place")).collect();
        assert_eq!(places.last().expect("last").1, 1000);
    }
}
