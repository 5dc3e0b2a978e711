//! The thin server.
