//! Certificates on the way to etcd.

use super::server::Server;
use crate::{key, value};
use chainplate_storage::{EngineOptions, Error, EtcdOptions, Options, Store};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes `<name>.crt` and `<name>.key` for each of `names`, signed by an authority of their own in `<ca>.crt`.
fn certificates(directory: &Path, ca: &str, names: &[&str]) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    fs::write(directory.join(format!("{ca}.crt")), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    for name in names {
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        fs::write(directory.join(format!("{name}.crt")), leaf.pem()).unwrap();
        fs::write(directory.join(format!("{name}.key")), leaf_key.serialize_pem()).unwrap();
    }
}

async fn open(server: &Server, [ca, cert, key]: [Option<PathBuf>; 3]) -> Result<Store, String> {
    let etcd = EtcdOptions {
        servers: vec![format!("https://127.0.0.1:{}", server.port())],
        ca_file: ca,
        cert_file: cert,
        key_file: key,
        ..EtcdOptions::default()
    };
    match Store::open(Options { engine: EngineOptions::Etcd(etcd), ..Options::default() }).await {
        Ok(store) => Ok(store),
        Err(Error::Engine(why)) => Err(why),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_checked_on_both_sides() {
    let place = tempfile::tempdir().unwrap();
    certificates(place.path(), "ca", &["server", "client"]);
    certificates(place.path(), "other", &["stranger"]);
    let file = |name: &str| Some(place.path().join(name));
    let flag = |flag: &str, name: &str| format!("--{flag}={}", place.path().join(name).display());
    let flags =
        [flag("cert-file", "server.crt"), flag("key-file", "server.key"), flag("trusted-ca-file", "ca.crt")];
    let mut flags: Vec<_> = flags.iter().map(String::as_str).collect();
    flags.push("--client-cert-auth");
    let Some(server) = Server::start(&flags) else { return };

    let store = open(&server, [file("ca.crt"), file("client.crt"), file("client.key")]).await.unwrap();
    store.create(key("n/a"), value("1"), None).await.unwrap();
    store.refresh().await.unwrap();

    // What cannot work is said at once; what may come in order is tried for a while, all at the same time.
    let why = open(&server, [file("ca.crt"), file("client.crt"), None]).await.unwrap_err();
    assert!(why.contains("belong together"), "{why}");
    let why = open(&server, [file("missing"), None, None]).await.unwrap_err();
    assert!(why.contains("--etcd-cafile") && why.contains("missing"), "{why}");
    let (wrong_ca, wrong_client) = tokio::join!(
        open(&server, [file("other.crt"), file("client.crt"), file("client.key")]),
        open(&server, [file("ca.crt"), file("stranger.crt"), file("stranger.key")]),
    );
    let why = wrong_ca.unwrap_err();
    assert!(why.contains("certificate") && why.contains("--etcd-servers https://127.0.0.1"), "{why}");
    let why = wrong_client.unwrap_err();
    assert!(why.contains("--etcd-servers https://127.0.0.1"), "{why}");
}
