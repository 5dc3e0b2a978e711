//! What 10,000 watchers take that wait, beside connections that do nothing.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::server::Site;
use crate::table::{Figure, Floor, Row};
use crate::wire::{Connection, get, put};

const WATCHERS: usize = 10_000;
/// Connections opened at once.
const AT_ONCE: usize = 50;
/// Before memory is read.
const SETTLING: Duration = Duration::from_secs(2);

const IDLE: Row = Row {
    name: "resident KiB per idle keep-alive connection after one GET, of 10,000",
    digits: 2,
    floor: None,
};
const WATCHER: Row = Row {
    name: "resident KiB more when it is an idle watcher",
    digits: 2,
    floor: Some(Floor::AtMost(2.0)),
};
const TOTAL: Row =
    Row { name: "resident MiB of the process with 10,000 idle watchers", digits: 0, floor: None };

/// Connects, asks once, and then lets every connection watch a key of its own.
pub async fn measure(site: &Site) -> Result<Vec<Figure>, Box<dyn Error>> {
    let server = site.start("watchers")?;
    let port = server.port();
    Connection::open(port).await?.ask(&put("watched", "")).await?;
    let fresh = server.resident()?;
    let connections = each((0..WATCHERS).map(|_| None).collect(), port, Use::Get).await?;
    sleep(SETTLING).await;
    let idle = server.resident()?;
    let mut watchers = each(connections.into_iter().map(Some).collect(), port, Use::Watch).await?;
    sleep(SETTLING).await;
    let watching = server.resident()?;
    let mut client = Connection::open(port).await?;
    let counted = format!("\"watchers\":{WATCHERS}");
    if !String::from_utf8_lossy(client.ask(&get("stats/store")).await?).contains(&counted) {
        return Err("not every watcher is there".into());
    }
    client.ask(&put("watch/0", "")).await?;
    watchers[0].lines(|_| Ok(())).await?;
    let per_connection = |bytes: f64| bytes / WATCHERS as f64 / 1024.0;
    Ok(vec![
        (IDLE, per_connection(idle - fresh)),
        (WATCHER, per_connection(watching - idle)),
        (TOTAL, watching / f64::from(1 << 20)),
    ])
}

/// What a connection is used for.
#[derive(Clone, Copy)]
enum Use {
    Get,
    Watch,
}

/// Uses each connection, opening it if need be; they stay in order.
async fn each(
    connections: Vec<Option<Connection>>,
    port: u16,
    how: Use,
) -> io::Result<Vec<Connection>> {
    let mut tasks = JoinSet::new();
    let mut connections = connections.into_iter().enumerate();
    let mut used = Vec::new();
    loop {
        while tasks.len() < AT_ONCE
            && let Some((number, connection)) = connections.next()
        {
            tasks.spawn(use_once(connection, port, how, number));
        }
        let Some(done) = tasks.join_next().await else { break };
        used.push(done??);
    }
    used.sort_by_key(|(number, _)| *number);
    Ok(used.into_iter().map(|(_, connection)| connection).collect())
}

async fn use_once(
    connection: Option<Connection>,
    port: u16,
    how: Use,
    number: usize,
) -> io::Result<(usize, Connection)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(port).await?,
    };
    match how {
        Use::Get => drop(connection.ask(&get("keys/watched")).await?),
        Use::Watch => {
            let path = format!("keys/watch/{number}?wait=true&stream=true");
            connection.begin(&get(&path)).await?;
        }
    }
    Ok((number, connection))
}
