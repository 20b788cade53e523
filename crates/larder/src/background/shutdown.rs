//! Ending schedules.

use std::future::IntoFuture;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::{Cache, Inner, Schedule};
use crate::engine::within;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{FOREVER, Fault, IntoSpan, Span};
use crate::runtime::{BoxFuture, Timestamp, block_on};

/// The caches that have had schedules.
static KNOWN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

pub(super) fn known(inner: &Arc<Inner>) {
    let mut known = KNOWN.lock();
    known.retain(|cache| cache.strong_count() > 0);
    if !known
        .iter()
        .any(|cache| cache.as_ptr() == Arc::as_ptr(inner))
    {
        known.push(Arc::downgrade(inner));
    }
}

/// How long a shutdown waits, unless it is told.
const LIMIT: u64 = 10_000_000_000;

/// Ending schedules, before it is awaited.
#[derive(Debug)]
#[must_use = "nothing is stopped before it is awaited, or driven with `wait`"]
pub struct Shutdown {
    caches: Vec<Cache>,
    limit: Result<Span, Fault>,
}

/// Ends the schedules of all caches of this process. See [`Cache::shutdown`].
pub fn shutdown() -> Shutdown {
    let caches = KNOWN
        .lock()
        .iter()
        .filter_map(Weak::upgrade)
        .collect::<Vec<_>>();
    Shutdown::new(caches.into_iter().map(Cache::of).collect())
}

impl Cache {
    /// Ends all schedules of this cache, also when it is asked of a view, and waits until their runs in progress have ended. Awaited, or driven with [`wait`](Shutdown::wait).
    ///
    /// What is kept stays, and calls still load what is not. Another process takes over at once. Schedules can be started anew afterwards.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let cache = larder::Cache::builder().build()?;
    /// cache.shutdown().within("5s").await?;
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when a run goes on past the limit; no other begins after it. [`ErrorKind::InvalidPolicy`] for a bad limit.
    pub fn shutdown(&self) -> Shutdown {
        Shutdown::new(vec![self.clone()])
    }
}

impl Shutdown {
    fn new(caches: Vec<Cache>) -> Self {
        Self {
            caches,
            limit: Ok(Span(LIMIT)),
        }
    }

    /// How long to wait for runs in progress. Default 10 s.
    pub fn within(mut self, span: impl IntoSpan) -> Self {
        self.limit = span.into_span();
        self
    }

    /// Shuts down on this thread.
    ///
    /// # Errors
    /// As [`Cache::shutdown`].
    pub fn wait(self) -> Result<()> {
        block_on(self.run())
    }

    async fn run(self) -> Result<()> {
        let fault =
            |fault: Fault| Error::new(ErrorKind::InvalidPolicy, "shutdown", fault.message());
        let Span(limit) = self.limit.map_err(fault)?;
        let all = self.caches.into_iter().map(|cache| {
            let until = match limit {
                FOREVER => Timestamp::NEVER,
                limit => cache.inner.clock.now().after(Duration::from_nanos(limit)),
            };
            let schedules = cache.inner.schedules.all();
            schedules.iter().for_each(|schedule| schedule.stop());
            (cache, schedules, until)
        });
        // All are stopped before the first is waited for.
        let all: Vec<_> = all.collect();
        let mut late: Vec<String> = Vec::new();
        for (cache, schedules, until) in &all {
            for schedule in schedules {
                let ended = within(&cache.inner, *until, schedule.ended()).await;
                if ended.is_none() {
                    late.push(name(cache, schedule));
                }
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        let message = format!(
            "still running: {}; bound the source with `load_limit`, or wait longer with `within`",
            late.join(", ")
        );
        Err(Error::new(ErrorKind::Timeout, "shutdown", message))
    }
}

fn name(cache: &Cache, schedule: &Schedule) -> String {
    match &schedule.writes {
        Some(key) => format!("`{}`", cache.inner.bare(key.as_str())),
        None => "a reader".to_owned(),
    }
}

impl IntoFuture for Shutdown {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
