//! Makes the tables of the built-in types from the sources of k8s-openapi (schemas) and k8s-pb (list types,
//! patch strategies, protobuf tags), and from `facts.txt` (what only Go's structs tell).

mod documents;
mod emit;
mod hash;
mod locate;
mod openapi;
mod protobuf;
mod tables;

use std::{env, fs, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chainplate-types cannot make its tables: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=facts.txt");
    let schemas = openapi::read(&locate::crate_source("k8s-openapi", "0.29.")?.join("src/v1_36"))?;
    let messages = protobuf::read(&locate::crate_source("k8s-pb", "0.9.")?.join("src"))?;
    let facts = fs::read_to_string("facts.txt").map_err(|error| format!("facts.txt: {error}"))?;
    let tables = tables::build(&schemas, &messages, &facts)?;
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?);
    for (name, text) in [
        ("tables.rs", emit::tables(&tables)),
        ("descriptions.rs", emit::descriptions(&tables)),
        ("documents.rs", documents::tables(&tables, &schemas, &messages)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
