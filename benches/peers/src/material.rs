//! What all subjects share: the source, the values, the keys and the runtime.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::case::{KEYS, TTL_SECONDS};

pub const TTL: Duration = Duration::from_secs(TTL_SECONDS);

static LOADS: AtomicU64 = AtomicU64::new(0);

/// How often any source has run since the last call.
pub fn take_loads() -> u64 {
    LOADS.swap(0, Relaxed)
}

/// The trivial source.
#[inline]
pub fn load(id: u64) -> u64 {
    LOADS.fetch_add(1, Relaxed);
    id.wrapping_mul(3)
}

/// The source that a herd waits for: slow enough for all to arrive before it ends.
pub async fn load_slowly(id: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(20)).await;
    load(id)
}

/// A value that nobody would copy: it is cached behind an `Arc`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payload {
    pub id: u64,
    pub name: String,
    pub mail: String,
}

pub fn load_payload(id: u64) -> Payload {
    Payload {
        id: load(id),
        name: format!("name {id}"),
        mail: format!("{id}@example.com"),
    }
}

pub fn load_arc(id: u64) -> Arc<Payload> {
    Arc::new(load_payload(id))
}

/// `user:{id}` on the stack: how a careful user renders a key that is borrowed for the lookup only.
#[inline(always)]
pub fn render(id: u64) -> ArrayString<64> {
    let mut key = ArrayString::new();
    key.push_str("user:");
    key.push_str(itoa::Buffer::new().format(id));
    key
}

/// `user:{name}` on the stack.
#[inline(always)]
pub fn render_name(name: &str) -> ArrayString<64> {
    let mut key = ArrayString::new();
    key.push_str("user:");
    key.push_str(name);
    key
}

/// Prepared keys: one for every number that a hit case asks for.
pub fn prepared() -> &'static [String] {
    static KEYS_TEXT: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..2 * KEYS).map(|id| format!("user:{id}")).collect());
    &KEYS_TEXT
}

/// Prepared names: the `&str` arguments of the cases that take one.
pub fn names() -> &'static [String] {
    static NAMES: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..2 * KEYS).map(|id| format!("name-{id:05}")).collect());
    &NAMES
}

pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime with two workers starts")
    });
    &RUNTIME
}

/// Runs a whole loop of awaits on this thread, so that entering the runtime is not part of an operation.
pub fn drive<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}
