//! What is said is kept.

use super::*;

#[test]
fn a_promise_before_it_is_durable() {
    let property = "what is promised is durable";
    let born = || (2, Fact::Born(view(2, Role::Follower, 0, 0)));
    breaks(property, vec![born(), (2, vote(1, 1))]);
    breaks(property, vec![born(), writes(1, (1, 1), 0), (2, vote(1, 1))]);
    breaks(property, vec![born(), writes(1, (1, 3), 0), written(1), (2, vote(1, 1))]);
    let acknowledges = |index| (2, out(1, append_ok(1, index)));
    breaks(property, vec![born(), writes(1, (1, 1), 2), acknowledges(1)]);
    breaks(property, vec![born(), writes(1, (1, 1), 2), written(1), acknowledges(3)]);
    let elected = || vec![born(), (3, vote(2, 1)), (2, leader(2, 1, 0)), writes(1, (1, 2), 1)];
    let commits = |first| {
        let mut run = elected();
        let leads = View { applied: 0, ..view(2, Role::Leader, 1, 1) };
        run.extend([first, (3, out(2, append_ok(1, 1))), (2, Fact::Seen(leads))]);
        run
    };
    breaks(property, commits((2, tick())));
    assert_eq!(objection(commits(written(1))), None);
    let by_others = commits((1, out(2, append_ok(1, 1))));
    assert_eq!(objection(by_others), None, "a majority without it holds the entry");
    let reborn = vec![born(), writes(1, (1, 1), 1), (2, Fact::Died), born(), acknowledges(1)];
    assert_eq!(objection(reborn), None, "what was under way at the end may have happened");
    let cut = vec![
        born(),
        writes(1, (1, 1), 3),
        written(1),
        writes(2, (2, 1), 1),
        (2, Fact::Died),
        born(),
        (2, out(1, append_ok(3, 3))),
    ];
    assert_eq!(objection(cut), None, "what it would have cut off may be there yet");
    let forgets = vec![
        born(),
        writes(1, (1, 1), 3),
        written(1),
        (2, Fact::Forgot(2)),
        born(),
        acknowledges(1),
        acknowledges(2),
    ];
    breaks(property, forgets);
    let replacing = vec![
        born(),
        writes(1, (1, 1), 1),
        written(1),
        writes(2, (2, 3), 1),
        (2, out(3, append_ok(2, 1))),
    ];
    breaks(property, replacing);
    let again = |term| (2, Fact::Born(view(2, Role::Follower, term, 0)));
    let voted =
        |term| vec![born(), writes(1, (1, 1), 0), (2, Fact::Died), again(term), (2, vote(1, 1))];
    breaks(property, voted(0));
    assert_eq!(objection(voted(1)), None, "it has got there");
    let late = vec![born(), writes(1, (2, 1), 1), written(1), (2, out(3, append_ok(1, 2)))];
    assert_eq!(objection(late), None, "a later leader has replaced it");
    let failed = || (2, Fact::In(Input::Disk { id: 1, result: Err(DiskError("full".into())) }));
    breaks(property, vec![born(), writes(1, (1, 1), 1), failed(), acknowledges(1)]);
}

#[test]
fn an_acknowledged_entry_forgotten() {
    let one = || append(1, (0, 0), 0, vec![entry(1, 1, "")]);
    let acknowledged =
        || vec![(2, arrives(1, one())), (2, out(1, append_ok(1, 1))), (2, Fact::Died)];
    let name = "what was acknowledged is held";
    let with = |facts: Vec<Fact>| {
        let mut run = acknowledged();
        run.extend(facts.into_iter().map(|fact| (2, fact)));
        run
    };
    breaks(name, with(vec![out(3, vote_request(2, (0, 0)))]));
    breaks(name, with(vec![arrives(3, vote_request(2, (0, 0))), vote(3, 2)]));
    let no = RaftMessage { reject: true, ..append_ok(1, 2) };
    breaks(name, with(vec![out(1, no)]));
    let forgot = |from| with(vec![Fact::Forgot(from), out(3, vote_request(2, (0, 0)))]);
    breaks(name, forgot(2));
    assert_eq!(objection(forgot(1)), None, "damage has taken it, and others hold it");
    let (bytes, last) = (Bytes::new(), true);
    let chunk = Chunk { term: 3, index: 5, index_term: 2, offset: 0, bytes, last };
    let collects = Fact::In(Input::Peer { from: 3, message: Message::Chunk(chunk) });
    // What was behind the snapshot in an earlier term went with it.
    let stands = out(3, vote_request(4, (9, 1)));
    breaks(name, with(vec![collects, out(3, append_ok(3, 5)), stands]));
    let later = append(2, (0, 0), 0, vec![]);
    let replaced = with(vec![arrives(3, later), out(3, vote_request(3, (0, 0)))]);
    assert_eq!(objection(replaced), None, "a later leader may have replaced it");
}
