//! A short run of every fuzz target, the same each time.

use chainplate_fuzz::{TARGETS, Until, run};

/// The seed of short runs.
const SEED: u64 = 36;

fn short(name: &str, inputs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name);
    assert!(target.is_some(), "no target {name}");
    for target in target {
        run(target, SEED, Until::Inputs(inputs));
    }
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
    json: 2000,
    yaml: 1000,
    protobuf: 3000,
    typed: 1500,
    json_patch: 2000,
    merge_patch: 2000,
    strategic_merge_patch: 2000,
    apply: 1000,
    label_selector: 3000,
    field_selector: 3000,
    continue_token: 3000,
    accept: 3000,
    options: 3000,
    request: 400,
}
