//! Programs, and how one is played to both servers.

use std::collections::BTreeSet;
use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::compare::differences;
use crate::exceptions;
use crate::requests::{Asked, Request, escaped};
use crate::seen::Seen;
use crate::servers::Pair;
use crate::told::agrees_with_writers;
use crate::wire::{Answer, Connection};

/// Between two deadlines: more than a tick of either server, so that keys expire in
/// the same order on both.
const SPACING: Duration = Duration::from_millis(60);

/// The shortest TTL, with something kept back: what is written in less than this is
/// written before anything of it expires.
const BURST: Duration = Duration::from_millis(900);

/// By how much etcd may be late with an expiry, and the other with its lines of a
/// watch, and something more.
const LATE: Duration = Duration::from_millis(800);

/// How long keys may go on expiring on one of the two only.
const SETTLING: Duration = Duration::from_secs(2);

/// How long watches that have said the same are listened to in case there is more.
const SILENCE: Duration = Duration::from_millis(25);

/// How long one watch is listened to before the next.
const POLL: Duration = Duration::from_millis(1);

/// How many events both servers remember.
const WINDOW: usize = 1_000;

/// One step of a program.
#[derive(Clone, Debug)]
pub enum Step {
    /// A request. A watch is opened and listened to until the end of the program.
    Send(Request),
    /// Writes of which some live for seconds, and a sleep until those are gone.
    Expire(Vec<Request>),
    /// As many writes as the servers remember.
    Fill,
    /// Hears the watches out and deletes everything.
    Clean,
}

/// A request with both answers.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked.
    pub asked: Asked,
    /// What the judged server said.
    pub ours: Answer,
    /// What etcd said.
    pub theirs: Answer,
    /// How long nothing else was asked before.
    pub pause: Duration,
}

/// Why a program was not played to its end.
#[derive(Debug)]
pub enum Stop {
    /// The answers of one exchange differ: which, and in what.
    Different(usize, Vec<String>),
    /// Writes took so long that keys may have expired among them, or expire at once.
    Late,
}

/// What was played.
#[derive(Debug, Default)]
pub struct Played {
    /// All exchanges, those of cleaning up included.
    pub exchanges: Vec<Exchange>,
    /// How many requests of the program were sent. What is done often and always alike,
    /// filling and cleaning, is not counted, nor what was only looked up.
    pub requests: usize,
    /// The exceptions that were needed: where, and their numbers.
    pub exceptions: Vec<(usize, usize)>,
    /// Why it ended early.
    pub stop: Option<Stop>,
}

/// The playing of one program.
struct Play<'a> {
    pair: &'a mut Pair,
    seen: Seen,
    played: Played,
    /// Open watches: which exchange began them, and their connections.
    watches: Vec<(usize, Connection, Connection)>,
    /// Directories and files at the top that listings do not show.
    hidden: BTreeSet<String>,
    /// How many writes with a TTL were sent.
    mortals: usize,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Plays a program to both servers.
///
/// # Errors
/// A server is gone or speaks no HTTP.
pub fn play(program: &[Step], pair: &mut Pair) -> Result<Played> {
    let mut play = Play {
        pair,
        seen: Seen::default(),
        played: Played::default(),
        watches: Vec::new(),
        hidden: BTreeSet::new(),
        mortals: 0,
    };
    // What time it is in the store.
    play.send(Request::new("GET", "/v2/keys").query("sorted=true"))?;
    for step in program {
        match step {
            _ if play.played.stop.is_some() => break,
            Step::Send(request) => play.take(request.clone())?,
            Step::Expire(requests) => play.expire(requests)?,
            Step::Fill => {
                for _ in 0..WINDOW {
                    play.send(Request::new("PUT", "/v2/keys/fill").form("value=1"))?;
                }
            }
            Step::Clean => play.clean()?,
        }
    }
    play.hear_out()?;
    Ok(play.played)
}

