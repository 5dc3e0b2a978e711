//! Each recipe over a small tree of its own, in calm and in storm.
//!
//! `QUORATE_SEEDS=N` runs N seeds instead of 100, `QUORATE_SEED=S` only seed S.

mod balance;
mod condition;
mod config;
mod directory;
mod election;
mod fair_lock;
mod fake;
mod guarded;
mod index_builder;
mod lock;
mod monitor;
mod queue;
mod registry;
mod spans;
mod tree;
