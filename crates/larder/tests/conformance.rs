//! The suite, run against the store without a server.

use std::sync::Arc;
use std::time::Duration;

use larder::conformance::{self, Subject};
use larder::runtime::{BoxFuture, Runtime};
use larder::store::Store;
use larder::testing::{MemoryStore, Simulation};

struct Memory(Simulation, MemoryStore);

impl Memory {
    fn new(seed: u64) -> Self {
        let simulation = Simulation::new(seed);
        let store = MemoryStore::new(simulation.runtime());
        Self(simulation, store)
    }
}

impl Subject for Memory {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        let store: Arc<dyn Store> = Arc::new(self.1.within(prefix));
        Box::pin(async move { Ok(store) })
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.0.sleep(time)
    }

    fn now(&self) -> u64 {
        1_800_000_000_000 + self.0.clock().now().as_nanos() / 1_000_000
    }
}

#[test]
fn a_store_in_memory_does_what_every_store_must() {
    let memory = Memory::new(1);
    memory.0.block_on(conformance::all(&memory));
}
