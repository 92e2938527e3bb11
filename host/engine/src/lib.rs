//! The WebAssembly engines, and everything that turns component bytes into code.
//!
//! Two engines, because interruption costs 10 to 35 % on branch-heavy code: components that ship with the host
//! run without it, third-party ones with it. The same configuration serves the build (which precompiles the
//! shipped components) and the host (which loads them): precompiled code is only valid for an equal one, so it
//! must not stand in two places.

mod cache;
mod contract;
mod target;

pub use cache::CodeCache;
pub use contract::{Contract, contract_of};
pub use target::{TARGET, ensure_target};
pub use wasmtime;

use std::path::PathBuf;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The version of `chainplate:server` that this host links.
pub const CONTRACT_VERSION: &str = "0.2.0";

/// The largest component, in bytes. Those of Python are about 20 MiB.
pub const MAX_COMPONENT_SIZE: usize = 64 << 20;

/// What one instance of a shipped component may grow to, in bytes.
pub const DEFAULT_MEMORY_LIMIT: usize = 256 << 20;

/// Most instances of one engine at a time, over all its components. Address space is reserved for each
/// (4 GiB and a guard), memory is not.
const MAX_INSTANCES: u32 = 512;

/// Whose code an engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Components that ship with the host: no interruption.
    Shipped,
    /// Everybody else's: interrupted every [`EPOCH`], so that a loop can be stopped and never holds a thread.
    ThirdParty,
}

/// How often third-party code yields to the host's runtime.
pub const EPOCH: std::time::Duration = std::time::Duration::from_millis(10);

/// What goes wrong with engines and components.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine cannot be made on this machine.
    #[error("WebAssembly engine: {0}; the host needs a 64-bit machine with 47 bits of address space")]
    Engine(String),
    /// The bytes are no component.
    #[error("not a WebAssembly component: {0}; build it for the target wasm32-wasip2")]
    NotAComponent(String),
    /// The bytes are a component, but compiled already. Such code is never taken from outside.
    #[error("precompiled code is not accepted; give the .wasm component that it was compiled from")]
    Precompiled,
    /// It was built against another version of the contract.
    #[error(
        "the component wants {wanted}, this host has chainplate:server@{CONTRACT_VERSION}; \
         build it with an SDK of that version"
    )]
    Contract {
        /// `chainplate:server@…` as the component names it.
        wanted: String,
    },
    /// It does not speak the contract at all.
    #[error(
        "the component is of none of the worlds server, admission, converter, authenticator and authorizer of \
         chainplate:server; is it built with an SDK?"
    )]
    NoWorld,
    /// The component's code cannot be compiled.
    #[error("the component cannot be compiled: {0}; build it anew, with an SDK of this host's version")]
    Compile(String),
    /// The target of components is not there.
    #[error(
        "the Rust target {TARGET} is needed: {0}; install Rust from https://rustup.rs, then run `rustup target add {TARGET}`"
    )]
    Target(String),
    /// The code cache cannot be used.
    #[error("code cache {}: {source}; check that the directory is writable by this user alone", path.display())]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Makes an engine.
///
/// # Errors
/// [`Error::Engine`] where the machine cannot hold the address space or lacks what the code needs.
pub fn engine(trust: Trust) -> Result<Engine, Error> {
    Engine::new(&config(trust)).map_err(|error| Error::Engine(format!("{error:#}")))
}

fn config(trust: Trust) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        // A Rust component is up to four core instances: its own, the adapters', the shims'.
        .total_core_instances(MAX_INSTANCES * 8)
        .max_core_instances_per_component(64)
        .total_memories(MAX_INSTANCES * 2)
        .max_memories_per_component(16)
        .total_tables(MAX_INSTANCES * 8)
        .max_tables_per_component(64)
        .table_elements(100_000)
        .total_stacks(MAX_INSTANCES)
        .max_unused_warm_slots(16)
        .decommit_batch_size(16)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(wasmtime::Enabled::Auto);
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_component_model(true)
        .epoch_interruption(trust == Trust::ThirdParty)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32))
        .max_wasm_stack(1 << 20)
        .async_stack_size(2 << 20)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Compiles a component to the code that [`CodeCache::load_shipped`] takes.
///
/// # Errors
/// What is wrong with the bytes.
pub fn precompile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(Error::Precompiled);
    }
    engine.precompile_component(bytes).map_err(|error| Error::Compile(format!("{error:#}")))
}
