//! Runs fuzz targets for as long as `CHAINPLATE_FUZZ_SECONDS` says (60): all of them, or those named as arguments. Each
//! run has other inputs; `CHAINPLATE_FUZZ_SEED` repeats one.

use chainplate_fuzz::{TARGETS, Target, Until, run};
use std::{
    env,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn main() -> ExitCode {
    let seconds = number("CHAINPLATE_FUZZ_SECONDS").unwrap_or(60);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("CHAINPLATE_FUZZ_SEED").unwrap_or(now.as_secs());
    let names: Vec<String> = env::args().skip(1).collect();
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|n| n == target.name)).collect();
    if chosen.is_empty() || names.iter().any(|name| TARGETS.iter().all(|target| target.name != name)) {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("no such target; there are {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let each = Duration::from_secs(seconds) / u32::try_from(chosen.len()).unwrap_or(1);
    let mut failed = false;
    for target in chosen {
        println!("{}: seed {seed}, for {each:?}", target.name);
        match std::panic::catch_unwind(|| run(target, seed, Until::Elapsed(each))) {
            Ok(count) => println!("{}: {count} inputs", target.name),
            // What failed was told by then.
            Err(_) => failed = true,
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
