//! Connections that are refused, stopped, cut, left by those who asked, and replaced.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use larder::ErrorKind;
use larder::store::memcached::Memcached;
use larder::store::{Removal, Store};

use crate::ask::{Asked, builder, hasty, until};
use crate::memcached_server;
use crate::proxy::Proxy;
use crate::servers::free_port;

#[tokio::test]
async fn who_is_not_there_is_unavailable_at_once_and_used_once_he_is() {
    let mut server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    store.put("a", b"1").await.unwrap();
    server.kill();
    let begun = Instant::now();
    for _ in 0..100 {
        let refused = store.value("a").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "refused, not waited for"
    );
    server.start_again();
    until("it is used again", async || store.value("a").await.is_ok()).await;
    assert_eq!(store.value("a").await.unwrap(), None, "it came back empty");
    store.put("a", b"2").await.unwrap();
    assert_eq!(store.value("a").await.unwrap().unwrap(), b"2");
}

#[tokio::test]
async fn a_stopped_server_holds_nobody_longer_than_the_limit() {
    let server = memcached_server::alone();
    let store = Arc::new(hasty(server.port()).build().unwrap());
    until("it is used", async || store.put("a", b"1").await.is_ok()).await;
    server.stop();
    let limit = Duration::from_millis(300);
    // Fifty that waited one after another would take fifteen seconds.
    let (begun, slack) = (Instant::now(), Duration::from_secs(5));
    let refused = store.value("a").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() < limit + slack, "{:?}", begun.elapsed());
    // It accepts connections all the same; the first answer does not come.
    let begun = Instant::now();
    let cold = (0..50).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.value(&format!("cold:{number}")).await })
    });
    for asked in cold.collect::<Vec<_>>() {
        assert!(asked.await.unwrap().is_err());
    }
    assert!(begun.elapsed() < limit + slack, "{:?}", begun.elapsed());
    server.resume();
    until("it is used again", async || store.value("a").await.is_ok()).await;
    assert_eq!(store.value("a").await.unwrap().unwrap(), b"1");
}

#[tokio::test]
async fn one_dead_server_of_three_takes_only_its_own_keys() {
    let servers = [(); 2].map(|()| memcached_server::alone());
    let dead = free_port();
    let store = builder(servers[0].port())
        .server("127.0.0.1", servers[1].port())
        .server("127.0.0.1", dead)
        .build()
        .unwrap();
    let (mut kept, mut lost) = (0, Vec::new());
    for number in 0..300 {
        let key = format!("key:{number}");
        match store.put(&key, b"1").await {
            Ok(_) => {
                kept += 1;
                assert!(store.value(&key).await.unwrap().is_some());
                // Leases do not depend on the server of the epoch.
                let lease = store.lease(&key).await.unwrap();
                assert!(store.fill_one(&key, b"2", &lease).await.unwrap());
            }
            Err(refused) => {
                assert_eq!(refused.kind(), ErrorKind::Unavailable);
                lost.push(key);
            }
        }
    }
    assert!((100..=280).contains(&kept), "{kept} of 300");
    assert!(store.value(&lost[0]).await.is_err());
    store.ping().await.unwrap();
    let cleared = store.remove(&Removal::Prefix("")).await;
    assert_eq!(cleared.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn whoever_stops_waiting_leaves_the_connection_in_step() {
    let server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    for number in 0..50_u32 {
        let value = vec![number as u8; 10 + 3_000 * number as usize];
        store.put(&format!("k{number}"), &value).await.unwrap();
    }
    let mut seed = 1_u64;
    for round in 0..400_u32 {
        let keys: Vec<String> = (0..4).map(|n| format!("k{}", (round + n) % 50)).collect();
        for key in &keys[1..] {
            let mut asked = Box::pin(store.value(key));
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for _ in 0..seed >> 62 {
                let mut context = Context::from_waker(Waker::noop());
                if asked.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let number = round % 50;
        let value = store.value(&keys[0]).await.unwrap().unwrap();
        assert!(value == vec![number as u8; 10 + 3_000 * number as usize]);
    }
}

#[tokio::test]
async fn cut_anywhere_nothing_is_served_that_was_not_written() {
    let server = memcached_server::alone();
    let proxy = Proxy::to(server.port());
    let store = builder(proxy.port()).build().unwrap();
    let direct = builder(server.port()).build().unwrap();
    let mut written: Vec<Vec<u8>> = Vec::new();
    let mut failed = 0;
    for round in 0..400_u32 {
        proxy.cut_after(u64::from(round) * 7 % 1_511);
        let value = vec![round as u8; 20 + round as usize % 400];
        let put = store.put("a", &value).await;
        failed += u32::from(put.is_err());
        match put {
            Ok(_) => written = vec![value],
            Err(_) => written.push(value),
        }
        match store.value("a").await {
            Ok(Some(found)) => assert!(written.contains(&found), "round {round}"),
            Ok(None) => assert!(written.len() > 1 || round == 0, "round {round}"),
            Err(_) => failed += 1,
        }
        let lease = store.lease("b").await;
        direct.remove_one("b").await.unwrap();
        if let Ok(lease) = lease {
            // Lost, whatever becomes of the connection.
            assert!(!matches!(store.fill_one("b", b"x", &lease).await, Ok(true)));
        }
        assert_eq!(direct.value("b").await.unwrap(), None);
        proxy.cut_after(u64::MAX);
        until("the next connection", async || store.ping().await.is_ok()).await;
    }
    assert!(failed > 100, "only {failed} were cut");
}

#[test]
fn a_store_outlives_the_runtime_in_which_it_was_built() {
    let server = memcached_server::alone();
    let runtime = |_| {
        let mut building = tokio::runtime::Builder::new_current_thread();
        building.enable_all().build().unwrap()
    };
    let [first, second] = [0, 1].map(runtime);
    let store = first.block_on(async {
        let store = builder(server.port()).build().unwrap();
        store.put("a", b"1").await.unwrap();
        store
    });
    drop(first);
    let value = second.block_on(store.value("a")).unwrap();
    assert_eq!(value.unwrap(), b"1");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    store.put("a", b"1").await.unwrap();
    store.close().await.unwrap();
    let refused = store.value("a").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Closed);
    let port = server.port();
    let gone = || memcached_server::statistic(port, "curr_connections") <= 2;
    crate::servers::eventually("its connection is gone", gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_connection_and_get_their_own_answers() {
    let server = memcached_server::alone();
    let store = Arc::new(builder(server.port()).build().unwrap());
    let tasks = (0..64_u32).map(|task| {
        let store: Arc<Memcached> = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..50_u32 {
                let key = format!("{task}:{round}");
                let value = vec![task as u8; (round * 97) as usize];
                store.put(&key, &value).await.unwrap();
                assert!(store.value(&key).await.unwrap().unwrap() == value);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let made = memcached_server::statistic(server.port(), "total_connections");
    assert!(made < 10, "{made} connections");
}
