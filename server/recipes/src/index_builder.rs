//! One elected node builds an index, once, and all get it.
//!
//! The use of an [`election`](crate::election) with something at stake: building is
//! dear, so only the leader does it; and what it built is published under a
//! [`guarded`](crate::guarded) key with its term, so that a leader who fell asleep
//! over the work cannot write over its successor's. Before it builds, a leader takes
//! the key over and looks: what is there need not be built.
//!
//! **Promised**: each version is published once, and everybody gets the same bytes.
//!
//! **Not promised**: that it is built once, if a leader dies or loses its office over
//! the work. The next one begins again.

use crate::config::Subscription;
use crate::election::campaign;
use crate::guarded::{Stored, take_over};
use crate::store::{Node, Refusal, Store};

/// What became of a wish to have a version built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// We were elected and published it, at this index.
    Built(u64),
    /// It, or a later one, was there.
    There,
}

/// Sees to it that a version of the index is published under `dir`: waits to be
/// elected, builds it if nobody has, publishes and resigns. `build` is called again
/// if the office is lost over the work.
pub async fn ensure(
    store: &impl Store,
    dir: &str,
    name: &str,
    version: u64,
    ttl: u64,
    build: impl AsyncFn() -> String,
) -> Result<Outcome, Refusal> {
    let (office, key) = (format!("{dir}/leader"), format!("{dir}/index"));
    loop {
        let mut lease = campaign(store, &office, name, ttl).await?;
        let term = lease.token;
        let work = async {
            let Some(mut writer) = take_over(store, &key, term).await? else { return Ok(None) };
            if parse(writer.body()).is_some_and(|(there, _)| there >= version) {
                return Ok(Some(Outcome::There));
            }
            let body = format!("{version} {}", build().await);
            let written = writer.write(store, &body).await?;
            Ok(written.ok().map(|()| Outcome::Built(writer.index())))
        };
        let done = lease.hold(store, work).await?;
        lease.release(store).await?;
        if let Some(outcome) = done.transpose()?.flatten() {
            return Ok(outcome);
        }
    }
}

/// Waits until a version, or a later one, is published; which, and what it is.
pub async fn fetch(store: &impl Store, dir: &str, version: u64) -> Result<(u64, String), Refusal> {
    let mut subscription = Subscription::new(&format!("{dir}/index"));
    loop {
        let value = subscription.next(store).await?.value;
        let stored = Stored::of(&Node { value, ..Node::default() });
        if let Some((there, index)) = parse(&stored.body)
            && there >= version
        {
            return Ok((there, index.to_owned()));
        }
    }
}

fn parse(body: &str) -> Option<(u64, &str)> {
    let (version, index) = body.split_once(' ')?;
    Some((version.parse().ok()?, index))
}
