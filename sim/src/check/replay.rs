//! The tree at any moment, as the events made it.

use std::convert::Infallible;
use std::iter::Peekable;
use std::sync::Arc;

use quorate_engine::tree::Event;

use super::{Hint, Violation};
use crate::model::Model;

/// The model, and the events that it has not been told yet.
#[derive(Debug)]
pub struct Replay<'a> {
    model: Model,
    events: Peekable<std::vec::IntoIter<&'a Arc<Event>>>,
}

impl<'a> Replay<'a> {
    /// The tree at birth; a violation if an event is missing.
    pub fn new(hint: &'a Hint) -> Result<Self, Violation> {
        let events = hint.in_order()?.into_iter().peekable();
        Ok(Self { model: Model::new(hint.genesis()), events })
    }

    /// The tree at this store index, or at the last one before it that there is. It
    /// never goes back.
    pub fn at(&mut self, index: u64) -> &mut Model {
        let Ok(model) = self.judged_at(index, |_, _| Ok::<_, Infallible>(()));
        model
    }

    /// The same, after each event on the way has been judged by the tree before it.
    pub fn judged_at<E>(
        &mut self,
        index: u64,
        mut judge: impl FnMut(&mut Model, &Event) -> Result<(), E>,
    ) -> Result<&mut Model, E> {
        while let Some(event) = self.events.next_if(|event| event.index() <= index) {
            judge(&mut self.model, event)?;
            self.model.install(event);
        }
        Ok(&mut self.model)
    }
}
