//! `warm`: loading many keys of one function ahead of their readers.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::cache::Cache;
use crate::detect::{Source, detect_async};
use crate::engine::{Mode, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key::KeyBuf;
use crate::policy::Verdict;
use crate::runtime::block_on;
use crate::switch::Operations;
use crate::warmed::Warmed;

mod crew;

use crew::Crew;

/// How many items are loaded at once, unless it is told.
const CONCURRENCY: usize = 8;
/// Items that one poll brings to their end: after them, whoever shares the thread gets a turn.
const TURN: usize = 64;

/// The warming of an async function: several items are under way at once.
#[derive(Debug)]
pub enum Together {}

/// The warming of a sync function: item after item, on the thread that waits.
#[derive(Debug)]
pub enum OneByOne {}

/// What became of an item, and of which cache it is.
#[derive(Debug)]
pub struct Step {
    cache: Cache,
    what: What,
}

#[derive(Debug)]
enum What {
    Loaded,
    Skipped,
    Failed,
    /// The cache takes nothing: there is no use in going on.
    Refused(Error),
}

impl Step {
    /// How an item is to be loaded, or what became of it without a load.
    ///
    /// # Errors
    /// The step, when nothing is to be done.
    pub fn before(cache: &Cache, key: &KeyBuf) -> Result<Mode, Self> {
        let inner = &cache.inner;
        let step = |what| Self {
            cache: cache.clone(),
            what,
        };
        inner
            .open("warm")
            .map_err(|error| step(What::Refused(error)))?;
        if inner.is_off(Operations::WRITE) {
            let why = "its writes are switched off, so nothing that is loaded would stay";
            let error = Error::unsupported("warm", inner.name.as_ref(), why);
            return Err(step(What::Refused(error)));
        }
        let slot = inner.memory.peek(key);
        // Of what memory may not serve at all, the store may have more.
        let Some(slot) = slot.filter(|slot| inner.tags.stand(slot)) else {
            return Ok(Mode::Foreground);
        };
        let is_value = !slot.shared().0.is_failure();
        match slot.verdict(inner.clock.now()) {
            Verdict::Fresh if is_value => Err(step(What::Skipped)),
            Verdict::Gone => Ok(Mode::Foreground),
            // Another's load is as good as one's own.
            _ if inner.leases.is_loading(&key.to_key()) => Ok(Mode::Foreground),
            _ => Ok(Mode::Refresh),
        }
    }

    /// Loads an item, and says what became of it.
    pub async fn by<F: Future>(cache: &Cache, site: &'static Site, key: &KeyBuf, load: F) -> Self {
        let (output, reads) = detect_async(load).await;
        drop(output);
        let own = |read: &&crate::detect::Read| {
            read.function == Some(site.path) && read.key == key.as_str()
        };
        let what = match reads.iter().rev().find(own).map(|read| read.source) {
            Some(Source::Loaded) => What::Loaded,
            Some(Source::Fresh | Source::Refresh | Source::Coalesced) => What::Skipped,
            // Nothing is told of the failure of another's load.
            _ => What::Failed,
        };
        Self {
            cache: cache.clone(),
            what,
        }
    }
}

/// Loading many items of a cached function, before it is awaited: `user::warm(ids)`.
///
/// Items are taken one by one as there is room for them, so an iterator over a million ids needs no more memory than one over ten. What is fresh in memory, or can be served
/// by the store, is not loaded; what is kept past its time is. An error of the source is counted, told by its event, and stops nothing unless
/// [`stop_after`](Self::stop_after) says so. A panic of the source is one of the warming.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use larder::cached;
///
/// #[cached(key = "square:{n}", ttl = "10m")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// square(7);
/// let warmed = square::warm(1..=100).wait()?;
/// assert_eq!((warmed.loaded, warmed.skipped), (99, 1));
/// # }
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use = "nothing is loaded before it is awaited, or driven with `wait`"]
pub struct Warm<I, K = Together> {
    site: &'static Site,
    items: I,
    concurrency: usize,
    skip: u64,
    failures: u64,
    progress: Option<Progress>,
    kind: PhantomData<fn() -> K>,
}

type Progress = Box<dyn FnMut(&Warmed) + Send>;