impl Play<'_> {
    /// A request of the program.
    fn take(&mut self, request: Request) -> Result<()> {
        self.played.requests += usize::from(self.send(request)?);
        Ok(())
    }

    /// Sends a request and says so, unless it spares the file that it would harm.
    fn send(&mut self, request: Request) -> Result<bool> {
        if self.played.stop.is_some() {
            return Ok(false);
        }
        let asked = request.resolve(&self.seen);
        if request.spares_files {
            let look = Request::new("GET", asked.path()).resolve(&self.seen);
            let answer = self.ask(look)?;
            let node = serde_json::from_str::<serde_json::Value>(&answer.body);
            if node.is_ok_and(|body| body["node"]["value"].is_string()) {
                return Ok(false);
            }
        }
        self.ask(asked)?;
        Ok(true)
    }

    /// Asks both and compares; their answer.
    fn ask(&mut self, asked: Asked) -> Result<Answer> {
        let at = self.played.exchanges.len();
        let (ours, theirs) = if asked.is_watch() {
            let (mut mine, mut etcds) = self.pair.connect();
            mine.send(&asked.bytes())?;
            etcds.send(&asked.bytes())?;
            let answers = (mine.receive(true)?, etcds.receive(true)?);
            self.watches.push((at, mine, etcds));
            answers
        } else {
            self.pair.ask(&asked)?
        };
        self.seen.answer(&theirs);
        self.mortals += usize::from(asked.param("ttl").is_some());
        if let Some(top) = asked.key().split('/').nth(1).filter(|top| top.starts_with('_')) {
            self.hidden.insert(top.to_owned());
        }
        let is_open = asked.is_watch();
        self.played.exchanges.push(Exchange {
            asked,
            ours,
            theirs: theirs.clone(),
            pause: Duration::ZERO,
        });
        // What a watch says is compared when it has been heard out.
        if !is_open {
            self.judge(at);
        }
        Ok(theirs)
    }

    fn judge(&mut self, at: usize) {
        let Exchange { asked, ours, theirs, .. } = &self.played.exchanges[at];
        match self.exceptions(at) {
            Some(used) => self.played.exceptions.extend(used.iter().map(|&number| (at, number))),
            None => {
                let found = differences(asked, ours, theirs, self.mortals);
                self.played.stop = Some(Stop::Different(at, found));
            }
        }
    }

    /// The exceptions that an exchange needs; none if there is another difference.
    fn exceptions(&self, at: usize) -> Option<Vec<usize>> {
        let Exchange { asked, ours, theirs, .. } = &self.played.exchanges[at];
        let used = exceptions::explain(asked, ours, theirs, self.mortals)?;
        // Where an exception speaks for a watch, etcd has not told what ours should.
        let exchanges = &self.played.exchanges;
        let sure = used.is_empty() || !asked.is_watch();
        (sure || agrees_with_writers(&exchanges[at], exchanges)).then_some(used)
    }

    /// The writes, and then nothing until all that is mortal among them is gone.
    fn expire(&mut self, requests: &[Request]) -> Result<()> {
        let (begin, first) = (Instant::now(), self.played.exchanges.len());
        let mut longest = 0;
        for request in requests {
            sleep(SPACING);
            let before = self.played.exchanges.len();
            self.take(request.clone())?;
            for exchange in &mut self.played.exchanges[before..] {
                exchange.pause = SPACING;
            }
            let ttl = request.resolve(&self.seen).param("ttl").and_then(|ttl| ttl.parse().ok());
            longest = longest.max(ttl.filter(|&ttl| ttl < 60).unwrap_or(0));
        }
        if begin.elapsed() > BURST || !expire_in_one_order(&self.played.exchanges[first..]) {
            // Whatever differs may differ for that alone.
            self.played.stop = Some(Stop::Late);
        }
        if self.played.stop.is_some() {
            return Ok(());
        }
        let rest = Duration::from_secs(longest) + LATE;
        sleep(rest);
        self.settle()?;
        let at = self.played.exchanges.len();
        self.ask(Request::new("GET", "/v2/keys").query("recursive=true").resolve(&self.seen))?;
        self.played.exchanges[at].pause = rest;
        Ok(())
    }

    /// Waits until both have come to the same index, or for long enough.
    fn settle(&mut self) -> Result<()> {
        let asked = Request::new("GET", "/v2/keys").resolve(&self.seen);
        let until = Instant::now() + SETTLING;
        loop {
            let (ours, theirs) = self.pair.ask(&asked)?;
            let same = ours.header("x-etcd-index") == theirs.header("x-etcd-index");
            if same || Instant::now() > until {
                return Ok(());
            }
            sleep(SPACING);
        }
    }

    /// Listens to all watches until both servers have said what they should and
    /// nothing more, or nothing for long enough; then judges.
    fn hear_out(&mut self) -> Result<()> {
        let mut heard = Instant::now();
        while !self.watches.is_empty() {
            for (at, mine, etcds) in &mut self.watches {
                let exchange = &mut self.played.exchanges[*at];
                let (ours, theirs) = (mine.pump(POLL)?, etcds.pump(POLL)?);
                if ours != exchange.ours || theirs != exchange.theirs {
                    (exchange.ours, exchange.theirs) = (ours, theirs);
                    heard = Instant::now();
                }
            }
            let well = || self.watches.iter().all(|(at, ..)| self.exceptions(*at).is_some());
            if heard.elapsed() > LATE || heard.elapsed() > SILENCE && well() {
                break;
            }
        }
        for (at, ..) in std::mem::take(&mut self.watches) {
            if self.played.stop.is_none() {
                self.judge(at);
            }
        }
        Ok(())
    }

    fn clean(&mut self) -> Result<()> {
        self.hear_out()?;
        if self.played.stop.is_some() {
            return Ok(());
        }
        let listing = self.ask(Request::new("GET", "/v2/keys").resolve(&self.seen))?;
        let listing: serde_json::Value = serde_json::from_str(&listing.body)?;
        let nodes = listing["node"]["nodes"].as_array().into_iter().flatten();
        let keys = nodes.filter_map(|node| node["key"].as_str()?.strip_prefix('/'));
        let mut tops: Vec<String> = keys.map(str::to_owned).collect();
        tops.sort_unstable();
        tops.extend(std::mem::take(&mut self.hidden));
        for top in tops {
            let path = format!("/v2/keys/{}", escaped(&top));
            self.send(Request::new("DELETE", &path).query("recursive=true"))?;
        }
        Ok(())
    }
}

