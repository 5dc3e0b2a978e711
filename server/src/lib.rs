//! The thin server: real files, peers over TCP and etcd's v2 API around one
//! engine.
//!
//! ```text
//! flags ─▶ ports ─▶ data directory ─▶ Engine::recover ─▶ node (the driver)
//!
//!   http ──▶ node::Node ──▶ node::Driver ──▶ disk ──▶ files
//!   peers::incoming ──────▶      │ ▲ ◀────────┘
//!                                ▼ └ the view, published for http to read
//!                         peers::outgoing
//! ```

mod discard;
mod disk;
mod files;
mod flags;
mod frame;
mod http;
mod identity;
mod keepalive;
mod node;
mod peers;
mod run;
mod statistics;
mod urls;

pub use flags::{Command, Consistency, Flags};
#[doc(hidden)]
pub use http::request_parse;
pub use identity::Identity;
pub use run::run;
pub use urls::Url;
