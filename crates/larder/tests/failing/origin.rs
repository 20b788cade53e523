//! The source of truth, and the cached functions that read it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{cached, invalidates};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

/// How long it takes to load.
pub(crate) const TAKES: Duration = Duration::from_millis(5);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) id: u64,
    pub(crate) version: u64,
    text: String,
}

/// Where values come from.
#[derive(Debug)]
pub(crate) struct Origin {
    version: AtomicU64,
    loads: AtomicU64,
    /// A load of [`held`] has begun.
    pub(crate) began: Notify,
    /// Lets loads of [`held`] end.
    pub(crate) go: Semaphore,
}

impl Origin {
    pub(crate) fn new() -> Self {
        Self {
            version: AtomicU64::new(1),
            loads: AtomicU64::new(0),
            began: Notify::new(),
            go: Semaphore::new(0),
        }
    }

    /// The version of everything now.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    fn load(&self, id: u64) -> Answer {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Answer::of(id, self.version())
    }
}

impl Answer {
    fn of(id: u64, version: u64) -> Self {
        let text = text(id);
        Self { id, version, text }
    }

    /// Whether it is what the source would have said at this version or later.
    pub(crate) fn is_right(&self, id: u64, version: u64) -> bool {
        self.id == id && self.version >= version && self.text == text(id)
    }
}

fn text(id: u64) -> String {
    format!("the answer to {id}, {}", "at some length ".repeat(8))
}

/// A key that nobody has asked for yet.
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cached(key = "answer:{id}", ttl = "10m", tags = ["answers"])]
pub(crate) async fn answer(origin: &Origin, id: u64) -> Answer {
    tokio::time::sleep(TAKES).await;
    origin.load(id)
}

#[cached(key = "sync:{id}", ttl = "10m")]
pub(crate) fn answer_sync(origin: &Origin, id: u64) -> Answer {
    std::thread::sleep(TAKES);
    origin.load(id)
}

/// Looks at the source, then waits until it may go on.
#[cached(key = "held:{id}", ttl = "10m")]
pub(crate) async fn held(origin: &Origin, id: u64) -> Answer {
    let seen = origin.load(id);
    origin.began.notify_one();
    let permit = origin.go.acquire().await;
    permit.expect("a gate that is not closed").forget();
    seen
}

/// With a tag that only the value tells.
#[cached(key = "late:{id}", ttl = "10m", tags = [|answer| format!("late {}", answer.id)])]
pub(crate) async fn late(origin: &Origin, id: u64) -> Answer {
    tokio::time::sleep(TAKES).await;
    origin.load(id)
}

#[invalidates(answer(id = id))]
pub(crate) async fn change(origin: &Origin, id: u64) {
    let _ = id;
    origin.version.fetch_add(1, Ordering::SeqCst);
}

#[invalidates(held(id = id))]
pub(crate) async fn change_held(origin: &Origin, id: u64) {
    let _ = id;
    origin.version.fetch_add(1, Ordering::SeqCst);
}

/// As [`change`], for all at once, by their tag.
#[invalidates(tags = ["answers"])]
pub(crate) async fn change_all(origin: &Origin) {
    origin.version.fetch_add(1, Ordering::SeqCst);
}

/// Would rather fail than ask its source without the store.
#[cached(key = "strict:{id}", ttl = "10m", strict)]
pub(crate) async fn strict(origin: &Origin, id: u64) -> larder::Result<Answer> {
    tokio::time::sleep(TAKES).await;
    Ok(origin.load(id))
}
