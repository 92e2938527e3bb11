use super::*;
use crate::options::{CompletedOptions, Options};
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

fn options(directory: &TempDir, more: &[&str]) -> CompletedOptions {
    let mut args =
        vec![format!("--data-dir={}", directory.path().display()), "--bind-address=127.0.0.1".into()];
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    Options::from_args(args).expect("arguments").complete()
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory.join("certs"))
        .expect("certs")
        .map(|entry| {
            let entry = entry.expect("entry");
            (entry.file_name().into_string().expect("name"), fs::read(entry.path()).expect("file"))
        })
        .collect();
    files.sort();
    files
}

fn changed(before: &[(String, Vec<u8>)], after: &[(String, Vec<u8>)]) -> Vec<String> {
    after.iter().filter(|file| !before.contains(file)).map(|(name, _)| name.clone()).collect()
}

#[test]
fn certificates_are_made_once_and_kept() {
    let directory = tempfile::tempdir().expect("directory");
    let now = SystemTime::now();
    generate(&options(&directory, &[]), now).expect("made");
    let first = files(directory.path());
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "admin.crt",
            "admin.key",
            "apiserver.crt",
            "apiserver.key",
            "ca.crt",
            "ca.key",
            "client-ca.crt",
            "client-ca.key"
        ]
    );
    generate(&options(&directory, &[]), now).expect("kept");
    assert_eq!(first, files(directory.path()));
}

#[cfg(unix)]
#[test]
fn their_owner_alone_may_read_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("directory");
    generate(&options(&directory, &[]), SystemTime::now()).expect("made");
    for entry in fs::read_dir(directory.path().join("certs")).expect("certs") {
        let mode = entry.expect("entry").metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn what_no_longer_fits_is_made_anew_and_nothing_else() {
    let directory = tempfile::tempdir().expect("directory");
    let now = SystemTime::now();
    let day = Duration::from_secs(24 * 60 * 60);
    generate(&options(&directory, &[]), now).expect("made");
    let mut before = files(directory.path());
    let certs = directory.path().join("certs");
    let mut step = |change: &dyn Fn(), args: &[&str], now: SystemTime, expected: &[&str]| {
        change();
        generate(&options(&directory, args), now).expect("made");
        let after = files(directory.path());
        assert_eq!(changed(&before, &after), expected);
        before = after;
    };
    step(&|| {}, &[], now + 300 * day, &[]);
    step(&|| {}, &[], now + 340 * day, &["admin.crt", "admin.key", "apiserver.crt", "apiserver.key"]);
    step(&|| {}, &["--advertise-address=10.9.8.7"], now + 340 * day, &["apiserver.crt", "apiserver.key"]);
    let broken = || fs::write(certs.join("admin.crt"), "broken").expect("written");
    step(&broken, &[], now + 340 * day, &["admin.crt", "admin.key"]);
    let gone = || fs::remove_file(certs.join("ca.key")).expect("removed");
    step(&gone, &[], now + 340 * day, &["apiserver.crt", "apiserver.key", "ca.crt", "ca.key"]);
    let key = fs::read(certs.join("apiserver.key")).expect("key");
    let swapped = || fs::write(certs.join("client-ca.key"), &key).expect("written");
    step(&swapped, &[], now + 340 * day, &["admin.crt", "admin.key", "client-ca.crt", "client-ca.key"]);
}

#[test]
fn a_new_serving_certificate_is_taken_and_a_broken_one_is_not() {
    let [one, two] = [(); 2].map(|()| {
        let directory = tempfile::tempdir().expect("directory");
        let made = generate(&options(&directory, &[]), SystemTime::now()).expect("made");
        (directory, made)
    });
    let serving = ServingCertificate::load(&one.1.serving_certificate, &one.1.serving_key).expect("loads");
    let first = serving.pem();
    assert_eq!(serving.reload(), Ok(false));
    fs::copy(&two.1.serving_certificate, &one.1.serving_certificate).expect("copied");
    let error = serving.reload().expect_err("the key does not belong to it");
    assert!(error.contains("--tls-private-key-file"), "{error}");
    assert_eq!(serving.pem(), first);
    fs::copy(&two.1.serving_key, &one.1.serving_key).expect("copied");
    assert_eq!(serving.reload(), Ok(true));
    assert_ne!(serving.pem(), first);
    fs::remove_file(&one.1.serving_key).expect("removed");
    assert!(serving.reload().is_err());
}

#[test]
fn a_changed_authority_counts_at_once() {
    let [one, two] = [(); 2].map(|()| {
        let directory = tempfile::tempdir().expect("directory");
        let made = generate(&options(&directory, &[]), SystemTime::now()).expect("made");
        (directory, made)
    });
    let admin = |made: &Generated| {
        use rustls_pki_types::pem::PemObject as _;
        vec![CertificateDer::from_pem_slice(made.admin_certificate_pem.as_bytes()).expect("PEM")]
    };
    let ca = ClientCa::load(vec![one.1.client_authority.clone()]).expect("loads");
    let before = ca.generation().expect("trusted");
    assert_eq!(before.verify(&admin(&one.1), UnixTime::now()), Ok(()));
    assert!(before.verify(&admin(&two.1), UnixTime::now()).is_err());
    assert_eq!(ca.reload(), Ok(false));
    fs::copy(&two.1.client_authority, &one.1.client_authority).expect("copied");
    assert_eq!(ca.reload(), Ok(true));
    let after = ca.generation().expect("trusted");
    assert_ne!(before, after);
    assert_eq!(after.verify(&admin(&two.1), UnixTime::now()), Ok(()));
    assert!(after.verify(&admin(&one.1), UnixTime::now()).is_err());
    fs::write(&one.1.client_authority, "broken").expect("written");
    assert!(ca.reload().is_err());
    assert_eq!(ca.generation(), Some(after));
}

#[test]
fn suites_and_versions_go_by_upstreams_names() {
    assert!(cipher_suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256").is_some());
    assert!(cipher_suite("TLS13_AES_128_GCM_SHA256").is_none());
    assert_eq!(cipher_suite_names().len(), 6);
    assert_eq!(protocol_versions("VersionTLS13").expect("a version").len(), 1);
    assert!(protocol_versions("VersionTLS11").is_err());
}
