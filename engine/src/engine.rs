//! Birth, life, and the one match over all that comes in.

use crate::boundary::{Image, Input, Output, RecoverError};
use crate::config::Config;
use crate::view::View;

/// One member of the cluster, as a function of its inputs.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Birth: reads a data directory as it was found (empty on the first day).
    /// The outputs returned are to be performed like those of a step.
    ///
    /// # Errors
    /// When the directory is damaged, foreign, or of another version, or the
    /// configuration makes no sense. Nothing has been changed then.
    pub fn recover(_config: Config, _image: Image) -> Result<(Self, Vec<Output>), RecoverError> {
        unimplemented!()
    }

    /// Life: takes one input and appends what follows from it.
    pub fn step(&mut self, _input: Input, _out: &mut Vec<Output>) {
        unimplemented!()
    }

    /// The state between two steps.
    pub fn view(&self) -> View {
        unimplemented!()
    }

    /// Death in good order: an answer for every request that still waits.
    pub fn shutdown(self) -> Vec<Output> {
        unimplemented!()
    }
}
