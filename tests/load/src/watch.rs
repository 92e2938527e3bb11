//! Many watches whose events are counted by the line, without parsing.

use crate::{
    client::{Protocol, Target},
    frames::{self, ACK, DATA, Frame, GOAWAY, HEADERS, PING, SETTINGS, WINDOW},
};
use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::client::TlsStream;

/// Bytes read from a connection at once.
const BUFFER: usize = 256 << 10;
/// The connection's window is opened again after so many bytes.
const REFILL: u32 = 1 << 30;

/// Open watches, all of the same.
#[derive(Debug)]
pub(crate) struct Watches {
    connections: JoinSet<Result<()>>,
    tally: Arc<Tally>,
    watchers: usize,
}

/// When the events arrived.
#[derive(Debug)]
struct Tally {
    base: Instant,
    /// For each event: how many watchers have it, and when the last of them got it, in nanoseconds since `base`.
    events: Vec<(AtomicUsize, AtomicU64)>,
    /// An event has arrived everywhere.
    complete: Notify,
    watchers: usize,
}

impl Watches {
    /// Opens `watchers` watches of `path`, `streams` on each connection, and waits until all are answered. Events from
    /// the one with number `events` on count nothing.
    ///
    /// # Errors
    /// The server refuses one, or none is answered within `limit`.
    pub(crate) async fn open(
        target: &Arc<Target>,
        path: &str,
        watchers: usize,
        streams: usize,
        events: usize,
        limit: Duration,
    ) -> Result<Self> {
        let tally = Arc::new(Tally {
            base: Instant::now(),
            events: (0..events).map(|_| Default::default()).collect(),
            complete: Notify::new(),
            watchers,
        });
        let mut connections = JoinSet::new();
        let mut left = watchers;
        // One connection after the other: not more requests at the same time than a server's limit of requests.
        while left > 0 {
            let streams = streams.min(left);
            left -= streams;
            let opening = Reader::open(target, path, streams, tally.clone());
            let reader =
                tokio::time::timeout(limit, opening).await.context("watches are not answered in time")??;
            connections.spawn(reader.run());
        }
        Ok(Self { connections, tally, watchers })
    }

    /// Waits until all watchers have the event with number `event`, counted from 0: when the last got it.
    ///
    /// # Errors
    /// A connection ends, or the event has not arrived everywhere within `limit`.
    pub(crate) async fn arrived(&mut self, event: usize, limit: Duration) -> Result<Instant> {
        let tally = self.tally.clone();
        let watchers = self.watchers;
        let (count, last) = tally.events.get(event).context("more events than were announced")?;
        let waiting = async {
            loop {
                let complete = tally.complete.notified();
                if count.load(Ordering::Acquire) == watchers {
                    return Ok(tally.base + Duration::from_nanos(last.load(Ordering::Acquire)));
                }
                tokio::select! {
                    () = complete => {}
                    Some(ended) = self.connections.join_next() => {
                        ended??;
                        bail!("a connection with watches ended");
                    }
                }
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let count = count.load(Ordering::Acquire);
                bail!("event {event} reached {count} of {watchers} watchers within {} s", limit.as_secs())
            }
        }
    }

    /// Fails when a connection has ended.
    ///
    /// # Errors
    /// Why it ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.connections.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                bail!("a connection with watches ended")
            }
        }
    }
}

impl Tally {
    /// Counts events from `first` to before `end` for one watcher.
    fn count(&self, first: usize, end: usize, now: u64) {
        for (count, last) in self.events.iter().take(end).skip(first) {
            last.fetch_max(now, Ordering::AcqRel);
            if count.fetch_add(1, Ordering::AcqRel) + 1 == self.watchers {
                // A permit is kept when nobody waits at the moment.
                self.complete.notify_one();
            }
        }
    }
}

/// The reading side of a connection with watches.
struct Reader {
    stream: TlsStream<TcpStream>,
    tally: Arc<Tally>,
    /// Events so far, by stream.
    seen: Vec<usize>,
    /// Watches that were answered.
    answered: usize,
    /// What was received and not yet looked at.
    buffer: BytesMut,
    /// What is to be sent.
    out: BytesMut,
    /// Bytes since the window was opened last.
    received: u32,
}

impl Reader {
    async fn open(target: &Arc<Target>, path: &str, streams: usize, tally: Arc<Tally>) -> Result<Self> {
        let stream = target.connect_tls(Protocol::Http2).await?;
        let mut out = BytesMut::new();
        frames::put_preface(&mut out);
        for index in 0..streams {
            // A client's streams have odd numbers.
            let stream = 2 * index as u32 + 1;
            frames::put_get(&mut out, stream, &target.authority, path, &target.authorization);
        }
        let mut reader = Self {
            stream,
            tally,
            seen: vec![0; streams],
            answered: 0,
            buffer: BytesMut::with_capacity(BUFFER),
            out,
            received: 0,
        };
        reader.flush().await?;
        while reader.answered < streams {
            reader.turn().await?;
        }
        Ok(reader)
    }

    /// Reads until the connection ends, which is always an error.
    async fn run(mut self) -> Result<()> {
        loop {
            self.turn().await?;
        }
    }

    /// Reads once and looks at all frames that are complete.
    async fn turn(&mut self) -> Result<()> {
        self.buffer.reserve(BUFFER / 2);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed a connection with watches");
        }
        let now = self.tally.base.elapsed().as_nanos() as u64;
        while let Some((frame, length)) = Frame::parse(&self.buffer) {
            match (frame.kind, frame.flags & ACK) {
                (SETTINGS, 0) => frames::put_ack(&mut self.out, SETTINGS, &[]),
                (PING, 0) => frames::put_ack(&mut self.out, PING, frame.content()),
                (GOAWAY, _) => bail!("the server sends the client away: error {:?}", frame.error()),
                (HEADERS, _) if !frame.is_ok() && !frame.ends_stream() => {
                    bail!("a watch was refused: the status is not 200")
                }
                (HEADERS, _) => self.answered += 1,
                (DATA, _) => {
                    let index = frame.stream as usize / 2;
                    let seen = self.seen.get_mut(index).context("data of an unknown stream")?;
                    let first = *seen;
                    // An event is a line; line ends within an object are escaped in JSON.
                    *seen += memchr::memchr_iter(b'\n', frame.content()).count();
                    self.tally.count(first, *seen, now);
                    self.received += frame.flow() as u32;
                }
                _ => {}
            }
            if frame.ends_stream() {
                bail!("a watch ended: error {:?}", frame.error());
            }
            self.buffer.advance(length);
        }
        if self.received > REFILL {
            frames::put_window_update(&mut self.out, self.received.min(WINDOW));
            self.received = 0;
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all_buf(&mut self.out).await?;
            self.stream.flush().await?;
        }
        Ok(())
    }
}
