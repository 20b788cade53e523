//! All that every store must do, on every kind of Redis.

#![cfg(feature = "redis")]

#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::sync::Arc;

use larder::conformance::{self, Expect, Power, Subject};
use larder::runtime::{BoxFuture, Runtime, SystemRuntime};
use larder::store::{Address, Opening, Store, open};

struct Redis {
    url: String,
    expect: Expect,
}

impl Subject for Redis {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        Box::pin(async move {
            let mut address = Address::parse(&self.url)?;
            let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
            let store = open(&mut Opening {
                address: &mut address,
                prefix,
                runtime: &runtime,
            })?;
            address.finish()?;
            Ok(store)
        })
    }

    fn expect(&self) -> Expect {
        self.expect.clone()
    }
}

fn without_word(url: String) -> Redis {
    let expect = Expect::everything().unsupported(Power::Invalidations);
    Redis { url, expect }
}

#[tokio::test]
async fn a_server_alone() {
    let server = redis_server::alone();
    conformance::all(&without_word(format!("redis://{}", server.address()))).await;
    assert_eq!(
        left(&server),
        "",
        "nothing is left but what must outlive removals"
    );
}

#[tokio::test]
async fn a_server_that_tells_what_others_change() {
    let server = redis_server::alone();
    let url = format!("redis://{}/3?client_side=1", server.address());
    let expect = Expect::everything();
    conformance::all(&Redis { url, expect }).await;
}

#[test]
fn a_server_asked_by_threads_without_a_runtime() {
    let server = redis_server::alone();
    let subject = without_word(format!("redis://{}", server.address()));
    // Polls with nothing but parking.
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    let mut all = Box::pin(conformance::all(&subject));
    while all.as_mut().poll(&mut context).is_pending() {
        std::thread::park();
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[tokio::test]
async fn a_server_with_tls_and_users_who_may_touch_one_prefix_only() {
    let tls = redis_server::tls();
    let authority = servers::text(&tls.authority);
    let port = tls.server.port();
    // The suite's prefixes begin with this word.
    let user = "ACL SETUSER app on >s%c/ret ~conformance:* ~other-conformance:* ~tag* +@all -@dangerous -@admin";
    let mut arguments = vec!["--tls", "--cacert", &authority, "-h", "localhost"];
    arguments.extend(user.split(' '));
    redis_server::cli(port, &arguments);
    let url = format!(
        "rediss://app:s%25c%2Fret@localhost:{port}/0?ca_file={authority}&connect_timeout=20s"
    );
    conformance::all(&without_word(url)).await;
}

#[tokio::test]
async fn a_cluster() {
    let cluster = redis_server::Cluster::start(3, 0);
    conformance::all(&without_word(format!(
        "redis+cluster://{}?connect_timeout=20s",
        cluster.hosts()
    )))
    .await;
}

#[tokio::test]
async fn a_master_that_sentinels_watch() {
    let watched = redis_server::Watched::start();
    conformance::all(&without_word(format!(
        "redis+sentinel://{}?service=mymaster&connect_timeout=20s",
        watched.hosts()
    )))
    .await;
}

/// The names of entries and leases in the database.
fn left(server: &servers::Server) -> String {
    let all = "local left = {}
        for _, name in ipairs(redis.call('KEYS', '*')) do
            local kind = string.match(name, '\\255(.)')
            if kind == nil or kind == 'l' then left[#left + 1] = name end
        end
        return left";
    redis_server::cli(server.port(), &["--raw", "EVAL", all, "0"])
        .trim()
        .to_owned()
}