impl<I, K> Warm<I, K>
where
    I: Iterator,
    I::Item: Future<Output = Step>,
{
    #[doc(hidden)]
    pub fn new(site: &'static Site, items: I, concurrency: Option<usize>) -> Self {
        Self {
            site,
            items,
            concurrency: concurrency.unwrap_or(CONCURRENCY),
            skip: 0,
            failures: u64::MAX,
            progress: None,
            kind: PhantomData,
        }
    }

    /// Leaves out so many items at the beginning, without a look at them: [`Warmed::next`] of one that was stopped.
    pub fn resume_from(mut self, item: u64) -> Self {
        self.skip = item;
        self
    }

    /// Begins no further items after so many failures; those under way are finished. Default: never stops.
    pub fn stop_after(mut self, failures: u64) -> Self {
        self.failures = failures.max(1);
        self
    }

    /// Is told after each item how far it has come, on the thread that drives it. Must not block.
    pub fn on_progress(mut self, told: impl FnMut(&Warmed) + Send + 'static) -> Self {
        self.progress = Some(Box::new(told));
        self
    }

    /// Warms on this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], and [`ErrorKind::Unsupported`] when the cache's writes are switched off; [`ErrorKind::InvalidPolicy`] for a concurrency of 0.
    pub fn wait(self) -> Result<Warmed> {
        block_on(self.warming())
    }

    fn warming(self) -> Warming<I> {
        let refused = (self.concurrency == 0).then(|| {
            let message = "nothing is ever loaded with a concurrency of 0: give 1 or more";
            Error::new(ErrorKind::InvalidPolicy, "warm", message)
        });
        Warming {
            site: self.site,
            items: Some(self.items),
            skip: self.skip,
            crew: Crew::new(self.concurrency),
            failures: self.failures,
            progress: self.progress,
            warmed: Warmed {
                next: self.skip,
                ..Warmed::default()
            },
            begun: self.skip,
            cache: None,
            refused,
            is_over: false,
        }
    }
}

impl<I> Warm<I, Together> {
    /// How many items are under way at once, from 1 on. Default 8.
    pub fn concurrency(mut self, items: usize) -> Self {
        self.concurrency = items;
        self
    }
}

impl<I> IntoFuture for Warm<I, Together>
where
    I: Iterator,
    I::Item: Future<Output = Step>,
{
    type Output = Result<Warmed>;
    type IntoFuture = Warming<I>;

    fn into_future(self) -> Warming<I> {
        self.warming()
    }
}

impl<I, K> fmt::Debug for Warm<I, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warm")
            .field("function", &self.site.path)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// The future of a [`Warm`].
///
/// # Cancellation
/// Dropping it drops the items under way; what was loaded stays, and [`Event::Warmed`] tells how far it came.
pub struct Warming<I: Iterator> {
    site: &'static Site,
    items: Option<I>,
    /// Items to leave out at the beginning.
    skip: u64,
    crew: Crew<I::Item>,
    failures: u64,
    progress: Option<Progress>,
    warmed: Warmed,
    /// Items that were taken so far.
    begun: u64,
    cache: Option<Cache>,
    refused: Option<Error>,
    is_over: bool,
}

// Nothing in it is pinned but what is behind a box.
impl<I: Iterator> Unpin for Warming<I> {}

impl<I> Warming<I>
where
    I: Iterator,
    I::Item: Future<Output = Step>,
{
    /// Begins items as long as there is room.
    fn begin(&mut self) {
        while self.crew.has_room()
            && let Some(items) = &mut self.items
        {
            let is_enough = self.refused.is_some() || self.warmed.failed >= self.failures;
            if is_enough {
                self.items = None;
                return;
            }
            while self.skip > 0 {
                self.skip -= 1;
                if items.next().is_none() {
                    self.items = None;
                    return;
                }
            }
            match items.next() {
                Some(item) => {
                    self.crew.add(self.begun, item);
                    self.begun += 1;
                }
                None => self.items = None,
            }
        }
    }

    fn done(&mut self, step: Step) {
        match step.what {
            What::Loaded => self.warmed.loaded += 1,
            What::Skipped => self.warmed.skipped += 1,
            What::Failed => self.warmed.failed += 1,
            What::Refused(error) => {
                self.refused.get_or_insert(error);
                return;
            }
        }
        self.cache = Some(step.cache);
        self.warmed.next = self.crew.first().unwrap_or(self.begun);
        if let Some(progress) = &mut self.progress {
            progress(&self.warmed);
        }
    }
}

impl<I> Future for Warming<I>
where
    I: Iterator,
    I::Item: Future<Output = Step>,
{
    type Output = Result<Warmed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        for _ in 0..TURN {
            this.begin();
            match this.crew.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(step)) => this.done(step),
                Poll::Ready(None) => {
                    this.tell();
                    return Poll::Ready(match this.refused.take() {
                        Some(error) => Err(error),
                        None => Ok(this.warmed),
                    });
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<I: Iterator> Warming<I> {
    fn tell(&mut self) {
        self.is_over = true;
        if let Some(cache) = &self.cache {
            let (function, warmed) = (self.site.path, &self.warmed);
            cache.inner.tell(|| Event::Warmed { function, warmed });
        }
    }
}

impl<I: Iterator> Drop for Warming<I> {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell();
        }
    }
}

impl<I: Iterator> fmt::Debug for Warming<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warming")
            .field("function", &self.site.path)
            .field("warmed", &self.warmed)
            .finish_non_exhaustive()
    }
}
