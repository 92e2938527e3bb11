//! The listener: connections within bounds, TLS, HTTP/1.1 and HTTP/2.

mod io;

use crate::authn::PeerCertificates;
use crate::filters::{Connection, Pipeline};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use io::StallGuard;
use rustls::ServerConfig;
use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// A client has so long for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// From the handshake to the end of the first request's head; upstream's ReadHeaderTimeout.
const FIRST_HEAD: Duration = Duration::from_secs(32);
/// An HTTP/1.1 connection may be idle, or dawdle with a later head, for so long; upstream's IdleTimeout.
const IDLE: Duration = Duration::from_secs(90);
/// A client that takes no byte for so long while there is something to send is gone.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// An HTTP/2 client that answers no ping within this time is gone.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Headers of one HTTP/2 request, in bytes after decompression. HTTP/1.1 has hyper's bounds: 100 headers
/// within 400 KiB.
const HEADER_BYTES: u32 = 256 * 1024;
/// Upload buffers of HTTP/2, for a stream and for a connection.
const WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);
/// What may wait on a stream for its client to read: with hyper's 400 KiB, 500 slow watches hold 200 MB.
const SEND_BUFFER: usize = 64 * 1024;

/// What the listener does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    /// Accepts connections.
    Accepting,
    /// Accepts none; those there are end with the requests they have.
    Draining,
    /// Whatever is still open is cut off.
    Stopped,
}

/// Bounds of the listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) connections: u32,
    pub(crate) http2_streams: u32,
}

/// Serves until it is told to stop. Ends when the last connection has.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    pipeline: Arc<Pipeline>,
    bounds: Bounds,
    mut serving: watch::Receiver<Serving>,
) {
    let shared =
        Arc::new(Shared { acceptor: TlsAcceptor::from(tls), protocols: Protocols::new(bounds), pipeline });
    let slots = Arc::new(Semaphore::new(bounds.connections as usize));
    let mut connections = JoinSet::new();
    let for_connections = serving.clone();
    loop {
        tokio::select! {
            biased;
            _ = serving.wait_for(|serving| *serving != Serving::Accepting) => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &slots) => {
                let Some((stream, remote, slot)) = accepted else { continue };
                connections.spawn(connection(shared.clone(), stream, remote, slot, for_connections.clone()));
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = all_ended => return,
        _ = serving.wait_for(|serving| *serving == Serving::Stopped) => {}
    }
    connections.shutdown().await;
}

/// The next connection, once there is a slot for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, remote)) => Some((stream, remote, slot)),
        Err(error) => {
            // Most often: no file descriptor left. Somebody has to close one first.
            tracing::warn!(%error, "a connection could not be accepted; raise the limit of open files if this lasts");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

struct Shared {
    acceptor: TlsAcceptor,
    protocols: Protocols,
    pipeline: Arc<Pipeline>,
}

struct Protocols {
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
}

impl Protocols {
    fn new(bounds: Bounds) -> Self {
        let mut http1 = Builder::new(TokioExecutor::new()).http1_only();
        http1.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
        let mut http2 = Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(bounds.http2_streams)
            .max_header_list_size(HEADER_BYTES)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1);
        Self { http1, http2 }
    }
}

/// Counts an open connection.
struct Open<'a>(&'a prometheus_client::metrics::gauge::Gauge);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The life of one connection.
async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    remote: SocketAddr,
    _slot: OwnedSemaphorePermit,
    mut serving: watch::Receiver<Serving>,
) {
    let metrics = shared.pipeline.metrics.clone();
    metrics.connections().inc();
    let _open = Open(metrics.connections());
    // Answers are written whole; waiting for more only delays small ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%remote, %error, "TCP_NODELAY could not be set");
    }
    let tls = match timeout(HANDSHAKE, shared.acceptor.accept(stream)).await {
        Ok(Ok(tls)) => tls,
        failed => {
            metrics.handshake_failed();
            let why = failed.map_or_else(
                |_| "it took too long".to_owned(),
                |result| match result {
                    Ok(_) => String::new(),
                    Err(error) => error.to_string(),
                },
            );
            tracing::debug!(%remote, why, "TLS handshake error");
            return;
        }
    };
    let (_, session) = tls.get_ref();
    let http2 = session.alpn_protocol() == Some(b"h2");
    let certificates = session.peer_certificates().map(|chain| {
        PeerCertificates::new(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
    });
    let connection = Arc::new(Connection { remote, certificates, close: Notify::new() });

    let first = Arc::new(Notify::new());
    let service = service_fn({
        let (pipeline, connection, first) = (shared.pipeline.clone(), connection.clone(), first.clone());
        move |request| {
            first.notify_one();
            let (pipeline, connection) = (pipeline.clone(), connection.clone());
            async move { Ok::<_, Infallible>(pipeline.serve(&connection, request).await) }
        }
    });
    let builder = if http2 { &shared.protocols.http2 } else { &shared.protocols.http1 };
    let io = TokioIo::new(StallGuard::new(tls, WRITE_STALL));
    let mut served = pin!(builder.serve_connection_with_upgrades(io, service));

    let mut silent = pin!(timeout(FIRST_HEAD, first.notified()));
    let (mut spoke, mut closing) = (false, false);
    let result = loop {
        tokio::select! {
            result = served.as_mut() => break result,
            spoken = silent.as_mut(), if !spoke => {
                if spoken.is_err() {
                    tracing::debug!(%remote, "no request came in time");
                    return;
                }
                spoke = true;
            }
            () = connection.close.notified(), if !closing => {
                closing = true;
                served.as_mut().graceful_shutdown();
            }
            _ = serving.wait_for(|serving| *serving != Serving::Accepting), if !closing => {
                closing = true;
                served.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%remote, error, "the connection broke");
    }
}
