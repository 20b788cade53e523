//! What is told of an outage: to callers that want to know, and to observers.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use larder::store::Notice;
use larder::{Cache, ErrorKind, Event, scope};

use crate::node::{BOUND, LIMIT, Pair, SLACK};
use crate::origin::{Origin, fresh, strict};
use crate::servers::eventually;
use crate::subject::on_each;

#[test]
fn a_strict_function_fails_in_time_and_leaves_its_source_alone() {
    on_each(async |subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        pair.warm(&origin).await;
        subject.server.stop();
        let loads = origin.loads();
        let mut late = 0;
        for _ in 0..7 {
            let began = Instant::now();
            let id = fresh();
            let call = scope()
                .default_cache(&pair.a.cache)
                .wrap(strict(&origin, id));
            let error = call.await.expect_err("the store is down");
            assert!(
                matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable),
                "{error}"
            );
            late += usize::from(began.elapsed() >= LIMIT + SLACK);
        }
        assert!(late <= 1, "{late} of 7 took longer than the limit");
        assert_eq!(origin.loads(), loads, "{}", subject.name());
        subject.server.resume();
        pair.heals(&origin).await;
        let id = fresh();
        let call = scope()
            .default_cache(&pair.a.cache)
            .wrap(strict(&origin, id));
        let given = call.await.expect("the store is back");
        pair.a.check(&given, (id, 1), Instant::now());
    });
}

#[test]
fn observers_hear_of_failures_and_of_the_breaker() {
    on_each(async |subject| {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&told);
        let observer = move |event: &Event<'_>| {
            let told = match event {
                Event::StoreFailed { error, .. } => format!("failed {:?}", error.kind()),
                Event::StoreNotice { notice, .. } => match notice {
                    Notice::Opened { .. } => "opened".to_owned(),
                    Notice::HalfOpen => "half open".to_owned(),
                    Notice::Closed => "closed".to_owned(),
                    _ => return,
                },
                _ => return,
            };
            log.lock().unwrap().push(told);
        };
        let url = format!("{}&timeout=800ms&probe=100ms", subject.url());
        let cache = Cache::builder().url(&url).unwrap().observer(observer);
        let cache = cache.build().unwrap();
        let load = async |id: u64| {
            let began = Instant::now();
            let loaded = cache.get_or_load(format!("told:{id}"), || async {
                Ok::<_, std::io::Error>(id)
            });
            assert_eq!(loaded.ttl("10m").await.unwrap(), id);
            assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        };
        load(fresh()).await;
        assert!(told.lock().unwrap().is_empty());
        subject.server.stop();
        futures_util::future::join_all((0..10).map(|_| load(fresh()))).await;
        subject.server.resume();
        eventually("the breaker closes", || {
            told.lock()
                .unwrap()
                .last()
                .is_some_and(|last| last == "closed")
        });
        load(fresh()).await;
        let told = told.lock().unwrap();
        let first = |what: &str| told.iter().position(|told| told == what);
        assert!(first("failed Timeout").is_some(), "{told:?}");
        assert!(first("opened") < first("half open"), "{told:?}");
        assert!(first("half open") < first("closed"), "{told:?}");
    });
}
