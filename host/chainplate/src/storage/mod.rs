//! From the command line to the store, and the tools for it.

mod command;
mod live;

pub use command::StorageCommand;
pub(crate) use live::{SNAPSHOT_PATH, serve as serve_snapshot};

use anyhow::Context;
use chainplate_apiserver::options::StorageOptions;
use chainplate_storage::{EngineOptions, EtcdOptions, Options, Store};
use std::{path::Path, time::Duration};

/// Opens the store that the options name: etcd, or the data directory.
///
/// # Errors
/// What cannot be used, with the flag at fault.
pub async fn open(storage: &StorageOptions, data_dir: &Path) -> anyhow::Result<Store> {
    let flag = match storage.etcd_servers.as_slice() {
        [] => format!("--data-dir {}", data_dir.display()),
        servers => format!("--etcd-servers {}", servers.join(",")),
    };
    Store::open(options(storage, data_dir)).await.with_context(|| format!("{flag} cannot be used"))
}

fn options(storage: &StorageOptions, data_dir: &Path) -> Options {
    let interval = storage.etcd_compaction_interval.get();
    let engine = if storage.etcd_servers.is_empty() {
        EngineOptions::Embedded { directory: data_dir.to_owned() }
    } else {
        EngineOptions::Etcd(EtcdOptions {
            servers: storage.etcd_servers.clone(),
            prefix: storage.etcd_prefix.trim_end_matches('/').to_owned(),
            ca_file: storage.etcd_cafile.clone(),
            cert_file: storage.etcd_certfile.clone(),
            key_file: storage.etcd_keyfile.clone(),
        })
    };
    // Nothing is asked for that is older than two rounds of compaction.
    let history_age = if interval.is_zero() { Duration::MAX } else { interval.saturating_mul(2) };
    Options { engine, history_age, compaction_interval: interval, ..Options::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_apiserver::options::Options as Flags;

    fn options_of(args: &[&str]) -> Options {
        let flags = Flags::from_args(args).unwrap();
        options(&flags.storage, &flags.chainplate.data_dir)
    }

    #[test]
    fn without_etcd_objects_are_kept_in_the_data_directory() {
        let options = options_of(&["--data-dir=/d"]);
        assert!(
            matches!(options.engine, EngineOptions::Embedded { directory } if directory.as_os_str() == "/d")
        );
        assert_eq!(options.history_age, Duration::from_secs(600));
    }

    #[test]
    fn etcd_is_used_as_the_flags_say() {
        let options = options_of(&[
            "--etcd-servers=http://a:2379,http://b:2379",
            "--etcd-prefix=/other/",
            "--etcd-compaction-interval=0",
        ]);
        let EngineOptions::Etcd(etcd) = options.engine else { panic!("etcd was asked for") };
        assert_eq!(etcd.servers, ["http://a:2379", "http://b:2379"]);
        assert_eq!(etcd.prefix, "/other");
        assert_eq!((options.compaction_interval, options.history_age), (Duration::ZERO, Duration::MAX));
    }
}
