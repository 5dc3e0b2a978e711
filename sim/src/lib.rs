//! Drives the engine on purpose.

pub mod disk;
pub mod properties;
pub mod tabletop;
