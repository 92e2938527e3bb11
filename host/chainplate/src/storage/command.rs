//! `chainplate storage …`.

use super::{live, open};
use anyhow::{Context, bail};
use chainplate_apiserver::options::StorageOptions;
use chainplate_storage::{Error, maintenance, snapshot};
use clap::{Args, Subcommand};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Looks after stored objects.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// Saves all objects to a file, or makes a data directory from one
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Reads all of a data directory that no server uses, and tells what is in it or what is damaged
    Check(DataDir),
    /// Gives space back that old states took, in a data directory that no server uses; a running server does with
    /// history what --etcd-compaction-interval says
    Compact(DataDir),
    /// Takes all objects from one kind of storage to the other, while no server writes
    #[command(subcommand)]
    Migrate(MigrateCommand),
}

/// Between storage and a file.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Saves all objects at one revision. A server that uses the data directory is asked for them, and goes on
    Save {
        /// The file, which must not be there
        file: PathBuf,
        #[command(flatten)]
        place: Place,
        /// How to reach the server that uses the data directory [default: certs/admin.kubeconfig in --data-dir]
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
    /// Makes a data directory, which must be empty or not there
    Restore {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        place: DataDir,
    },
}

/// Which way.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// From --data-dir to --etcd-servers, below an --etcd-prefix without keys. Revisions are etcd's own from then on:
    /// clients list anew
    ToEtcd(Place),
    /// From --etcd-servers to --data-dir, which must be empty or not there; revisions go on from etcd's
    ToDataDir(Place),
}

/// A data directory.
#[derive(Debug, Args)]
pub struct DataDir {
    /// Directory of everything that is kept
    #[arg(long, value_name = "DIRECTORY", default_value = "chainplate-data")]
    data_dir: PathBuf,
}

/// A data directory and etcd.
#[derive(Debug, Args)]
pub struct Place {
    #[command(flatten)]
    directory: DataDir,
    #[command(flatten)]
    storage: StorageOptions,
}

impl StorageCommand {
    /// Does it, and tells on standard output what was done.
    ///
    /// # Errors
    /// What could not be done, with the file at fault; nothing half-done is left.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Snapshot(SnapshotCommand::Save { file, place, kubeconfig }) => {
                save(&file, &place, kubeconfig).await
            }
            Self::Snapshot(SnapshotCommand::Restore { file, place }) => {
                let source =
                    File::open(&file).with_context(|| format!("{} cannot be read", file.display()))?;
                let source = BufReader::new(source);
                let restored =
                    tokio::task::spawn_blocking(move || snapshot::restore(source, &place.data_dir)).await??;
                println!("restored {} objects at revision {}", restored.objects, restored.revision);
                Ok(())
            }
            Self::Check(place) => check(place).await,
            Self::Compact(place) => {
                let done =
                    tokio::task::spawn_blocking(move || maintenance::compact(&place.data_dir)).await??;
                println!(
                    "{} bytes before, {} after; {} old states removed",
                    done.before, done.after, done.rows
                );
                Ok(())
            }
            Self::Migrate(MigrateCommand::ToEtcd(place)) => to_etcd(&place).await,
            Self::Migrate(MigrateCommand::ToDataDir(place)) => to_data_dir(&place).await,
        }
    }
}

async fn save(file: &Path, place: &Place, kubeconfig: Option<PathBuf>) -> anyhow::Result<()> {
    let mut sink = Sink::create(file)?;
    let directory = &place.directory.data_dir;
    let used = place.storage.etcd_servers.is_empty() && maintenance::in_use(directory);
    if used || kubeconfig.is_some() {
        let kubeconfig = kubeconfig.unwrap_or_else(|| directory.join("certs").join("admin.kubeconfig"));
        live::save(&kubeconfig, &mut sink).await?;
    } else {
        let store = open(&place.storage, directory).await?;
        let written = store.snapshot().await.and_then(|snapshot| snapshot.write_to(&mut sink));
        store.close().await?;
        written?;
    }
    let path = sink.path.clone();
    let (revision, objects) = tokio::task::spawn_blocking(move || sink.finish()).await??;
    println!("saved {objects} objects at revision {revision} to {}", path.display());
    Ok(())
}

