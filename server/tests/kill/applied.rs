//! What the members' data directories say was applied, once they have stopped.

use std::sync::Arc;

use quorate_engine::command::Stamp;
use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::tree::Event;
use quorate_engine::{Config, Engine, FileName, Image, Input, Message, View};
use quorate_server::{Identity, Url};
use quorate_sim::check::{Hint, Violation};

use crate::common::{Cluster, Member};

/// More than any run makes.
const EVERY_EVENT: usize = 1 << 20;

/// Every event that the members have applied, from their logs alone.
pub fn hint(cluster: &Cluster) -> Result<Hint, Violation> {
    let mut hint = Hint::new(config(cluster, &cluster.members[0]).genesis_index());
    for member in &cluster.members {
        let (config, image) = (config(cluster, member), image(member));
        let applied = recover(config.clone(), image.clone()).applied;
        let config = Config { history_events: EVERY_EVENT, ..config };
        let view = told(config, without_snapshots(image), applied);
        view.tree.history().try_for_each(|event| hint.learn(&untimed(event)))?;
    }
    Ok(hint)
}

/// The event as the wire shows it: without the leader's clock. Nothing expires
/// here.
fn untimed(event: &Event) -> Arc<Event> {
    Event { stamp: Stamp::default(), ..event.clone() }.into()
}

/// A member as it would start now.
///
/// # Panics
/// When it has no snapshot, or when snapshot and log together make another state
/// than the log alone.
pub fn member(cluster: &Cluster, member: &Member) -> View {
    let (config, image) = (config(cluster, member), image(member));
    let logged = without_snapshots(image.clone());
    assert!(logged.len() < image.len(), "{} has no snapshot: {:?}", member.name, image.keys());
    let view = recover(config.clone(), image);
    let replayed = told(config, logged, view.applied);
    assert_eq!(
        (view.applied, view.digest),
        (replayed.applied, replayed.digest),
        "{}: snapshot and log make another state than the log alone",
        member.name
    );
    view
}

/// The same from the log alone, once a leader has told what is committed. A log need
/// not know that itself: a commit causes no write, and a snapshot may be of the very
/// last entry.
fn told(config: Config, image: Image, commit: u64) -> View {
    let leader = config.members.iter().map(|member| member.id).find(|id| *id != config.id);
    let (mut engine, _) = Engine::recover(config, image).expect("a sound data directory");
    let heartbeat = RaftMessage::new(RaftKind::Heartbeat, engine.view().term);
    let heartbeat = RaftMessage { commit, ..heartbeat };
    let (from, message) = (leader.expect("there are others"), Message::Raft(heartbeat));
    engine.step(Input::Peer { from, message }, &mut Vec::new());
    engine.view()
}

fn recover(config: Config, image: Image) -> View {
    let (engine, _) = Engine::recover(config, image).expect("a sound data directory");
    engine.view()
}

/// The log still has its first entry: a segment is 16 MiB.
fn without_snapshots(mut image: Image) -> Image {
    image.retain(|file, _| !file.as_str().starts_with("snap-"));
    image
}

fn image(member: &Member) -> Image {
    let files = member.files().into_iter();
    files.map(|(name, bytes)| (FileName::new(&name), bytes.into())).collect()
}

fn config(cluster: &Cluster, member: &Member) -> Config {
    let url = |member: &Member| Url::parse(&format!("http://{}", member.peer_address)).unwrap();
    let members = cluster.members.iter().map(|other| (other.name.clone(), vec![url(other)]));
    let members: Vec<_> = members.collect();
    let identity = Identity::new(&member.name, &members, "etcd-cluster", 1_000).unwrap();
    Config::new(identity.id, identity.cluster, identity.members)
}