/// Whether the deadlines that were given are in the same order on both, without
/// ties: what expires in one tick does so in an order of its own.
fn expire_in_one_order(exchanges: &[Exchange]) -> bool {
    let deadline = |answer: &Answer| {
        let (node, _) = answer.body.split_once("\"prevNode\"").unwrap_or((&answer.body, ""));
        let (_, rest) = node.split_once("\"expiration\":\"")?;
        humantime::parse_rfc3339(rest.split('"').next()?).ok()
    };
    let deadlines: Vec<_> = exchanges
        .iter()
        .filter(|exchange| exchange.asked.method != "GET")
        .filter_map(|exchange| Some((deadline(&exchange.ours)?, deadline(&exchange.theirs)?)))
        .collect();
    deadlines.iter().enumerate().all(|(at, (ours, theirs))| {
        deadlines[..at].iter().all(|(mine, etcds)| {
            mine != ours && etcds != theirs && mine.cmp(ours) == etcds.cmp(theirs)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_counts_only_if_its_keys_expire_in_one_order() {
        let answer = |second: u32| Answer {
            body: format!("{{\"expiration\":\"2030-01-01T00:00:0{second}Z\"}}"),
            ..Answer::default()
        };
        let burst = |seconds: &[(u32, u32)]| -> bool {
            let exchange = |&(ours, theirs): &(u32, u32)| Exchange {
                asked: Asked::default(),
                ours: answer(ours),
                theirs: answer(theirs),
                pause: SPACING,
            };
            expire_in_one_order(&seconds.iter().map(exchange).collect::<Vec<_>>())
        };
        assert!(burst(&[(1, 2), (3, 4), (2, 3)]));
        assert!(!burst(&[(1, 2), (3, 4), (3, 5)]));
        assert!(!burst(&[(1, 2), (3, 4), (2, 5)]));
    }
}
