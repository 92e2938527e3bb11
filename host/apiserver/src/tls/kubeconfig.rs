//! The administrator's kubeconfig.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{fs, io::Write as _, path::Path};

/// A kubeconfig with everything embedded, context `chainplate`. JSON, which is YAML.
pub fn kubeconfig(server: &str, authority: &[u8], certificate: &str, key: &str) -> String {
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "chainplate",
            "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(authority) },
        }],
        "users": [{
            "name": "kubernetes-admin",
            "user": {
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key),
            },
        }],
        "contexts": [{
            "name": "chainplate",
            "context": { "cluster": "chainplate", "user": "kubernetes-admin" },
        }],
        "current-context": "chainplate",
    });
    format!("{document:#}\n")
}

/// Writes a file that its owner alone may read, all of it or nothing.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = (|| {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    })();
    if written.is_err() {
        // Nothing else to do about it: the first error is the one that counts.
        let _ = fs::remove_file(temporary);
    }
    written
}
