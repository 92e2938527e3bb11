//! What this server is, as `/version` and `--version` tell it.

use serde_json::{Value, json};

/// The minor version of Kubernetes that the API is of.
pub const MINOR: &str = "36";

/// The version as clients parse it: that of the API, with ours as build metadata.
pub const GIT_VERSION: &str = concat!("v1.36.0+chainplate.", env!("CARGO_PKG_VERSION"));

/// The document at `/version`, upstream's `version.Info`. `goVersion` and `compiler` are there because clients
/// decode them; they name what this was built with.
pub fn info() -> Value {
    json!({
        "major": "1",
        "minor": MINOR,
        "emulationMajor": "1",
        "emulationMinor": MINOR,
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": GIT_VERSION,
        "gitCommit": option_env!("CHAINPLATE_GIT_COMMIT").unwrap_or("unknown"),
        "gitTreeState": "clean",
        "buildDate": option_env!("CHAINPLATE_BUILD_DATE").unwrap_or("1970-01-01T00:00:00Z"),
        "goVersion": "none",
        "compiler": "rustc",
        "platform": platform(),
    })
}

/// `linux/amd64`, in Go's names.
fn platform() -> String {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}/{machine}", std::env::consts::OS)
}
