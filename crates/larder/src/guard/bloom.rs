//! `bloom`: no call for what is certainly not there.

use std::borrow::Cow;
use std::time::Duration;

use super::{Asking, Ground, Guard, Outage, Pass, Reason, Refused};
use crate::error::{Error, ErrorKind, Result};
use crate::key::KeyBuf;
use crate::policy::{FOREVER, IntoShare, IntoSpan, Span};
use crate::runtime::BoxFuture;

mod answers;
mod fill;
mod filter;
mod knobs;
mod size;

pub use answers::{
    AnswerByRefusal, AnswerWithoutRefusal, Answers, AnswersOf, SaysNo, SaysYes, answers_of_value,
    carries, says_no, says_yes,
};
pub(crate) use filter::{Filter, Said};
pub use knobs::BloomKnobs;
use size::Size;

/// A [Bloom filter](https://doi.org/10.1145/362686.362692): a set that answers "certainly not" or "maybe".
///
/// It has a name, and all filters of one name, size and cache prefix are one filter: in the store of the cache if it has one, so that processes share it, else in this process.
/// What was added stays until [`reset`](Self::reset) or the end of its [`ttl`](Self::ttl): single keys cannot be taken out.
///
/// A filter says "no" only after [`ready`](Self::ready): before that, and after the store has lost it, everything is "maybe". Somebody who adds one new key therefore never
/// rules out all the old ones.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::guard::Bloom;
///
/// let cache = larder::Cache::builder().build()?;
/// let users = Bloom::new("users", 100_000, "1%");
/// users.add_many(&cache, ["ada", "grace"]).await?;
/// assert!(users.may_contain(&cache, "nobody").await?); // maybe: nobody has said that these are all
/// users.ready(&cache).await?;
/// assert!(users.may_contain(&cache, "ada").await?);
/// assert!(!users.may_contain(&cache, "nobody").await?);
///
/// // As a guard it refuses what is certainly not there.
/// let load = || async { Ok::<_, larder::Error>("a row") };
/// assert!(cache.guard(&users, "ada", load).await.is_ok());
/// assert!(cache.guard(&users, "nobody", load).await.is_err());
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Bloom {
    name: Cow<'static, str>,
    settings: Settings,
}

/// All but the name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    capacity: u64,
    /// In parts of a million.
    share: u32,
    mode: Mode,
    place: Place,
    outage: Outage,
    /// In nanoseconds.
    ttl: u64,
    /// What is wrong with it, and the mend.
    fault: Option<&'static str>,
}

/// What "maybe" leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A call.
    Checked,
    /// `true`, without a call, of a filter that is ready.
    Unchecked,
    /// Two filters, filled by the function's own answers.
    Pair,
}

/// Where the bits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the store, if the cache has one.
    Store,
    /// In this process.
    Process,
}

impl Bloom {
    /// A filter of this name for so many keys, of which so many others are "maybe" at most once it holds them: `"1%"`, or `0.01`.
    ///
    /// A filter of another capacity or share is another filter, and empty. Bits for each key: 1.44 for each halving of the share, so about 10 for 1 %, and 15 for 0.1 %.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        capacity: u64,
        false_positives: impl IntoShare,
    ) -> Self {
        let new = Self {
            name: name.into(),
            settings: Settings::new(),
        };
        new.capacity(capacity).false_positives(false_positives)
    }

    /// How many keys it is made for. At least one.
    #[must_use]
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.settings.capacity = capacity;
        self
    }

    /// How many of the keys that were not added are "maybe" at most, while it holds no more than its capacity.
    #[must_use]
    pub fn false_positives(mut self, share: impl IntoShare) -> Self {
        match share.into_share() {
            Ok(share) => self.settings.share = share,
            Err(fault) => self.settings.fault = Some(fault.message()),
        }
        self
    }

    /// Keeps the bits in this process, though the cache has a store.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.settings.place = Place::Process;
        self
    }

    /// How long it lives from its first key on; then it is empty, and not ready. Default: forever.
    #[must_use]
    pub fn ttl(mut self, span: impl IntoSpan) -> Self {
        match span.into_span() {
            Ok(Span(span)) => self.settings.ttl = span,
            Err(fault) => self.settings.fault = Some(fault.message()),
        }
        self
    }

    /// What a call does when the store cannot be asked. Default [`Outage::Open`].
    #[must_use]
    pub fn on_outage(mut self, outage: Outage) -> Self {
        self.settings.outage = outage;
        self
    }

    pub(crate) fn own_name(&self) -> KeyBuf {
        KeyBuf::from_text(&self.name)
    }
}

impl Bloom {
    /// This filter on a cache, by its name there.
    ///
    /// # Errors
    /// For a size that cannot be, and a store that keeps no bits.
    pub(crate) fn filter<'a>(
        &self,
        ground: &'a dyn Ground,
        prefix: &str,
        name: &KeyBuf,
    ) -> Result<Filter<'a>> {
        Filter::new(ground, self.settings, (prefix, name.as_str()))
    }

    pub(crate) fn mode(&self) -> Mode {
        self.settings.mode
    }

    pub(crate) fn outage(&self) -> Outage {
        self.settings.outage
    }
}

impl Settings {
    const fn new() -> Self {
        Self {
            capacity: 0,
            share: 0,
            mode: Mode::Checked,
            place: Place::Store,
            outage: Outage::Open,
            ttl: FOREVER,
            fault: None,
        }
    }

    const fn size(self) -> Result<Size, &'static str> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Size::of(self.capacity, self.share, self.mode),
        }
    }

    fn life(self) -> Option<Duration> {
        (self.ttl != FOREVER).then(|| Duration::from_nanos(self.ttl))
    }
}

/// Whether it is the setting-up that has to be mended, and not the store that is to come back.
pub(crate) fn is_misuse(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported | ErrorKind::InvalidPolicy
    )
}

impl Guard for Bloom {
    fn name(&self) -> &'static str {
        "bloom"
    }

    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>> {
        Box::pin(async move {
            let ground = &**asking.ground();
            let asked = match self.filter(ground, asking.prefix(), &self.own_name()) {
                Ok(filter) => filter.ask(asking.bare()).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(Said::No) => Err(asking.refuse(Reason::Absent)),
                Ok(_) => Ok(Pass::free()),
                Err(error) if is_misuse(&error) => {
                    Err(asking.refuse(Reason::Misconfigured).because(error))
                }
                Err(error) => asking
                    .failed(&error, self.settings.outage)
                    .map(|()| Pass::free()),
            }
        })
    }
}
