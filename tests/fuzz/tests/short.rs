//! A short run of every fuzz target, the same each time.

use chainplate_fuzz::{TARGETS, Until, run};

/// The seed of short runs.
const SEED: u64 = 36;

/// Code without optimisation needs more stack for deep documents than test threads have.
const STACK: usize = 32 << 20;

fn short(name: &str, inputs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let thread = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || target.map(|target| run(target, SEED, Until::Inputs(inputs))));
    let ran = thread.map(|thread| thread.join());
    assert!(matches!(ran, Ok(Ok(Some(_)))), "{name}: see above");
}

macro_rules! short {
    ($($name:ident: $inputs:literal,)*) => {
        $(#[test]
        fn $name() {
            short(stringify!($name), $inputs);
        })*

        #[test]
        fn every_target_has_a_short_run() {
            let names = [$(stringify!($name)),*];
            for target in TARGETS {
                assert!(names.contains(&target.name), "{} has no short run", target.name);
            }
        }
    };
}

short! {
    json: 150,
    yaml: 30,
    protobuf: 4000,
    typed: 600,
    json_patch: 300,
    merge_patch: 2000,
    strategic_merge_patch: 300,
    apply: 120,
    label_selector: 500,
    field_selector: 3000,
    continue_token: 3000,
    accept: 250,
    options: 700,
    request: 60,
}
