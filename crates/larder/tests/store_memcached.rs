//! Memcached does what every store must: on one server, on three, and with TLS.

#![cfg(feature = "memcached")]

#[path = "servers/memcached.rs"]
mod memcached_server;
#[path = "servers/mod.rs"]
mod servers;

use std::sync::Arc;
use std::time::Duration;

use larder::conformance::{self, Expect, Power, Subject};
use larder::runtime::BoxFuture;
use larder::store::Store;
use larder::store::memcached::{Builder, Memcached};
use servers::{Server, text};

struct Servers(Vec<Server>, fn(&[Server]) -> Builder);

fn builder(servers: &[Server]) -> Builder {
    let each = servers.iter();
    each.fold(Memcached::builder(), |builder, server| {
        builder.server("127.0.0.1", server.port())
    })
}

impl Subject for Servers {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        let Self(servers, builder) = self;
        Box::pin(async move {
            let store = builder(servers).prefix(prefix).build()?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }

    fn expect(&self) -> Expect {
        Expect::everything()
            .unsupported(Power::Scan)
            .unsupported(Power::Patterns)
            .unsupported(Power::Touch)
            .unsupported(Power::Windows)
            .unsupported(Power::Bits)
            .unsupported(Power::Invalidations)
            // Locks end by a clock that ticks once a second.
            .tick(Duration::from_secs(3))
            .largest(1024 * 1024 - 512)
    }
}

#[tokio::test]
async fn one_server_does_what_every_store_must() {
    conformance::all(&Servers(vec![memcached_server::alone()], builder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_do_what_every_store_must() {
    let servers = [(); 3].map(|()| memcached_server::alone());
    conformance::all(&Servers(servers.into(), builder)).await;
}

#[test]
fn a_thread_without_a_runtime_does_too() {
    let subject = Servers(vec![memcached_server::alone()], builder);
    parked(conformance::all(&subject));
}

#[tokio::test]
async fn a_server_with_tls_does_too() {
    let server = memcached_server::with_tls(&["-o", "ssl_verify_mode=2"]);
    let secret = |servers: &[Server]| {
        let file = |name: &str| text(&servers[0].place().directory.join(name));
        builder(servers)
            .authority(file("ca.pem"))
            .identity(file("client.pem"), file("client.key"))
    };
    conformance::all(&Servers(vec![server], secret)).await;
}

/// Drives a future with nothing but this thread.
fn parked<F: Future>(future: F) -> F::Output {
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
