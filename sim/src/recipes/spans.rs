//! Who believed to hold what, and when: the oracle of everything exclusive.

use quorate_recipes::Refusal;
use quorate_recipes::lease::Lease;

use super::{Client, Note, Who};

/// What a process believes of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belief {
    /// That it is its own, until then: true time in ns at which its clock says so.
    Holds { token: u64, until: u64 },
    /// That it is not any more.
    Lets { token: u64 },
}

impl Belief {
    /// What is to be believed of a lease just taken or kept.
    pub fn of(client: &Client, lease: &Lease) -> Self {
        Self::Holds { token: lease.token, until: client.true_ns(lease.until_ms) }
    }
}

/// Holds a lease for some beats, like a process that looks at nothing but its clock;
/// then mostly releases it.
pub(super) async fn hold(
    client: &Client,
    mut lease: Lease,
    note: impl Fn(Belief),
) -> Result<(), Refusal> {
    use quorate_recipes::Store;
    let token = lease.token;
    note(Belief::of(client, &lease));
    for _ in 0..client.between(0, 3) {
        client.sleep(lease.beat_ms()).await;
        if !lease.keep(client).await? {
            return Ok(());
        }
        note(Belief::of(client, &lease));
    }
    if client.chance(80) {
        note(Belief::Lets { token });
        lease.release(client).await?;
    }
    Ok(())
}

/// One process's belief in one lease, from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub who: Who,
    pub token: u64,
    pub from: u64,
    pub until: u64,
}

/// All beliefs, in the order in which they began.
fn spans(beliefs: impl Iterator<Item = Note<Belief>>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for Note { at, who, what } in beliefs {
        let (Belief::Holds { token, .. } | Belief::Lets { token }) = what;
        let known = spans.iter_mut().find(|span| (span.who, span.token) == (who, token));
        match (what, known) {
            (Belief::Holds { until, .. }, None) => {
                spans.push(Span { who, token, from: at, until: until.max(at) });
            }
            (Belief::Holds { until, .. }, Some(span)) => span.until = span.until.max(until),
            (Belief::Lets { .. }, Some(span)) => span.until = span.until.min(at),
            (Belief::Lets { .. }, None) => {}
        }
    }
    spans
}

/// Who held it, in order, by the beliefs among all notes: one at a time, or what is
/// wrong.
pub(super) fn held<T>(
    notes: &[Note<T>],
    belief: impl Fn(&T) -> Option<Belief>,
) -> Result<Vec<Span>, String> {
    let beliefs = notes.iter().filter_map(|note| {
        let what = belief(&note.what)?;
        Some(Note { at: note.at, who: note.who, what })
    });
    let spans = spans(beliefs);
    one_at_a_time(&spans).map(|()| spans)
}

/// One at a time, and tokens rise.
fn one_at_a_time(spans: &[Span]) -> Result<(), String> {
    for pair in spans.windows(2) {
        let [before, after] = pair else { unreachable!("windows of two") };
        if before.token >= after.token {
            return Err(format!("tokens do not rise: {before:?}, then {after:?}"));
        }
        if before.until > after.from {
            return Err(format!("two believe at a time: {before:?} and {after:?}"));
        }
    }
    Ok(())
}
