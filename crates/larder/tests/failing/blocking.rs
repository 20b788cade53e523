//! Sync cached functions: on threads without a runtime, and on a runtime's only thread.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::node::{BOUND, Node, Pair};
use crate::origin::{Origin, fresh};
use crate::subject::{drive, on_each};

/// Fails when `job` hangs: a deadlock would otherwise be a test that never ends.
fn in_time(what: &str, job: impl FnOnce() + Send) {
    let (tell, told) = channel();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            job();
            let _ = tell.send(());
        });
        if told.recv_timeout(Duration::from_secs(150)).is_err() {
            eprintln!("{what}: hangs or has failed");
            // A scope would wait for it for ever.
            std::process::exit(101);
        }
    });
}

#[test]
fn sync_callers_wait_no_longer_than_async_ones() {
    on_each(async |subject| {
        let name = subject.name();
        in_time(&name.clone(), move || {
            let (origin, node) = (Origin::new(), Node::new(&name, &subject.url()));
            let id = fresh();
            node.call_sync(&origin, id);
            node.call_sync(&origin, id);
            assert_eq!(origin.loads(), 1, "{name}");
            subject.server.stop();
            let began = std::time::Instant::now();
            std::thread::scope(|threads| {
                for _ in 0..20 {
                    threads.spawn(|| node.call_sync(&origin, fresh()));
                }
            });
            assert!(began.elapsed() < BOUND, "{name}: {:?}", began.elapsed());
            for _ in 0..20 {
                let took = node.call_sync(&origin, fresh());
                assert!(took < crate::node::LIMIT, "{name}: {took:?}");
            }
            subject.server.resume();
            drive(heals_sync(&node, &origin));
        });
    });
}

/// A sync caller reads what it has stored.
async fn heals_sync(node: &Node, origin: &Origin) {
    crate::servers::eventually("a hit", || {
        let before = node.cache.stats();
        let id = fresh();
        node.call_sync(origin, id);
        let loads = origin.loads();
        node.call_sync(origin, id);
        let since = node.cache.stats().since(&before);
        origin.loads() == loads && since.store_failures == 0
    });
}

#[test]
fn a_sync_function_on_the_only_thread_of_a_runtime_does_not_lock_it() {
    on_each(async |subject| {
        let name = subject.name();
        in_time(&name.clone(), move || {
            drive(async {
                let origin = Origin::new();
                // Built here: this runtime is where its connections are at home.
                let pair = Pair::new(&name, &subject.url());
                pair.warm(&origin).await;
                let id = fresh();
                pair.a.call_sync(&origin, id);
                let loads = origin.loads();
                pair.b.call_sync(&origin, id);
                assert_eq!(origin.loads(), loads, "{name}");
                subject.server.stop();
                for _ in 0..8 {
                    pair.a.call_sync(&origin, fresh());
                }
                pair.a.call(&origin, fresh()).await;
                subject.server.resume();
                heals_sync(&pair.a, &origin).await;
                pair.heals(&origin).await;
            });
        });
    });
}
