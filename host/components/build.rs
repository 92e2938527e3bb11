//! Builds the shipped components for `wasm32-wasip2` and precompiles them for the host's engine.

use anyhow::{Context, bail};
use chainplate_engine::TARGET;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const COMPONENTS: [&str; 3] = ["aggregator", "core", "apiextensions"];

fn main() -> anyhow::Result<()> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = manifest.join("../..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["plugins", "sdk", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    chainplate_engine::ensure_target(env::var("RUSTC")?, &root)?;
    let built = build(&root, &out)?;
    let engine = chainplate_engine::engine(chainplate_engine::Trust::Shipped)?;
    let mut table = String::from("static SHIPPED: &[(&str, Shipped)] = &[\n");
    for name in COMPONENTS {
        let wasm = built.join(format!("chainplate_{name}.wasm"));
        let bytes = fs::read(&wasm).with_context(|| wasm.display().to_string())?;
        chainplate_engine::contract_of(&bytes).with_context(|| name.to_owned())?;
        let digest = chainplate_engine::CodeCache::digest(&bytes);
        let code = chainplate_engine::precompile(&engine, &bytes).with_context(|| name.to_owned())?;
        let (wasm, precompiled) = (out.join(format!("{name}.wasm")), out.join(format!("{name}.cwasm")));
        fs::write(&wasm, bytes)?;
        fs::write(&precompiled, code)?;
        table += &format!(
            "    ({name:?}, Shipped {{ wasm: include_bytes!({wasm:?}), digest: {digest:?}, precompiled: include_bytes!({precompiled:?}) }}),\n"
        );
    }
    table += "];\n";
    fs::write(out.join("shipped.rs"), table)?;
    Ok(())
}

/// Builds the components with a cargo of their own; the directory of the results.
fn build(root: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    // <target>/<profile>/build/<package>-<hash>/out: one directory for all profiles, since components have their own.
    let target = out.ancestors().nth(4).context("OUT_DIR is not where cargo puts it")?.join("components");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.current_dir(root).args(["build", "--locked", "--profile", "component", "--target", TARGET]);
    cargo.arg("--target-dir").arg(&target);
    for name in COMPONENTS {
        cargo.args(["-p", &format!("chainplate-{name}")]);
    }
    // What the outer build set for the host's code is not meant for the components'.
    for name in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_RESOLVER_FEATURE_UNIFICATION",
        "CARGO_UNSTABLE_FEATURE_UNIFICATION",
    ] {
        cargo.env_remove(name);
    }
    for (name, _) in env::vars() {
        if name.starts_with("CARGO_FEATURE_") || name.starts_with("CARGO_CFG_") || name.starts_with("DEP_") {
            cargo.env_remove(name);
        }
    }
    if !cargo.status().context("cargo")?.success() {
        bail!("the components in plugins/ did not build; the reason stands above");
    }
    Ok(target.join(TARGET).join("component"))
}
