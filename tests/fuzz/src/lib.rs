//! Fuzz targets: plain functions over bytes that assert what holds for whatever a client sends. Nothing panics, what is
//! refused is refused with a 4xx Status where a Status comes out, and answers are bounded in size and time.
//!
//! The functions would do for any engine. Coverage-guided engines need a nightly compiler, so that [`run`] drives them
//! with a plain mutator over a corpus of seeds: for a moment in `cargo test`, for as long as wanted with
//! `CHAINPLATE_FUZZ_SECONDS=3600 cargo run --release -p chainplate-fuzz [target…]`.

mod mutate;
mod rng;
mod targets;

pub use rng::Rng;
pub use targets::TARGETS;

use std::time::{Duration, Instant};

/// One fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, as it is chosen by on the command line.
    pub name: &'static str,
    /// Asserts the contract for one input.
    pub check: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of the format, to put into inputs.
    pub words: &'static [&'static str],
}

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After so many inputs.
    Inputs(u64),
    /// After so much time.
    Elapsed(Duration),
}

/// More time than any input may take, on a busy machine and without optimisation.
const SLOWEST: Duration = Duration::from_secs(20);

/// Runs a target on its seeds and then on mutations of them; returns how many inputs were run. Input number `n` depends
/// on `seed` and `n` alone, so that a failure is repeated by its two numbers.
///
/// # Panics
/// On the first input that breaks the contract, with the two numbers and the input.
pub fn run(target: &Target, seed: u64, until: Until) -> u64 {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "the target {} has no seeds", target.name);
    for (number, input) in seeds.iter().enumerate() {
        checked(target, input, &format!("seed {number} of the corpus"));
    }
    let start = Instant::now();
    let mut number = 0;
    loop {
        match until {
            Until::Inputs(most) if number >= most => return number,
            Until::Elapsed(most) if start.elapsed() >= most => return number,
            _ => {}
        }
        let mut rng = Rng::new(seed, number);
        let input = mutate::mutated(&seeds, target.words, &mut rng);
        checked(target, &input, &format!("seed {seed}, input {number}"));
        number += 1;
    }
}

/// Tells which input it was if a check panics.
struct Told<'a> {
    target: &'a Target,
    input: &'a [u8],
    which: &'a str,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, {}: {}", self.target.name, self.which, self.input.escape_ascii());
        }
    }
}

fn checked(target: &Target, input: &[u8], which: &str) {
    let told = Told { target, input, which };
    let start = Instant::now();
    (target.check)(input);
    let took = start.elapsed();
    assert!(took < SLOWEST, "{} bytes took {took:?}", input.len());
    drop(told);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_depend_on_their_numbers_alone() {
        let seeds = vec![b"{\"a\":[1,2,3]}".to_vec(), b"a: b".to_vec()];
        let inputs = |seed: u64| -> Vec<Vec<u8>> {
            (0..200).map(|n| mutate::mutated(&seeds, &["null"], &mut Rng::new(seed, n))).collect()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }
}
