//! One process at a time writes: a lock of the store, held from run to run.

use std::future::Future;
use std::time::Duration;

use crate::cache::Inner;
use crate::codec::Wire;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key::Key;
use crate::store::wait::within;
use crate::store::{Acquired, Locks};

/// A tenure is not shorter than this: a store that is slow for a moment must not change who writes.
const SHORTEST: Duration = Duration::from_secs(2);

/// No answer of a store is waited for longer, however long a tenure is: a shutdown waits too, for ten seconds.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// The right of this process to write a key.
#[derive(Debug)]
pub(super) struct Tenure {
    key: Key,
    name: String,
    owner: String,
    span: Duration,
    standing: Option<Standing>,
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// This process.
    Mine,
    /// Another one, for at most this long unless it goes on.
    Others(Duration),
}

impl Tenure {
    /// `None` when no other process can meet this one: there is no store, or values do not leave the process.
    pub(super) fn new(
        inner: &Inner,
        key: &Key,
        wire: &Wire,
        every: Option<Duration>,
    ) -> Option<Self> {
        let outside = inner.outside_for(wire)?;
        let every = every?;
        if outside.store.locks().is_none() {
            let message = format!(
                "each process that starts the schedule of `{key}` runs it: {} has no locks to choose one by",
                outside.store.name()
            );
            inner.tell(|| Event::Advice {
                id: "background-without-locks",
                message: &message,
            });
            return None;
        }
        Some(Self {
            key: key.clone(),
            name: format!("{}background:{}", inner.prefix, inner.bare(key.as_str())),
            owner: format!("{:016x}", inner.runtime.random() | 1),
            // Longer than the time from run to run, shorter than the life of what is kept, which is twice that.
            span: (every * 3 / 2).max(SHORTEST),
            standing: None,
        })
    }

    /// After what time it has to be held anew while a run goes on.
    pub(super) fn renewal(&self) -> Duration {
        self.span / 3
    }

    fn locks(inner: &Inner) -> Option<&dyn Locks> {
        inner.outside.as_ref()?.store.locks()
    }

    /// Takes it, or goes on holding it.
    ///
    /// A store that cannot be asked does not stop the runs: it still decides about each fill.
    pub(super) async fn hold(&mut self, inner: &Inner) -> Standing {
        let Some(locks) = Self::locks(inner) else {
            return Standing::Mine;
        };
        let acquired = locks.acquire(&self.name, &self.owner, self.span);
        let standing = match self.bounded(inner, "lock", acquired).await {
            Ok(Acquired::Held { .. }) => Standing::Mine,
            Ok(Acquired::Taken { left }) => Standing::Others(left),
            Err(error) => {
                if let Some(outside) = &inner.outside {
                    inner.store_failed(outside, self.key.as_str(), &error);
                }
                return Standing::Mine;
            }
        };
        let is_mine = standing == Standing::Mine;
        let was_mine = self.standing.map(|before| before == Standing::Mine);
        self.standing = Some(standing);
        if was_mine != Some(is_mine) {
            let key = self.key.as_str();
            inner.tell(|| match is_mine {
                true => Event::Writing { key },
                false => Event::StandingBy { key },
            });
        }
        standing
    }

    /// Gives it back, so that another process need not wait for its end.
    pub(super) async fn give_back(&self, inner: &Inner) {
        if self.standing != Some(Standing::Mine) {
            return;
        }
        if let Some(locks) = Self::locks(inner)
            && let Err(error) = self
                .bounded(inner, "unlock", locks.release(&self.name, &self.owner))
                .await
            && let Some(outside) = &inner.outside
        {
            inner.store_failed(outside, self.key.as_str(), &error);
        }
    }

    /// A store that does not answer is one that cannot be asked.
    async fn bounded<T>(
        &self,
        inner: &Inner,
        operation: &'static str,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let late = || Error::new(ErrorKind::Timeout, operation, "no answer from the store");
        let limit = inner.runtime.sleep(self.renewal().min(LONGEST_ANSWER));
        within(limit, answer).await.unwrap_or_else(|| Err(late()))
    }
}
