//! What a person reads: a transcript of each server, whose commands can be pasted.

use std::fmt::Write;

use crate::program::{Exchange, Played, Stop};
use crate::servers::Kind;
use crate::wire::Answer;

/// What was played, to each server with its answers, and in what one of them differs.
pub fn transcripts(played: &Played, kind: Kind) -> String {
    let Some(Stop::Different(at, found)) = &played.stop else { return String::new() };
    let first = match kind {
        Kind::Quorate => "quorate",
        Kind::Etcd => "another etcd",
    };
    let mut out = transcript(first, &played.exchanges, |exchange| &exchange.ours);
    out += "\n";
    out += &transcript("etcd", &played.exchanges, |exchange| &exchange.theirs);
    let differing = played.exchanges[*at].asked.curl();
    let _ = writeln!(out, "\nThe answers differ to {differing}");
    for difference in found {
        let _ = writeln!(out, "  {difference}");
    }
    out
}

/// One server's answers, as comments below the commands.
fn transcript(name: &str, exchanges: &[Exchange], answer: fn(&Exchange) -> &Answer) -> String {
    let mut out = format!("at=http://127.0.0.1:2379   # {name}, freshly started\n");
    let mut repeated: Option<(String, usize)> = None;
    for exchange in exchanges {
        let command = exchange.asked.curl();
        match &mut repeated {
            Some((last, times)) if *last == command => {
                *times += 1;
                continue;
            }
            _ => tell_repeated(&mut repeated, &mut out),
        }
        if !exchange.pause.is_zero() {
            let _ = writeln!(out, "sleep {}", exchange.pause.as_secs_f64());
        }
        let background = if exchange.asked.is_watch() { " &" } else { "" };
        let _ = writeln!(out, "{command}{background}");
        let answer = answer(exchange);
        for line in head(answer).into_iter().chain(body(answer)) {
            let _ = writeln!(out, "  # {line}");
        }
        repeated = Some((command, 0));
    }
    tell_repeated(&mut repeated, &mut out);
    out
}

fn tell_repeated(repeated: &mut Option<(String, usize)>, out: &mut String) {
    if let Some((_, times @ 1..)) = repeated.take() {
        let _ = writeln!(out, "  # {times} times more");
    }
}

/// Status and headers, but for those that every answer has.
fn head(answer: &Answer) -> Vec<String> {
    let every = |name: &str| name == "date" || name.starts_with("access-control-");
    let headers = answer.headers.iter().filter(|(name, _)| !every(name));
    let mut lines: Vec<String> = headers
        .map(|(name, value)| match &**name {
            // Each counts these by itself.
            "x-raft-index" | "x-raft-term" => format!("{name}: …"),
            name => format!("{name}: {value}"),
        })
        .collect();
    lines.sort_unstable();
    lines
        .insert(0, if answer.status == 0 { "no answer".into() } else { answer.status.to_string() });
    lines
}

fn body(answer: &Answer) -> Vec<String> {
    let more = (!answer.ended).then(|| "(and more may come)".to_owned());
    answer.body.lines().map(str::to_owned).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::requests::Request;
    use crate::seen::Seen;

    #[test]
    fn a_difference_can_be_pasted_and_read() {
        let answer = |index: &str| Answer {
            status: 200,
            headers: vec![("x-etcd-index".into(), index.into()), ("date".into(), "now".into())],
            body: "{}\n".into(),
            ended: true,
        };
        let exchange = |path, theirs| Exchange {
            asked: Request::new("GET", path).resolve(&Seen::default()),
            ours: answer("4"),
            theirs: answer(theirs),
            pause: Duration::ZERO,
        };
        let (same, other) = (exchange("/a", "4"), exchange("/b", "5"));
        let exchanges = vec![same.clone(), same, other.clone(), other];
        let stop = Some(Stop::Different(2, vec!["x-etcd-index".into()]));
        let played = Played { exchanges, stop, ..Played::default() };
        let told = transcripts(&played, Kind::Quorate);
        let expected = |name: &str, index: u32| {
            format!(
                "\
at=http://127.0.0.1:2379   # {name}, freshly started
curl -sg --path-as-is -i \"$at\"'/a'
  # 200
  # x-etcd-index: 4
  # {{}}
  # 1 times more
curl -sg --path-as-is -i \"$at\"'/b'
  # 200
  # x-etcd-index: {index}
  # {{}}
  # 1 times more
"
            )
        };
        let both = [expected("quorate", 4), expected("etcd", 5)].join("\n");
        assert!(told.starts_with(&both), "{told}");
        assert!(told.ends_with("/b'\n  x-etcd-index\n"), "{told}");
    }
}
