//! Keeping what a stream or an iterator yields: the first call records while it passes on, later ones replay.
//!
//! A recording is kept as one entry when the source has ended, and only then. Who comes while it is made waits for it,
//! unless the recorder's consumer stalls.

mod collect;
mod open;
mod recorder;

pub use collect::collected;
#[cfg(feature = "stream")]
pub use collect::collected_stream;

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use self::open::{Opened, Opening};
use self::recorder::Recorder;
use super::{Arced, AsPlain, Cacheable, Hit, Plan, Settle, Shape, Site, Ticket, hit};
use crate::cache::Cache;
use crate::key::KeyBuf;
use crate::runtime::{BoxFuture, block_on};
use crate::scope;
use crate::switch::Operations;

/// What a recording is kept as.
pub(crate) type Items<T> = Arc<Vec<T>>;

/// How it is read and kept.
pub(crate) type AsItems = Arced<AsPlain>;

/// What is not recorded, because it is too long.
#[derive(Debug)]
pub struct Limits<T> {
    items: usize,
    bytes: Option<Bytes<T>>,
}

/// How many bytes at most, and what one item counts for.
#[derive(Debug)]
struct Bytes<T> {
    most: u64,
    of_item: fn(&T) -> usize,
}

impl<T> Limits<T> {
    /// At most so many items.
    #[must_use]
    pub const fn items(most: usize) -> Self {
        Self {
            items: most,
            bytes: None,
        }
    }

    /// At most so many bytes.
    #[must_use]
    pub fn bytes(mut self, most: u64, of_item: fn(&T) -> usize) -> Self {
        self.bytes = Some(Bytes { most, of_item });
        self
    }

    /// Whether there is room for `item` after so many items and bytes, which then include it.
    fn admit(&self, items: usize, bytes: &mut u64, item: &T) -> bool {
        if let Some(Bytes { most, of_item }) = &self.bytes {
            let size = u64::try_from(of_item(item)).unwrap_or(u64::MAX);
            *bytes = bytes.saturating_add(size);
            if *bytes > *most {
                return false;
            }
        }
        items < self.items
    }
}

impl<T, E> Settle<'_, Items<T>, E> {
    /// All items at once are kept if they would have been recorded, and weigh what they weigh together.
    #[doc(hidden)]
    pub fn within(&mut self, limits: &Limits<T>) {
        let Ok(items) = self.answer else {
            return;
        };
        let mut bytes = 0;
        let mut numbered = items.iter().enumerate();
        self.too_long = !numbered.all(|(at, item)| limits.admit(at, &mut bytes, item));
        self.store &= !self.too_long;
        // What a cache that is bounded by weight would take for a pointer.
        let own = items.len().saturating_mul(size_of::<T>());
        let counted = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.weight = u32::try_from(own.max(counted)).unwrap_or(u32::MAX);
    }
}

/// A stream or an iterator that is recorded, or replayed. `S` says how an item is read, `R` is its type.
pub struct Taped<S, R, F, Src, D>
where
    S: Shape<R>,
{
    state: State<S::Value, Src>,
    source: Option<F>,
    settle: Option<D>,
    limits: Limits<S::Value>,
    item: PhantomData<fn() -> R>,
}