async fn check(place: DataDir) -> anyhow::Result<()> {
    let report = tokio::task::spawn_blocking(move || maintenance::check(&place.data_dir)).await??;
    for (collection, count) in &report.objects {
        println!("{count:>10} {collection}");
    }
    let objects: usize = report.objects.values().sum();
    println!(
        "{objects} objects at revision {}; {} states in {} bytes, {} of them old{}",
        report.revision,
        report.rows,
        report.file_bytes,
        report.dead_rows,
        if report.repaired { "; it was not closed in order, and is repaired" } else { "" }
    );
    Ok(())
}

async fn to_etcd(place: &Place) -> anyhow::Result<()> {
    if place.storage.etcd_servers.is_empty() {
        bail!("--etcd-servers is missing; name the etcd that shall have the objects");
    }
    let from = open(
        &StorageOptions { etcd_servers: Vec::new(), ..place.storage.clone() },
        &place.directory.data_dir,
    )
    .await?;
    let to = open(&place.storage, &place.directory.data_dir).await?;
    if let Some((collection, _)) = to.collections().iter().find(|(_, count)| *count > 0) {
        bail!(
            "there are objects in etcd below {}/{collection} already; give another --etcd-prefix",
            place.storage.etcd_prefix
        );
    }
    let snapshot = from.snapshot().await?;
    let now = SystemTime::now();
    let mut moved = 0_usize;
    for object in snapshot.objects() {
        let ttl = match object.expires().map(|expires| expires.duration_since(now)) {
            None => None,
            Some(Ok(left)) => Some(left),
            // It has expired.
            Some(Err(_)) => continue,
        };
        let (before, after) = object.stored();
        to.create(object.key().clone(), [before, after].concat().into(), ttl).await?;
        moved += 1;
    }
    to.close().await?;
    from.close().await?;
    println!("moved {moved} objects to etcd; start the server with --etcd-servers from now on");
    Ok(())
}

async fn to_data_dir(place: &Place) -> anyhow::Result<()> {
    if place.storage.etcd_servers.is_empty() {
        bail!("--etcd-servers is missing; name the etcd that has the objects");
    }
    let directory = place.directory.data_dir.clone();
    let from = open(&place.storage, &directory).await?;
    let snapshot = from.snapshot().await?;
    let restored = tokio::task::spawn_blocking(move || {
        // Through memory: it was in memory anyway.
        let mut stream = Vec::new();
        snapshot.write_to(&mut stream)?;
        snapshot::restore(stream.as_slice(), &directory)
    })
    .await??;
    from.close().await?;
    println!("moved {} objects at revision {}", restored.objects, restored.revision);
    Ok(())
}

/// A file in the making: under another name until it is complete and has been read back.
struct Sink {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
}

impl Sink {
    fn create(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            bail!("{} is there already; name another file", path.display());
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".partial");
        let temporary = PathBuf::from(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file =
            options.open(&temporary).with_context(|| format!("{} cannot be written", temporary.display()))?;
        Ok(Self { path: path.to_owned(), temporary, file: BufWriter::new(file) })
    }

    /// Makes it durable, reads it back and gives it its name. Returns revision and number of objects.
    fn finish(mut self) -> anyhow::Result<(u64, u64)> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let reader = snapshot::read(BufReader::new(File::open(&self.temporary)?))?;
        let (revision, objects) = (reader.revision(), reader.objects());
        reader.collect::<Result<Vec<_>, Error>>().map(drop)?;
        fs::rename(&self.temporary, &self.path)?;
        Ok((revision, objects))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // There is nothing under this name any more if all went well.
        let _ = fs::remove_file(&self.temporary);
    }
}
