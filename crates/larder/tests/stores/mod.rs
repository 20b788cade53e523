//! What tests of stores share: the store without a server as a subject, bare or wrapped, and short words for operations.

// Each test takes what it needs.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::conformance::{Expect, Subject};
use larder::runtime::{BoxFuture, Runtime};
use larder::store::*;
use larder::testing::{MemoryStore, Simulation};

/// A store made of connections to one place.
type Wrap = dyn Fn(&Memory, &str) -> Arc<dyn Store> + Send + Sync;

/// The store without a server, in a simulation of its own.
pub(crate) struct Memory {
    pub(crate) simulation: Simulation,
    pub(crate) place: MemoryStore,
    more: Mutex<Vec<MemoryStore>>,
    wrap: Box<Wrap>,
    expect: Expect,
}

impl Memory {
    pub(crate) fn new(seed: u64) -> Self {
        Self::wrapped(seed, |memory, prefix| Arc::new(memory.place.within(prefix)))
    }

    pub(crate) fn wrapped(
        seed: u64,
        wrap: impl Fn(&Self, &str) -> Arc<dyn Store> + Send + Sync + 'static,
    ) -> Self {
        let simulation = Simulation::new(seed);
        Self {
            place: MemoryStore::new(simulation.runtime()),
            more: Mutex::default(),
            simulation,
            wrap: Box::new(wrap),
            expect: Expect::everything(),
        }
    }

    pub(crate) fn expecting(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }

    /// Another place, the same one for the same number.
    pub(crate) fn place(&self, number: usize) -> MemoryStore {
        let mut more = self.more.lock().unwrap();
        while more.len() <= number {
            more.push(MemoryStore::new(self.simulation.runtime()));
        }
        more[number].clone()
    }

    pub(crate) fn guarded(&self, store: impl Store) -> Arc<dyn Store> {
        Arc::new(Guarded::builder(Arc::new(store), self.simulation.runtime()).build())
    }

    pub(crate) fn conforms(&self) {
        self.simulation.block_on(larder::conformance::all(self));
    }
}

/// The present of a simulation in milliseconds since 1970-01-01 UTC.
pub(crate) fn wall(simulation: &Simulation) -> u64 {
    1_800_000_000_000 + simulation.clock().now().as_nanos() / 1_000_000
}

impl Subject for Memory {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        let store = (self.wrap)(self, prefix);
        Box::pin(async move { Ok(store) })
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.simulation.sleep(time)
    }

    fn now(&self) -> u64 {
        wall(&self.simulation)
    }

    fn expect(&self) -> Expect {
        self.expect.clone()
    }
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) async fn put(store: &dyn Store, key: &str, bytes: &[u8]) -> larder::Result<bool> {
    put_if(store, key, bytes, Condition::Always).await
}

pub(crate) async fn put_if(
    store: &dyn Store,
    key: &str,
    bytes: &[u8],
    condition: Condition,
) -> larder::Result<bool> {
    let life = Some(secs(3_600));
    let write = Write {
        key,
        bytes,
        life,
        condition,
    };
    Ok(store.write(&[write]).await?[0])
}

pub(crate) fn question(key: &str, ask: Ask) -> Read<'_> {
    Read {
        key,
        ask,
        tags: &[],
        lease: secs(60),
        life: Some(secs(3_600)),
        now: 1_800_000_000_000,
    }
}

pub(crate) async fn get(store: &dyn Store, key: &str) -> larder::Result<Option<Vec<u8>>> {
    let mut found = store.read(&[question(key, Ask::Entry)]).await?;
    Ok(found.remove(0).bytes)
}

pub(crate) async fn lease(store: &dyn Store, key: &str) -> larder::Result<Token> {
    let mut found = store.read(&[question(key, Ask::EntryAndLease)]).await?;
    Ok(found.remove(0).lease.expect("EntryAndLease gives a lease"))
}

pub(crate) async fn fill(
    store: &dyn Store,
    key: &str,
    bytes: &[u8],
    lease: &Token,
) -> larder::Result<bool> {
    let life = Some(secs(3_600));
    let fill = Fill {
        key,
        bytes,
        life,
        lease,
    };
    Ok(store.fill(&[fill]).await?[0])
}

pub(crate) async fn forget(store: &dyn Store, key: &str) -> larder::Result<u64> {
    store.remove(&Removal::Keys(&[key])).await
}

/// Writes down what it is told.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    /// What it was told since it was last asked, each as the name of the notice.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Notices for Log {
    fn notice(&self, store: &str, what: Notice<'_>) {
        assert!(!store.is_empty());
        let told = match what {
            Notice::Failed { operation, .. } => format!("failed {operation}"),
            Notice::TimedOut { operation, .. } => format!("timed out {operation}"),
            Notice::Opened { wait } => format!("opened {}", wait.as_secs()),
            Notice::HalfOpen => "half open".into(),
            Notice::Closed => "closed".into(),
            Notice::RemovalRemembered { owed } => format!("remembered {owed}"),
            Notice::RemovalsApplied { count } => format!("applied {count}"),
            Notice::RemovalsCollapsed { count, prefix } => {
                format!("collapsed {count} into `{prefix}`")
            }
            Notice::RemovalsLost { count, .. } => format!("lost {count}"),
            Notice::Skipped { operation, .. } => format!("skipped in {operation}"),
            _ => "unknown".into(),
        };
        self.0.lock().unwrap().push(told);
    }
}
