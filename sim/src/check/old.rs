//! The judgement before.
#![allow(missing_docs, dead_code)]
pub mod durable;
mod effect;
pub mod linearizable;
pub mod local_reads;
use super::{Hint, Replay, Violation, expiry};
use crate::history::History;
pub fn check(history: &History, hint: &Hint) -> Result<(), Violation> {
    linearizable::check(history, hint)?;
    local_reads::check(history, hint)
}
