//! From flags to a running member, and to its end.

use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use quorate_engine::{Config, Done, Engine, Outcome, Output, Request};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::disk;
use crate::files::DataDir;
use crate::flags::Flags;
use crate::http::Server;
use crate::node::{Driver, End, Node, Word};
use crate::peers::{Incoming, Peers};
use crate::urls::{Url, texts};

/// How long clients may take to fetch their last answers.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long the disk may take over what it has been given.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// How often this member makes itself known until the cluster has taken note: until
/// then the lists of the other members do not say where it serves.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(50);

/// Everything that must be had before the first byte is written.
struct Ready {
    clients: Vec<TcpListener>,
    peers: Vec<TcpListener>,
    directory: DataDir,
    config: Config,
    engine: Engine,
    born: Vec<Output>,
}

/// Serves until a signal ends it.
///
/// # Errors
/// One line that says why it could not start, or why it had to stop.
pub fn run(flags: Box<Flags>) -> Result<(), String> {
    tracing_subscriber::fmt()
        .with_max_level(flags.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false)
        .init();
    flags.remarks.iter().for_each(|remark| warn!("{remark}"));
    let ready = prepare(&flags)?;
    let runtime = Runtime::new().map_err(|error| format!("cannot start threads: {error}"))?;
    let end = runtime.block_on(serve(&flags, ready));
    runtime.shutdown_timeout(FAREWELL);
    match end? {
        End::Stopped => Ok(()),
        End::Halted(halt) => Err(format!("halted: {halt}")),
    }
}

/// Ports first, then the lock, then the data: a mistake leaves no trace.
fn prepare(flags: &Flags) -> Result<Ready, String> {
    let clients = bind_all(&flags.listen_client)?;
    let peers = bind_all(&flags.listen_peer)?;
    if flags.existing && !DataDir::holds_data(&flags.data_dir)? {
        return Err("--initial-cluster-state=existing with an empty data directory: \
             joining a running cluster is not supported yet"
            .into());
    }
    let directory = DataDir::open(&flags.data_dir)?;
    let image = directory.image()?;
    let config = config(flags)?;
    let (engine, born) = Engine::recover(config.clone(), image)
        .map_err(|error| format!("data directory {}: {error}", flags.data_dir.display()))?;
    Ok(Ready { clients, peers, directory, config, engine, born })
}

fn bind_all(urls: &[Url]) -> Result<Vec<TcpListener>, String> {
    let bind = |url: &Url| {
        let listener = TcpListener::bind(url.address()).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        listener.map_err(|error| format!("cannot listen on {url}: {error}"))
    };
    urls.iter().map(bind).collect()
}

fn config(flags: &Flags) -> Result<Config, String> {
    let identity = &flags.identity;
    let chance = || getrandom::u64().map_err(|error| format!("no random numbers: {error}"));
    let ticks = |time: Duration| {
        u32::try_from(time.as_millis().div_ceil(flags.heartbeat.as_millis())).unwrap_or(u32::MAX)
    };
    let heartbeat_ms = u64::try_from(flags.heartbeat.as_millis()).unwrap_or(u64::MAX);
    Ok(Config {
        seed: chance()?,
        boot: chance()?,
        tick_ms: heartbeat_ms,
        heartbeat_ticks: 1,
        election_ticks: ticks(flags.election),
        deadline_ticks: ticks(Duration::from_secs(5) + 2 * flags.election),
        snapshot_entries: flags.snapshot_count,
        max_key_bytes: flags.bounds.key_bytes,
        max_depth: flags.bounds.key_depth,
        max_value_bytes: flags.bounds.body_bytes,
        history_events: flags.bounds.history_events,
        max_watches: flags.bounds.watches,
        ..Config::new(identity.id, identity.cluster, identity.members.clone())
    })
}

async fn serve(flags: &Flags, ready: Ready) -> Result<End, String> {
    let Ready { clients, peers, directory, config, engine, born } = ready;
    let threads = |error: std::io::Error| format!("cannot start threads: {error}");
    let (node, words) = Node::new(engine.view());
    let (operations, disk) = disk::start(directory, node.inbox().clone()).map_err(threads)?;
    let wires = Peers::connect(&flags.identity);
    let driver = Driver::new(engine, &node, words, operations, wires);
    let (ended, mut end) = oneshot::channel();
    let tick = flags.heartbeat;
    let engine = thread::Builder::new().name("engine".into());
    let engine = engine.spawn(move || drop(ended.send(driver.run(born, tick)))).map_err(threads)?;

    let incoming = Incoming::new(flags.identity.clone(), node.inbox().clone(), &config);
    for listener in peers {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(threads)?;
        tokio::spawn(incoming.clone().listen(listener));
    }
    let server = Server::new(node.clone(), flags);
    let (farewell, stopping) = watch::channel(());
    let mut accepting = Vec::new();
    for listener in clients {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(threads)?;
        accepting.push(tokio::spawn(server.clone().listen(listener, stopping.clone())));
    }
    drop(stopping);
    accepting.push(tokio::spawn(Server::keep_a_timer_near()));
    let publishing = tokio::spawn(publish(node.clone(), flags.clone()));
    announce(flags);

    let early = tokio::select! {
        end = &mut end => Some(end),
        () = asked_to_stop() => None,
    };
    accepting.iter().for_each(tokio::task::JoinHandle::abort);
    publishing.abort();
    let end = match early {
        Some(end) => end,
        None => {
            info!("stopping");
            tell_to_stop(node.inbox().clone());
            end.await
        }
    };
    farewell.send_replace(());
    let _ = timeout(FAREWELL, farewell.closed()).await;
    let joined = tokio::task::spawn_blocking(move || (engine.join(), disk.join()));
    let Ok(joined) = timeout(LAST_WRITES, joined).await else {
        return Err("stopped without the disk, which has not answered in time".into());
    };
    match (end, joined) {
        (Ok(end), Ok((Ok(()), Ok(())))) => Ok(end),
        _ => Err("stopped by a broken invariant: see the panic above".into()),
    }
}

/// The inbox may be full, and this thread must not wait.
fn tell_to_stop(inbox: SyncSender<Word>) {
    tokio::task::spawn_blocking(move || {
        // An engine that is gone needs not be told.
        let _ = inbox.send(Word::Stop);
    });
}

async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        warn!("no signals can be caught: only a kill will end this");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn publish(node: Node, flags: Flags) {
    let attributes = flags.attributes();
    while node.ask(Request::Publish(attributes.clone())).await != Outcome::Done(Done::Published) {
        sleep(PUBLISH_INTERVAL).await;
    }
    info!("published {} to the cluster", attributes.name);
}

fn announce(flags: &Flags) {
    let list = |urls: &[Url]| texts(urls).join(", ");
    let text = format!(
        "quorate {version} · member {name} ({id:x}) of cluster {cluster:x}\n\
         \x20 clients  {clients}\n\
         \x20 peers    {peers}\n\
         \x20 data     {data}\n\
         \x20 try      curl {first}/v2/keys/hello -XPUT -d value=world\n",
        version = env!("CARGO_PKG_VERSION"),
        name = flags.name,
        id = flags.identity.id,
        cluster = flags.identity.cluster,
        clients = list(&flags.listen_client),
        peers = list(&flags.listen_peer),
        data = flags.data_dir.display(),
        first = flags.listen_client[0],
    );
    // Whoever closed stdout does not want to read it.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
