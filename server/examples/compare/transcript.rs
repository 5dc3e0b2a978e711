//! What a person reads: commands to paste, and both answers to each.

use std::fmt::Write;

use crate::program::{Exchange, Played, Stop};
use crate::servers::Kind;
use crate::wire::Answer;

/// The exchanges of what was played, and in what one of them differs.
pub fn transcript(played: &Played, kind: Kind) -> String {
    let Some(Stop::Different(at, found)) = &played.stop else { return String::new() };
    let names = match kind {
        Kind::Quorate => ["quorate", "etcd"],
        Kind::Etcd => ["another", "etcd"],
    };
    let mut out = "at=http://127.0.0.1:2379   # either server, freshly started\n".to_owned();
    let mut repeated: Option<(String, usize)> = None;
    for exchange in &played.exchanges {
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
        tell_answers(exchange, names, &mut out);
        repeated = Some((command, 0));
    }
    tell_repeated(&mut repeated, &mut out);
    let differing = played.exchanges[*at].asked.curl();
    let _ = writeln!(out, "\nThe answers differ to {differing}");
    for difference in found {
        let _ = writeln!(out, "  {difference}");
    }
    out
}

fn tell_repeated(repeated: &mut Option<(String, usize)>, out: &mut String) {
    if let Some((_, times @ 1..)) = repeated.take() {
        let _ = writeln!(out, "    # {times} times more");
    }
}

/// What both say once, what one says by its name.
fn tell_answers(exchange: &Exchange, names: [&str; 2], out: &mut String) {
    let (ours, theirs) = (head(&exchange.ours), head(&exchange.theirs));
    let both = ours.iter().filter(|line| theirs.contains(line));
    tell("", both, out);
    tell(names[0], ours.iter().filter(|line| !theirs.contains(line)), out);
    tell(names[1], theirs.iter().filter(|line| !ours.contains(line)), out);
    let (ours, theirs) = (body(&exchange.ours), body(&exchange.theirs));
    let both = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
    tell("", &ours[..both], out);
    tell(names[0], &ours[both..], out);
    tell(names[1], &theirs[both..], out);
}

fn tell<'a>(who: &str, lines: impl IntoIterator<Item = &'a String>, out: &mut String) {
    for line in lines {
        let _ = writeln!(out, "  {who:7} | {line}");
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
        let told = transcript(&played, Kind::Quorate);
        let expected = "\
curl -sg --path-as-is -i \"$at\"'/a'
          | 200
          | x-etcd-index: 4
          | {}
    # 1 times more
curl -sg --path-as-is -i \"$at\"'/b'
          | 200
  quorate | x-etcd-index: 4
  etcd    | x-etcd-index: 5
          | {}
";
        assert!(told.contains(expected), "{told}");
    }
}
