//! `wait=true`: watches on the wire.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use quorate_engine::tree::{Cleared, Event, Path, Read, Watch};
use quorate_engine::{Done, Outcome, Refused, Request};

use super::Server;
use super::answer::{self, Answer};
use super::event;
use super::form::Form;
use super::listing::Listing;
use crate::node::Node;

/// Events taken from the engine at once for a stream.
const STREAM_EVENTS: usize = 64;

/// Bytes after which the lines that are ready are sent, more or less.
const FRAME_BYTES: usize = 64 << 10;

/// Events whose lines are kept, and bytes of the longest that is.
const LINES: usize = 256;
const LINE_BYTES: usize = 16 << 10;

/// Begins a watch: everything behind the view that its headers speak of, or from
/// `waitIndex` on.
pub fn serve(server: &Server, path: Path, form: &Form) -> Answer {
    let view = server.node.view();
    if !view.ready {
        return server.answers.refused(&Refused::NoLeader);
    }
    let at = view.position();
    let mut initial = None;
    if form.initial {
        match Listing::new(&view.tree, Read { path: path.clone(), recursive: form.recursive }) {
            Ok(listing) => initial = Some(listing.into_whole(&view.tree)),
            Err(fault) => return server.answers.fault(&fault),
        }
    }
    let watch = Watch {
        path,
        recursive: form.recursive,
        from: form.wait_index.unwrap_or(at.store_index + 1),
        limit: if form.stream { STREAM_EVENTS } else { 1 },
    };
    match view.tree.watch(&watch) {
        Ok(missed) => {
            let events = Events::new(server, watch, form.stream, initial, missed);
            server.answers.watching(events, view.tree.history_first(), at)
        }
        Err(cleared) => server.answers.refused(&Refused::Cleared(cleared)),
    }
}

/// The body of a watch: a line an event, as they happen.
///
/// It asks the engine for more only when the connection has taken what was there:
/// a client that is slow falls behind in the history window, which is the only
/// buffer, and is told so when it falls out of it. Dropping it, as hyper does when
/// the client goes, ends the watch in the engine.
pub struct Events {
    node: Node,
    watch: Watch,
    stream: bool,
    /// A line that comes before all events.
    initial: Option<Bytes>,
    missed: std::vec::IntoIter<Arc<Event>>,
    asked: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    ended: bool,
    written: Arc<Lines>,
    _counted: Counted,
}

impl Events {
    fn new(
        server: &Server,
        watch: Watch,
        stream: bool,
        initial: Option<Bytes>,
        missed: Vec<Arc<Event>>,
    ) -> Self {
        Self {
            node: server.node.clone(),
            watch,
            stream,
            initial,
            missed: missed.into_iter(),
            asked: None,
            ended: false,
            written: server.lines.clone(),
            _counted: Counted::new(&server.watchers),
        }
    }

    /// Lines for the events that are there; none if there are none.
    fn lines(&mut self) -> Option<Bytes> {
        let first = self.next()?;
        self.ended |= !self.stream;
        if self.missed.as_slice().is_empty() {
            return Some(first);
        }
        let mut lines = BytesMut::from(first);
        while lines.len() < FRAME_BYTES
            && let Some(line) = self.next()
        {
            lines.extend_from_slice(&line);
        }
        Some(lines.freeze())
    }

    fn next(&mut self) -> Option<Bytes> {
        let event = self.missed.next()?;
        self.watch.from = event.index() + 1;
        Some(self.written.line(&event))
    }

    /// Takes from the view what has happened meanwhile: who is busy needs not wait
    /// for the engine. If that is nothing, the engine need not look there again, and
    /// it may leave the window.
    fn look(&mut self) -> Result<bool, Cleared> {
        if self.asked.is_none() {
            let view = self.node.view();
            self.missed = view.tree.watch(&self.watch)?.into_iter();
            if self.missed.as_slice().is_empty() {
                self.watch.from = self.watch.from.max(view.tree.store_index() + 1);
            }
        }
        Ok(!self.missed.as_slice().is_empty())
    }

    fn end(&mut self, refused: &Refused) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.ended = true;
        let line = answer::error_line(refused);
        Poll::Ready(Some(Ok(Frame::data(line.into()))))
    }

    fn ask(&mut self) -> &mut Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let (node, watch) = (&self.node, &self.watch);
        self.asked.get_or_insert_with(|| {
            let (node, request) = (node.clone(), Request::Watch(watch.clone()));
            Box::pin(async move { node.ask(request).await })
        })
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let line = self.initial.take();
            if let Some(lines) = line.or_else(|| if self.ended { None } else { self.lines() }) {
                return Poll::Ready(Some(Ok(Frame::data(lines))));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match self.look() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(cleared) => return self.end(&Refused::Cleared(cleared)),
            }
            let outcome = ready!(self.ask().as_mut().poll(context));
            self.asked = None;
            match outcome {
                Outcome::Done(Done::Watched { events, .. }) => self.missed = events.into_iter(),
                Outcome::Refused(Refused::Stopping) => self.ended = true,
                Outcome::Refused(refused) => return self.end(&refused),
                other => unreachable!("a watch is not answered by {other:?}"),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("watch", &self.watch).finish_non_exhaustive()
    }
}

/// Lines of the last events: each is written once for all that watch.
pub struct Lines(Box<[Mutex<(u64, Bytes)>]>);

impl Default for Lines {
    fn default() -> Self {
        Self((0..LINES).map(|_| Mutex::default()).collect())
    }
}

impl Lines {
    /// An event's line.
    fn line(&self, event: &Event) -> Bytes {
        let slot = &self.0[event.index() as usize % LINES];
        // What a panic leaves behind is whole all the same.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.0 == event.index() {
            return slot.1.clone();
        }
        let line = Bytes::from(event::event(event));
        if line.len() <= LINE_BYTES {
            *slot = (event.index(), line.clone());
        }
        line
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

/// One watch, as long as this lives.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn new(watchers: &Arc<AtomicU64>) -> Self {
        watchers.fetch_add(1, Ordering::Relaxed);
        Self(watchers.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use quorate_engine::{Config, Engine, Image, Member};

    use super::*;
    use crate::node::Word;

    #[test]
    fn the_engine_is_asked_for_what_the_view_does_not_show() {
        let members = vec![Member { id: 1, peer_urls: Vec::new(), attributes: Default::default() }];
        let (engine, _) = Engine::recover(Config::new(1, 1, members), Image::new()).unwrap();
        let (node, inbox) = Node::new(engine.view());
        for (from, asked) in [(1, 4), (4, 4), (9, 9)] {
            let mut events = Events {
                node: node.clone(),
                watch: Watch { path: Path::root(), recursive: true, from, limit: 1 },
                stream: false,
                initial: None,
                missed: Vec::new().into_iter(),
                asked: None,
                ended: false,
                written: Arc::default(),
                _counted: Counted::new(&Arc::default()),
            };
            let polled = Pin::new(&mut events).poll_frame(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            let Ok(Word::Client { request: Request::Watch(watch), .. }) = inbox.try_recv() else {
                panic!("the engine is not asked")
            };
            assert_eq!(watch.from, asked);
            drop(events);
            assert!(matches!(inbox.try_recv(), Ok(Word::Forget { .. })));
        }
    }
}
