//! The checkers, checked: histories made by hand, each with the claim that its
//! name makes, and histories made at random, whole and spoiled.

mod bad;
mod both;
mod execution;
mod good;
mod random;
mod story;
mod stream;
mod time;
mod ttl;
mod watch;
mod weather;