enum State<T, Src> {
    /// Nothing was asked for yet.
    Closed(Box<Opening<T>>),
    /// The source is called past the cache.
    Uncached,
    Opening(BoxFuture<'static, Opened<T>>),
    Replaying(Items<T>, usize),
    Recording(Box<Recorder<T>>, Src),
    /// What comes is not kept.
    Passing(Src),
    /// The recording is on its way to where it is kept.
    Keeping(BoxFuture<'static, ()>),
    Ended,
}

impl<S, R, F, Src, D> Taped<S, R, F, Src, D>
where
    S: Shape<R>,
    S::Value: Cacheable,
    F: FnOnce(Option<Ticket>) -> Option<Src>,
    D: FnOnce(&mut Settle<'_, Items<S::Value>, std::convert::Infallible>),
{
    /// Nothing happens before the first item is asked for. `source` starts the source, or with a ticket a reload behind.
    pub fn new(
        cache: &Cache,
        site: &'static Site,
        key: KeyBuf,
        plan: impl FnOnce(&mut Plan<S::Error>),
        settle: D,
        source: F,
    ) -> Self {
        let mut said = Plan::new();
        plan(&mut said);
        let opening = Opening::new(cache, site, key, said.without_errors());
        Self {
            state: State::Closed(Box::new(opening)),
            ..Self::past(settle, source)
        }
    }

    /// The source past the cache.
    pub fn past(settle: D, source: F) -> Self {
        Self {
            state: State::Uncached,
            source: Some(source),
            settle: Some(settle),
            limits: Limits::items(usize::MAX),
            item: PhantomData,
        }
    }

    /// Bounds what is recorded.
    #[must_use]
    pub fn within(mut self, limits: Limits<S::Value>) -> Self {
        self.limits = limits;
        self
    }

    /// The next item. `next` asks the source for one.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut next: impl FnMut(&mut Src, &mut Context<'_>) -> Poll<Option<R>>,
    ) -> Poll<Option<R>> {
        loop {
            // Taken out, so that what panics leaves nothing to go on with.
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Closed(opening) => self.state = self.open(*opening),
                State::Uncached => {
                    self.state = self.start(None).map_or(State::Ended, State::Passing)
                }
                State::Opening(mut opening) => match opening.as_mut().poll(context) {
                    Poll::Pending => {
                        self.state = State::Opening(opening);
                        return Poll::Pending;
                    }
                    Poll::Ready(opened) => self.state = self.opened(opened),
                },
                State::Replaying(items, at) => {
                    let item = items.get(at).cloned().map(S::value);
                    if item.is_some() {
                        self.state = State::Replaying(items, at + 1);
                    }
                    return Poll::Ready(item);
                }
                State::Passing(mut source) => {
                    let polled = next(&mut source, context);
                    if !matches!(polled, Poll::Ready(None)) {
                        self.state = State::Passing(source);
                    }
                    return polled;
                }
                State::Recording(recorder, mut source) => {
                    match recorder.lead(|| next(&mut source, context)) {
                        Poll::Pending => {
                            self.state = State::Recording(recorder, source);
                            return Poll::Pending;
                        }
                        Poll::Ready(Some(item)) => {
                            self.state = match self.recorded(recorder, &item) {
                                Noted::Kept(recorder) => State::Recording(recorder, source),
                                Noted::Saved(kept) => {
                                    self.state = State::Replaying(kept, 0);
                                    continue;
                                }
                                Noted::Lost => State::Passing(source),
                            };
                            return Poll::Ready(Some(item));
                        }
                        Poll::Ready(None) => {
                            drop(source);
                            let settle = self.settle.take();
                            let keep = recorder.end(|deciding| {
                                if let Some(settle) = settle {
                                    settle(deciding);
                                }
                            });
                            self.state = State::Keeping(keep);
                        }
                    }
                }
                State::Keeping(mut keep) => {
                    if keep.as_mut().poll(context).is_pending() {
                        self.state = State::Keeping(keep);
                        return Poll::Pending;
                    }
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn start(&mut self, ticket: Option<Ticket>) -> Option<Src> {
        self.source.take().and_then(|source| source(ticket))
    }

    /// Looks into memory, without waiting.
    fn open(&mut self, mut opening: Opening<S::Value>) -> State<S::Value, Src> {
        let cache = &opening.cache;
        let is_off = cache.inner.is_off(Operations::READ | Operations::WRITE);
        if is_off || scope::overrides().bypass {
            return State::Uncached;
        }
        // Once, for the look, the lease and what is recorded.
        opening.key = opening.cache.inner.key_of_call(opening.site, opening.key);
        let cache = &opening.cache;
        match hit::<AsItems, Items<S::Value>>(cache, opening.site, &opening.key) {
            Hit::Value(items) => State::Replaying(items, 0),
            Hit::Refresh(items, ticket) => self.opened(Opened::Refresh(items, ticket)),
            // What is yielded inside may not be committed: it is passed on and not recorded.
            Hit::Miss if cache.inner.ambient().is_some() => State::Uncached,
            Hit::Miss => State::Opening(Box::pin(opening.run())),
        }
    }

    fn opened(&mut self, opened: Opened<S::Value>) -> State<S::Value, Src> {
        match opened {
            Opened::Replay(items) => State::Replaying(items, 0),
            Opened::Refresh(items, ticket) => {
                self.start(Some(ticket));
                State::Replaying(items, 0)
            }
            // The lease is held by now: whatever is invalidated while the source runs is not kept.
            Opened::Record(recorder) => match recorder.lead(|| self.start(None)) {
                Some(source) => State::Recording(recorder, source),
                None => State::Ended,
            },
            Opened::Past => State::Uncached,
        }
    }

    /// Notes an item, and how to go on after it.
    fn recorded(&self, mut recorder: Box<Recorder<S::Value>>, item: &R) -> Noted<S::Value> {
        match S::success(item) {
            Some(value) if recorder.note(value, &self.limits) => Noted::Kept(recorder),
            Some(_) => {
                recorder.give_up();
                Noted::Lost
            }
            None => recorder.fail().map_or(Noted::Lost, Noted::Saved),
        }
    }
}

/// What became of an item that was noted.
enum Noted<T> {
    Kept(Box<Recorder<T>>),
    /// The source failed at once, and this was kept for that case.
    Saved(Items<T>),
    /// Nothing will be kept.
    Lost,
}

impl<S, R, F, Src, D> Iterator for Taped<S, R, F, Src, D>
where
    S: Shape<R>,
    S::Value: Cacheable,
    F: FnOnce(Option<Ticket>) -> Option<Src>,
    Src: Iterator<Item = R>,
    D: FnOnce(&mut Settle<'_, Items<S::Value>, std::convert::Infallible>),
{
    type Item = R;

    fn next(&mut self) -> Option<R> {
        if let State::Replaying(items, at) = &mut self.state {
            let item = items.get(*at)?.clone();
            *at += 1;
            return Some(S::value(item));
        }
        block_on(poll_fn(|context| {
            self.poll(context, |source, _| Poll::Ready(source.next()))
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left()
    }
}

/// What an attribute decides about all items, as a closure whose type is known before it is used.
pub fn settling<S, R, D>(settle: D) -> D
where
    S: Shape<R>,
    D: FnOnce(&mut Settle<'_, Items<S::Value>, std::convert::Infallible>),
{
    settle
}

impl<S: Shape<R>, R, F, Src, D> Taped<S, R, F, Src, D> {
    fn left(&self) -> (usize, Option<usize>) {
        match &self.state {
            State::Replaying(items, at) => (items.len() - at, Some(items.len() - at)),
            State::Ended => (0, Some(0)),
            _ => (0, None),
        }
    }
}

// What is pinned is pinned in a box: nothing in here is pinned by being in here.
impl<S: Shape<R>, R, F, Src, D> Unpin for Taped<S, R, F, Src, D> {}

#[cfg(feature = "stream")]
impl<S, R, F, Src, D> futures_core::Stream for Taped<S, R, F, std::pin::Pin<Box<Src>>, D>
where
    S: Shape<R>,
    S::Value: Cacheable,
    F: FnOnce(Option<Ticket>) -> Option<std::pin::Pin<Box<Src>>>,
    Src: futures_core::Stream<Item = R>,
    D: FnOnce(&mut Settle<'_, Items<S::Value>, std::convert::Infallible>),
{
    type Item = R;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        self.poll(context, |source, context| {
            source.as_mut().poll_next(context)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left()
    }
}

impl<S: Shape<R>, R, F, Src, D> fmt::Debug for Taped<S, R, F, Src, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Closed(_) | State::Opening(_) => "opening",
            State::Replaying(..) => "replaying",
            State::Recording(..) | State::Keeping(_) => "recording",
            State::Uncached | State::Passing(_) => "passing",
            State::Ended => "ended",
        };
        f.debug_struct("Taped")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
