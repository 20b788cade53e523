//! Finding out whether a store is back, with nobody waiting.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::inner::Inner;
use crate::runtime::Task;
use crate::store::Notice;
use crate::store::wait::within;

/// Waits, probes, and waits longer, until the store answers and has removed what is owed.
pub(super) fn spawn(inner: &Arc<Inner>, span: Duration) {
    let (runtime, weak) = (Arc::clone(&inner.runtime), Arc::downgrade(inner));
    let probe = {
        let runtime = Arc::clone(&runtime);
        async move {
            let mut span = span;
            loop {
                runtime.sleep(jittered(span, runtime.random())).await;
                match attempt(&weak).await {
                    Some(next) => span = next,
                    None => return,
                }
            }
        }
    };
    runtime.spawn(Task::Chore(Box::pin(probe)));
}

/// From four fifths to six fifths: many processes that lost one server do not come back in step.
fn jittered(span: Duration, random: u64) -> Duration {
    let share = random as f64 / 2.0_f64.powi(64);
    span.mul_f64(0.8 + 0.4 * share)
}

/// How long to wait before the next one; `None` when there is none.
async fn attempt(inner: &Weak<Inner>) -> Option<Duration> {
    let inner = inner.upgrade()?;
    if inner.is_closed.load(Ordering::Acquire) {
        return None;
    }
    inner.breaker.lock().half_open();
    inner.tell(Notice::HalfOpen);
    if answers(&inner).await {
        inner.breaker.lock().close();
        inner.tell(Notice::Closed);
        return None;
    }
    let span = inner.breaker.lock().open(&inner.knobs);
    inner.tell(Notice::Opened { wait: span });
    Some(span)
}

async fn answers(inner: &Inner) -> bool {
    for _ in 0..inner.knobs.successes.max(1) {
        let limit = inner.runtime.sleep(inner.knobs.timeout);
        if !matches!(within(limit, inner.store.ping()).await, Some(Ok(()))) {
            return false;
        }
    }
    let limit = inner.runtime.sleep(inner.knobs.sweep);
    matches!(within(limit, inner.settle()).await, Some(Ok(())))
}
