//! What a run has compared: a run that meets nothing shows it.

use std::fmt;

use crate::exceptions::EXCEPTIONS;
use crate::program::Played;

/// Counts of what was asked and answered alike.
#[derive(Debug, Default)]
pub struct Tally {
    /// Programs.
    pub programs: usize,
    /// Requests of programs that were sent.
    pub requests: usize,
    /// Answers of all exchanges that say that something was done or found.
    succeeded: usize,
    exchanges: usize,
    watches: usize,
    /// Lines that watches were told.
    events: usize,
    /// Of those, keys that expired.
    expiries: usize,
    exceptions: [usize; EXCEPTIONS.len()],
}

impl Tally {
    /// Counts one program in.
    pub fn add(&mut self, played: &Played) {
        self.programs += 1;
        self.requests += played.requests;
        self.exchanges += played.exchanges.len();
        for exchange in &played.exchanges {
            self.succeeded += usize::from(matches!(exchange.theirs.status, 200..300));
            if exchange.asked.is_watch() && exchange.theirs.status == 200 {
                self.watches += 1;
                self.events += exchange.theirs.body.lines().count();
                self.expiries += exchange.theirs.body.matches("\"action\":\"expire\"").count();
            }
        }
        for (_, number) in &played.exceptions {
            self.exceptions[number - 1] += 1;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { programs, requests, succeeded, exchanges, watches, events, expiries, .. } = self;
        writeln!(
            f,
            "{requests} requests in {programs} programs (cleaning up included, {succeeded} of \
             {exchanges} succeeded; {watches} watches heard {events} events, {expiries} of them \
             expiries): no difference but these exceptions"
        )?;
        let used = EXCEPTIONS.iter().zip(self.exceptions).filter(|(_, count)| *count > 0);
        for (exception, count) in used {
            writeln!(f, "{count:6} × {}: {}", exception.name, exception.reason)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::program::Exchange;
    use crate::requests::Request;
    use crate::seen::Seen;
    use crate::wire::Answer;

    #[test]
    fn watches_and_what_they_heard_are_counted() {
        let request = Request::new("GET", "/v2/keys/a").query("wait=true");
        let lines = "{\"action\":\"set\"}\n{\"action\":\"expire\"}\n";
        let answer = Answer { status: 200, body: lines.into(), ..Answer::default() };
        let exchange = Exchange {
            asked: request.resolve(&Seen::default()),
            ours: answer.clone(),
            theirs: answer,
            pause: Duration::ZERO,
        };
        let played = Played {
            exchanges: vec![exchange],
            requests: 1,
            exceptions: vec![(0, 1), (0, 1)],
            stop: None,
        };
        let mut tally = Tally::default();
        tally.add(&played);
        let told = tally.to_string();
        assert!(told.starts_with("1 requests in 1 programs"), "{told}");
        assert!(told.contains("1 watches heard 2 events, 1 of them expiries"), "{told}");
        assert!(told.contains(&format!("     2 × {}", EXCEPTIONS[0].name)), "{told}");
    }
}
