//! What people build on a coordination store, over plain etcd v2 requests.
//!
//! Each recipe is one small file that says what it promises, what it does about
//! answers that never came, and what it does not promise. None of them knows HTTP,
//! threads or clocks: all of that is [`Store`], so that the same code runs over
//! [`http::Http`] and inside a simulator.
//!
//! A recipe waits as long as it takes. To give up, drop its future: whatever was
//! under way is then as unknown as after a crash, and every recipe survives that.

pub mod balance;
pub mod calls;
pub mod condition;
pub mod config;
pub mod directory;
pub mod election;
pub mod fair_lock;
pub mod guarded;
#[cfg(feature = "http")]
pub mod http;
pub mod index_builder;
pub mod lease;
pub mod lock;
pub mod monitor;
pub mod queue;
pub mod race;
pub mod registry;
pub mod store;

pub use store::{
    Delete, Failure, Get, Node, Post, Put, Refusal, Reply, Request, Store, Watch, code,
};
