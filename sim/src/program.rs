//! Programs for the tree, decoded from arbitrary bytes: what a fuzzer or a
//! property test runs on two implementations to compare them.

use std::sync::Arc;

use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Condition, Content, Write};

use crate::workload::KEYS;

/// One thing done to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Change it.
    Write(Write),
    /// Read it.
    Read(Read),
}

/// Steps beyond this many are not decoded.
pub const MAX_STEPS: usize = 10_000;

/// The values in play: few, so that conditions hold now and then.
const VALUES: [&str; 4] = ["", "x", "y", "zz"];

/// Any bytes are a program, four bytes a step; what is left over is ignored.
/// Conditions name store indexes up to 32, so the tree should begin near 0.
pub fn decode(bytes: &[u8]) -> Vec<Step> {
    let (steps, _) = bytes.as_chunks();
    steps.iter().take(MAX_STEPS).map(decode_step).collect()
}

fn decode_step(&[kind, key, value, condition]: &[u8; 4]) -> Step {
    let path = Path::new(pick(&KEYS, key)).expect("the keys in play are clean paths");
    let value: Arc<str> = pick(&VALUES, value).into();
    let condition = decode_condition(condition);
    let change = match kind % 12 {
        0 | 1 => return Step::Read(Read { path, recursive: kind % 12 == 1 }),
        2 | 3 => Change::Set(Content::File(value)),
        4 => Change::Set(Content::Dir),
        5 => Change::Create(Content::File(value)),
        6 => Change::Create(Content::Dir),
        7 => Change::Update { value },
        8 => Change::CompareAndSwap { value, condition },
        9 => Change::Delete { dir: kind & 16 != 0, recursive: false },
        10 => Change::Delete { dir: kind & 16 != 0, recursive: true },
        _ => Change::CompareAndDelete { condition },
    };
    Step::Write(Write { path, change })
}

/// The low two bits choose the value, the next whether to compare it, the rest
/// the index, 0 for none. On the wire, an empty value and the index 0 mean that
/// nothing is to be compared, so neither is ever compared with here.
fn decode_condition(byte: u8) -> Condition {
    let value = pick(&VALUES, byte & 3);
    let value = (byte & 4 != 0 && !value.is_empty()).then(|| value.into());
    let index = u64::from(byte >> 3);
    let index = if value.is_none() { Some(index + 1) } else { (index != 0).then_some(index) };
    Condition { value, index }
}

fn pick<'a>(from: &[&'a str], at: u8) -> &'a str {
    from[usize::from(at) % from.len()]
}
