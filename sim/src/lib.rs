//! Drives the engine on purpose.
