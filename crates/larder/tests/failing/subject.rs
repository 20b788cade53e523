//! The servers that all tests of outages are done with, and what stands before them.

use crate::servers::Server;
use crate::{memcached_server, redis_server};

/// A server and how a cache uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    /// Memory before Redis.
    Hybrid,
    /// Copies in memory that Redis keeps true.
    ClientSide,
    Memcached,
}

pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) server: Server,
}

impl Subject {
    pub(crate) fn start(kind: Kind) -> Self {
        let server = match kind {
            Kind::Memcached => memcached_server::alone(),
            _ => redis_server::alone(),
        };
        Self { kind, server }
    }

    pub(crate) fn name(&self) -> String {
        format!("{:?}", self.kind)
    }

    pub(crate) fn url(&self) -> String {
        self.url_by(self.server.port())
    }

    /// By way of another port.
    pub(crate) fn url_by(&self, port: u16) -> String {
        match self.kind {
            Kind::Redis => format!("redis://127.0.0.1:{port}/0?prefix=f:"),
            Kind::Hybrid => format!("redis://127.0.0.1:{port}/0?prefix=f:&memory_ttl=10m"),
            Kind::ClientSide => format!("redis://127.0.0.1:{port}/0?prefix=f:&client_side=1"),
            Kind::Memcached => format!("memcached://127.0.0.1:{port}?prefix=f:"),
        }
    }
}

/// Does the same with each of them, at once: most of the time is waiting.
pub(crate) fn on_each<F: Future<Output = ()>>(test: impl Fn(Subject) -> F + Sync) {
    let kinds = [Kind::Redis, Kind::Hybrid, Kind::ClientSide, Kind::Memcached];
    std::thread::scope(|threads| {
        let test = &test;
        let all = kinds.map(|kind| threads.spawn(move || drive(test(Subject::start(kind)))));
        for (kind, one) in kinds.iter().zip(all) {
            assert!(one.join().is_ok(), "{kind:?} failed, see above");
        }
    });
}

/// On a runtime with one thread.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}
