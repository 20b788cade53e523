//! `rate_limit`: so many calls in a time.

use std::time::Duration;

use super::{Asking, Guard, Outage, Pass, Reason, Refused};
use crate::error::{Error, ErrorKind};
use crate::policy::{FOREVER, Fault, IntoSpan, Lit, Span};
use crate::runtime::BoxFuture;
use crate::store::{Quota, Window, Windows};

/// Lets so many calls through in a time.
///
/// What is counted is counted in one step for all who share the store, on the store's clock. Refused calls do not count.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::guard::{RateLimit, Window};
///
/// let cache = larder::Cache::builder().build()?;
/// let limit = RateLimit::new(1, "1m").window(Window::Gcra).ban("10m");
/// let send = || async { Ok::<_, larder::Error>("sent") };
/// assert_eq!(cache.guard(&limit, "ada", send).await?, "sent");
/// assert_eq!(cache.guard(&limit, "ada", send).await.unwrap_err().kind(), larder::ErrorKind::Refused);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
///
/// Two limits with different times count apart, also under one key: ten a second and a hundred a minute stand on each other. A limit that is changed goes on counting where it was.
///
/// # Errors
/// [`Reason::Limited`] and [`Reason::Banned`], with how long to wait; [`Reason::Unavailable`] when the store cannot be asked and the guard is
/// [`Closed`](Outage::Closed) then; [`Reason::Misconfigured`] for knobs out of range, and for a store that cannot count.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    limit: u64,
    per: u64,
    window: Window,
    ban: Option<u64>,
    outage: Outage,
    fault: Option<&'static str>,
}

/// What a sliding window may remember of one key, in calls.
const MOST: u64 = 65_536;

const NO_CALLS: &str = "a limit is at least one call";
const INCOMPLETE: &str =
    "say how many calls in how long: `#[rate_limit(limit = 10, per = \"1m\")]`";
const TOO_MANY: &str = "a sliding window remembers each of its calls, up to 65536: for a greater limit say `window = \"gcra\"` or `window = \"fixed\"`";

impl RateLimit {
    /// So many calls in so long, in a [sliding window](Window::Sliding).
    pub fn new(limit: u64, per: impl IntoSpan) -> Self {
        RateLimitKnobs::new().0.limit(limit).per(per)
    }

    /// How many calls are let through. At least one; in a sliding window at most 65 536.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        if limit == 0 {
            self.fault = Some(NO_CALLS);
        }
        self.limit = limit;
        self
    }

    /// In how long.
    #[must_use]
    pub fn per(mut self, span: impl IntoSpan) -> Self {
        self.per = self.finite(span);
        self
    }

    /// How calls are counted. Default [`Window::Sliding`].
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Keeps a key out for so long from its first call over the limit on. Refused calls do not make it longer.
    #[must_use]
    pub fn ban(mut self, span: impl IntoSpan) -> Self {
        self.ban = Some(self.finite(span));
        self
    }

    /// What happens when the store cannot be asked. Default [`Outage::Open`].
    #[must_use]
    pub fn on_outage(mut self, outage: Outage) -> Self {
        self.outage = outage;
        self
    }

    fn finite(&mut self, span: impl IntoSpan) -> u64 {
        let fault = match span.into_span() {
            Ok(Span(FOREVER)) => Fault::ForeverNotHere,
            Ok(Span(span)) => return span,
            Err(fault) => fault,
        };
        self.fault = Some(fault.message());
        0
    }

    /// What is wrong with the knobs, taken together.
    const fn contradiction(&self) -> Option<&'static str> {
        if self.fault.is_some() {
            return self.fault;
        }
        if self.limit == 0 || self.per == 0 {
            return Some(INCOMPLETE);
        }
        if self.limit > MOST && matches!(self.window, Window::Sliding) {
            return Some(TOO_MANY);
        }
        None
    }

    fn quota(&self) -> Quota {
        let quota = Quota::new(self.limit, Duration::from_nanos(self.per)).window(self.window);
        match self.ban {
            Some(ban) => quota.ban(Duration::from_nanos(ban)),
            None => quota,
        }
    }

    async fn ask(&self, asking: &Asking) -> Result<Pass, Refused> {
        let misconfigured = |why| asking.refuse(Reason::Misconfigured).because(why);
        if let Some(fault) = self.contradiction() {
            return Err(misconfigured(Error::invalid("rate_limit", fault)));
        }
        let ground = asking.ground();
        let windows: &dyn Windows = match ground.store() {
            None => ground.here(),
            Some(store) => store.windows().ok_or_else(|| {
                let why = "it cannot count calls: give the guard another cache, with `cache = ..`";
                misconfigured(Error::unsupported("rate_limit", store.name(), why))
            })?,
        };
        // After the last `/` stands a number only, so this meets no other key.
        let key = format!("{}/{}", asking.key(), self.per);
        let admission = match windows.admit(&key, &self.quota()).await {
            Ok(admission) => admission,
            // No outage: it will never be otherwise.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                return Err(misconfigured(error));
            }
            Err(error) => return asking.failed(&error, self.outage).map(|()| Pass::free()),
        };
        let reason = match (admission.admitted, admission.banned) {
            (true, _) => return Ok(Pass::free()),
            (false, true) => Reason::Banned,
            (false, false) => Reason::Limited,
        };
        Err(asking.refuse(reason).retry_after(admission.retry_after))
    }
}

impl Guard for RateLimit {
    fn name(&self) -> &'static str {
        "rate_limit"
    }

    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>> {
        Box::pin(self.ask(asking))
    }
}

/// The knobs of `#[rate_limit]`, evaluated by the compiler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct RateLimitKnobs(RateLimit);

#[doc(hidden)]
#[allow(clippy::new_without_default)]
impl RateLimitKnobs {
    #[must_use]
    pub const fn new() -> Self {
        Self(RateLimit {
            limit: 0,
            per: 0,
            window: Window::Sliding,
            ban: None,
            outage: Outage::Open,
            fault: None,
        })
    }

    #[track_caller]
    #[must_use]
    pub const fn limit(mut self, value: Lit) -> Self {
        self.0.limit = value.count();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn per(mut self, value: Lit) -> Self {
        self.0.per = value.finite();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn window(mut self, value: Lit) -> Self {
        self.0.window = value.window();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn ban(mut self, value: Lit) -> Self {
        self.0.ban = Some(value.finite());
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn on_outage(mut self, value: Lit) -> Self {
        self.0.outage = value.outage();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn finish(self) -> RateLimit {
        if let Some(fault) = self.0.contradiction() {
            panic!("{}", fault);
        }
        self.0
    }

    /// Some knobs are expressions and come later.
    #[must_use]
    pub const fn finish_open(self) -> RateLimit {
        self.0
    }
}
