//! Everything that drives Quorate's engine on purpose: by hand on the
//! [`tabletop`], by chance in the [`weather`], and the checkers that judge what
//! comes of it.
//!
//! Workload, history, model, properties and checkers are plain data and
//! functions: they know neither madsim nor tokio, and serve every world alike.

#[cfg(all(feature = "weather", not(madsim)))]
compile_error!(
    "the weather runs only under madsim: build with RUSTFLAGS unset, so that .cargo/config.toml \
     applies, or with RUSTFLAGS=\"--cfg madsim\"; without the weather: --no-default-features"
);

pub mod check;
pub mod disk;
pub mod exhaustive;
#[cfg(all(feature = "weather", madsim))]
pub mod explain;
pub mod fuzzing;
pub mod history;
pub mod model;
#[cfg(all(feature = "weather", madsim))]
pub mod probes;
pub mod program;
pub mod properties;
#[cfg(all(feature = "real", madsim))]
pub mod real;
#[cfg(all(feature = "weather", madsim))]
pub mod recipes;
pub mod tabletop;
pub mod wal;
#[cfg(all(feature = "weather", madsim))]
pub mod weather;
pub mod workload;
