//! Drives the engine on purpose.

pub mod check;
pub mod history;
pub mod model;
pub mod program;
pub mod workload;
