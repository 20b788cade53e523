//! `rate_limit`: so many calls in a time.

use std::time::Duration;

use super::{Asking, Guard, Outage, Pass, Reason, Refused};
use crate::error::{Error, Result};
use crate::policy::{Fault, IntoSpan, Lit, Span};
use crate::runtime::BoxFuture;
use crate::store::Windows;

/// Lets so many calls through in a time.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::guard::RateLimit;
///
/// let cache = larder::Cache::builder().build()?;
/// let limit = RateLimit::new(1, "1m");
/// let send = || async { Ok::<_, larder::Error>("sent") };
/// assert_eq!(cache.guard(&limit, "ada", send).await?, "sent");
/// assert_eq!(cache.guard(&limit, "ada", send).await.unwrap_err().kind(), larder::ErrorKind::Refused);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    limit: u64,
    per: u64,
    outage: Outage,
    fault: Option<Fault>,
}

impl RateLimit {
    /// So many calls in so long.
    pub fn new(limit: u64, per: impl IntoSpan) -> Self {
        let new = RateLimitKnobs::new().0;
        new.limit(limit).per(per)
    }

    /// How many calls are let through. At least one.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        match limit {
            0 => self.fault = Some(Fault::NotACount),
            limit => self.limit = limit,
        }
        self
    }

    /// In how long.
    #[must_use]
    pub fn per(mut self, span: impl IntoSpan) -> Self {
        match span.into_span() {
            Ok(Span(span)) => self.per = span,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// What happens when the store cannot be asked. Default [`Outage::Open`].
    #[must_use]
    pub fn on_outage(mut self, outage: Outage) -> Self {
        self.outage = outage;
        self
    }
}

impl Guard for RateLimit {
    fn name(&self) -> &'static str {
        "rate_limit"
    }

    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>> {
        Box::pin(async move {
            if let Some(fault) = self.fault {
                let why = Error::invalid("rate_limit", fault.message());
                return Err(asking.refuse(Reason::Misconfigured).because(why));
            }
            let ground = asking.ground();
            let windows: &dyn Windows = match ground.store() {
                None => ground.here(),
                Some(store) => match store.windows() {
                    Some(windows) => windows,
                    None => {
                        let error =
                            Error::unsupported("rate_limit", store.name(), "it cannot count calls");
                        return Err(asking.refuse(Reason::Misconfigured).because(error));
                    }
                },
            };
            let per = Duration::from_nanos(self.per);
            match windows.admit(asking.key(), self.limit, per).await {
                Ok(admission) if admission.admitted => Ok(Pass::free()),
                Ok(admission) => {
                    let refused = asking.refuse(Reason::Limited);
                    Err(refused.retry_after(admission.retry_after))
                }
                Err(error) => asking.failed(&error, self.outage).map(|()| Pass::free()),
            }
        })
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
    pub const fn on_outage(mut self, value: Lit) -> Self {
        self.0.outage = value.outage();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn finish(self) -> RateLimit {
        if self.0.limit == 0 || self.0.per == 0 {
            panic!("say how many calls in how long: `#[rate_limit(limit = 10, per = \"1m\")]`");
        }
        self.0
    }

    /// Some knobs are expressions and come later.
    #[must_use]
    pub const fn finish_open(self) -> RateLimit {
        self.0
    }
}
