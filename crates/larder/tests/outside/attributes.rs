//! What attributes say, over a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Cache, ErrorKind, Next, cache_put, cached, invalidates};
use serde::{Deserialize, Serialize};

use crate::nodes::{Calls, Node, Oops, World, seconds};

macro_rules! get {
    ($world:expr, $node:expr, $call:expr) => {{
        let found = $world.wait($node.run($call));
        $world.wait($node.cache.idle());
        found
    }};
}

#[test]
fn soft_values_stand_in_for_a_failure_from_their_age_on() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "soft", ttl = "10m", soft = "1m")]
    async fn soft() -> Result<u64, Oops> {
        CALLS.call()
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert_eq!(get!(world, a, soft()), Ok(1));
    world.advance(seconds(30));
    assert_eq!(get!(world, b, soft()), Ok(1));
    world.advance(seconds(40));
    CALLS.fail();
    assert_eq!(get!(world, b, soft()), Ok(1));
    CALLS.mend();
    assert_eq!(get!(world, a, soft()), Ok(3), "no luck of the other's");
    world.advance(seconds(601));
    CALLS.fail();
    assert_eq!(get!(world, b, soft()), Err(Oops));
}

#[test]
fn failover_asks_the_source_each_time_and_falls_back_to_the_store() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "failover", ttl = "10m", failover)]
    async fn failover() -> Result<u64, Oops> {
        CALLS.call()
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert_eq!(
        (get!(world, a, failover()), get!(world, a, failover())),
        (Ok(1), Ok(2))
    );
    CALLS.fail();
    assert_eq!(
        (get!(world, b, failover()), get!(world, b, failover())),
        (Ok(2), Ok(2))
    );
    assert_eq!(CALLS.count(), 4);
}

#[test]
fn hits_are_counted_by_each_process() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "hits", ttl = "1h", hits = 2)]
    async fn hits() -> Result<u64, Oops> {
        CALLS.call()
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let both = |node: &Node| (get!(world, node, hits()), get!(world, node, hits()));
    assert_eq!(get!(world, a, hits()), Ok(1));
    assert_eq!((both(&a), both(&b)), ((Ok(1), Ok(1)), (Ok(1), Ok(1))));
    world.advance(seconds(60) + seconds(1) / 3000);
    assert_eq!(get!(world, a, hits()), Ok(2));
    assert_eq!(both(&a), (Ok(2), Ok(2)));
    assert_eq!(get!(world, a, hits()), Ok(3));
}

#[test]
fn refresh_hits_reload_behind() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "refresh_hits", ttl = "1h", refresh_hits = 2)]
    async fn function() -> Result<u64, Oops> {
        CALLS.call()
    }
    let world = World::new(1);
    let a = world.node();
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(get!(world, a, function()).unwrap());
        world.advance(seconds(1) + seconds(1) / 3000);
    }
    assert_eq!(seen, [1, 1, 1, 1, 2, 2, 2]);
}

#[test]
fn a_failing_reload_behind_leaves_the_source_alone_for_a_while() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "throttled", ttl = "1m", stale = "1h", throttle = "30s")]
    async fn stale() -> Result<u64, Oops> {
        CALLS.call()
    }
    let world = World::new(1);
    let a = world.node();
    get!(world, a, stale()).unwrap();
    world.advance(seconds(90));
    CALLS.fail();
    CALLS.count();
    assert_eq!((get!(world, a, stale()), CALLS.count()), (Ok(1), 1));
    assert_eq!((get!(world, a, stale()), CALLS.count()), (Ok(1), 0));
    world.advance(seconds(31));
    assert_eq!((get!(world, a, stale()), CALLS.count()), (Ok(1), 1));
}

#[test]
fn errors_are_kept_in_this_process_and_give_way_to_a_value() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "errors", ttl = "1h", errors = "1m")]
    async fn function() -> Result<u64, Oops> {
        CALLS.call()
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    CALLS.fail();
    assert_eq!(get!(world, a, function()), Err(Oops));
    assert_eq!((get!(world, a, function()), CALLS.count()), (Err(Oops), 1));
    CALLS.mend();
    assert_eq!(
        get!(world, b, function()),
        Ok(2),
        "another process asks for itself"
    );
    assert_eq!(get!(world, a, function()), Err(Oops), "for its own time");
    assert_eq!(get!(world, a, function::refresh()), Ok(3));
    assert_eq!(get!(world, a, function()), Ok(3), "not the kept error");
}

#[test]
fn what_is_not_to_be_kept_does_not_reach_the_store() {
    #[cached(key = "none:{id}", ttl = "1h", skip_none)]
    async fn none(id: u64) -> Option<u64> {
        (id > 0).then_some(id)
    }
    #[cached(key = "when:{id}", ttl = "1h", when = |id| *id > 0)]
    fn when(id: u64) -> u64 {
        id
    }
    #[cached(key = "kept_none", ttl = "1h")]
    async fn kept_none() -> Option<u64> {
        None
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    get!(world, a, none(0));
    get!(world, a, none(1));
    get!(world, a, kept_none());
    a.sync(|| (when(0), when(1)));
    let mut kept = world.wait(b.cache.scan("*")).unwrap();
    kept.sort();
    assert_eq!(kept, ["kept_none", "none:1", "when:1"]);
    assert_eq!(get!(world, b, kept_none::peek()).unwrap(), Some(None));
}

#[test]
fn the_ttl_and_the_tags_of_a_value_hold_in_the_store() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "of_value:{id}", ttl = "1m", ttl_with = |_| "2h", tags = ["all", |value| format!("is:{value}")])]
    async fn of_value(id: u64) -> u64 {
        CALLS.next();
        id
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    get!(world, a, of_value(1));
    get!(world, a, of_value(2));
    world.advance(seconds(7_000));
    get!(world, b, of_value(1));
    assert_eq!(CALLS.count(), 2, "its tags live as long as it does");
    world.wait(a.cache.delete_tags(["is:1"])).unwrap();
    get!(world, b, of_value(2));
    get!(world, b, of_value(1));
    assert_eq!(CALLS.count(), 1);
}

#[test]
fn a_tag_of_the_value_that_is_forgotten_during_the_load_wins() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let simulation = world.simulation.clone();
    #[cached(key = "late", ttl = "1h", tags = [|_| "late"])]
    async fn late(sleep: larder::runtime::BoxFuture<'static, ()>) -> u64 {
        sleep.await;
        7
    }
    world.wait(async {
        let forget = async {
            simulation.sleep(seconds(1)).await;
            b.cache.delete_tags(["late"]).await.unwrap();
        };
        tokio::join!(a.run(late(simulation.sleep(seconds(2)))), forget);
        assert_eq!(b.cache.get::<u64>("late").await.unwrap(), None);
    });
    assert_eq!(a.cache.stats().superseded, 1);
}

#[test]
fn jitter_shortens_lives_in_the_store() {
    #[cached(key = "jitter:{id}", ttl = "100s", jitter = "50%")]
    async fn jitter(id: u64) -> u64 {
        id
    }
    let world = World::new(1);
    let a = world.node();
    (0..40).for_each(|id| _ = get!(world, a, jitter(id)));
    assert_eq!(world.store.entries(), 40);
    world.advance(seconds(75));
    assert!((1..40).contains(&world.store.entries()));
    world.advance(seconds(26));
    assert_eq!(world.store.entries(), 0);
}

#[test]
fn handles_reach_the_store() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "handle:{id}", ttl = "1h", tags = ["h"])]
    async fn user(id: u64) -> Result<String, Oops> {
        CALLS.call().map(|call| format!("{id}: {call}"))
    }
    #[cached(key = "handle_sync:{id}", ttl = "1h")]
    fn user_sync(id: u64) -> u64 {
        id + CALLS.next()
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert_eq!(get!(world, a, user::peek(7)).unwrap(), None);
    assert_eq!(get!(world, a, user(7)).unwrap(), "7: 1");
    assert_eq!(
        get!(world, b, user::peek(7)).unwrap().as_deref(),
        Some("7: 1")
    );
    assert_eq!(get!(world, b, user::refresh(7)).unwrap(), "7: 2");
    assert_eq!(get!(world, a, user(7)).unwrap(), "7: 2");
    get!(world, b, user::put(7, "put".into())).unwrap();
    assert_eq!(get!(world, a, user(7)).unwrap(), "put");
    let explain = get!(world, a, user::explain(7)).unwrap();
    assert_eq!(
        (explain.next, explain.entry.unwrap().tags),
        (Next::Hit, vec!["h".into()])
    );
    assert!(get!(world, b, user::invalidate(7)).unwrap());
    assert!(!get!(world, a, user::invalidate(7)).unwrap());
    a.sync(|| {
        assert_eq!(user_sync(1), 4);
        assert_eq!(user_sync::peek(1).unwrap(), Some(4));
        assert_eq!(user_sync::refresh(1), 5);
        user_sync::put(1, 100).unwrap();
    });
    b.sync(|| {
        assert_eq!(user_sync(1), 100);
        assert!(user_sync::invalidate(1).unwrap());
        assert_eq!(user_sync::peek(1).unwrap(), None);
    });
}

#[derive(Clone)]
struct Shop {
    cache: Cache,
    calls: Arc<AtomicU64>,
}

impl Shop {
    #[cached(key = "item:{id}", ttl = "1h", stale = "1h", cache = self.cache)]
    async fn item(&self, id: u64) -> u64 {
        id + self.calls.fetch_add(1, Ordering::Relaxed)
    }

    #[cached(key = "sync_item:{id}", ttl = "1h", cache = self.cache)]
    fn sync_item(&self, id: u64) -> u64 {
        id + self.calls.fetch_add(1, Ordering::Relaxed)
    }

    #[invalidates(self.item(id = id), self.sync_item(id = id))]
    async fn sell(&self, id: u64) {}
}

#[test]
fn methods_and_their_handles_reach_the_store() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let shop = |node: &Node| Shop {
        cache: node.cache.clone(),
        calls: Arc::default(),
    };
    let (here, there) = (shop(&a), shop(&b));
    world.wait(async {
        assert_eq!((here.item(7).await, there.item(7).await), (7, 7));
        assert_eq!(there.item_cache().peek(7).await.unwrap(), Some(7));
        there.item_cache().put(7, 70).await.unwrap();
        assert_eq!(here.item(7).await, 70);
    });
    assert_eq!(here.sync_item(7), 8);
    assert_eq!(there.sync_item_cache().peek(7).unwrap(), Some(8));
    world.wait(there.sell(7));
    assert_eq!(world.wait(here.item_cache().peek(7)).unwrap(), None);
    assert_eq!(here.sync_item_cache().peek(7).unwrap(), None);
    assert_eq!(there.calls.load(Ordering::Relaxed), 0);
}

#[test]
fn a_put_reaches_all_and_ends_older_loads_everywhere() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "put", ttl = "1h")]
    async fn read(sleep: larder::runtime::BoxFuture<'static, ()>) -> u64 {
        let read = CALLS.next();
        sleep.await;
        read
    }
    #[cache_put(key = "put", ttl = "1h")]
    async fn change(sleep: larder::runtime::BoxFuture<'static, ()>) -> u64 {
        sleep.await;
        100
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.hybrid("1h"));
    let sleep = |n| world.simulation.sleep(seconds(n));
    world.wait(async {
        let changes = async {
            sleep(1).await;
            b.run(change(sleep(1))).await
        };
        tokio::join!(a.run(read(sleep(5))), changes);
        assert_eq!(a.run(read(sleep(0))).await, 100, "not the older load");
        let removes = async {
            sleep(1).await;
            a.cache.delete("put").await.unwrap();
        };
        tokio::join!(b.run(change(sleep(2))), removes);
        assert_eq!(
            a.run(read(sleep(0))).await,
            2,
            "removed while it was computed"
        );
        assert_eq!(b.run(read(sleep(0))).await, 2);
    });
}

#[test]
fn every_form_of_an_edge_reaches_the_store() {
    #[cached(key = "edge:{id}", ttl = "1h", tags = ["edges:{id}"])]
    async fn edge(id: u64) -> u64 {
        id
    }
    #[invalidates(edge(id = id))]
    async fn by_handle(id: u64) {}
    #[invalidates(keys = "edge:{id}")]
    async fn by_key(id: u64) {}
    #[invalidates(prefix = "edge:{id}")]
    async fn by_prefix(id: u64) {}
    #[invalidates(pattern = "*:{id}")]
    fn by_pattern(id: u64) {}
    #[invalidates(tags = ["edges:{id}"])]
    fn by_tag(id: u64) {}
    #[invalidates(all)]
    async fn by_all() {}
    #[invalidates(edge(id = returned))]
    async fn failing() -> Result<u64, Oops> {
        Err(Oops)
    }
    let world = World::new(1);
    let (a, b) = (world.hybrid("1h"), world.node());
    for form in 0..6 {
        get!(world, a, async { (edge(1).await, edge(2).await) });
        match form {
            0 => get!(world, a, by_handle(1)),
            1 => get!(world, a, by_key(1)),
            2 => get!(world, a, by_prefix(1)),
            3 => a.sync(|| by_pattern(1)),
            4 => a.sync(|| by_tag(1)),
            _ => get!(world, a, by_all()),
        }
        let left = world.wait(b.cache.get::<u64>("edge:1")).unwrap();
        assert_eq!(left, None, "form {form}");
        let left = world.wait(b.cache.get::<u64>("edge:2")).unwrap();
        assert_eq!(left.is_some(), form < 5, "form {form}");
    }
    get!(world, a, edge(1));
    get!(world, a, failing()).unwrap_err();
    assert!(world.wait(b.cache.exists("edge:1")).unwrap());
}

#[test]
fn a_type_that_cannot_be_written_stays_in_this_process_and_is_told() {
    #[derive(Clone)]
    struct Connection(u64);
    static CALLS: Calls = Calls::new();
    #[cached(key = "connection", ttl = "1h")]
    async fn connection() -> Connection {
        Connection(CALLS.next())
    }
    let world = World::new(1);
    let (a, told) = world.told(|builder| builder);
    let first = get!(world, a, connection()).0;
    assert_eq!(told.count("StayedLocal"), 1);
    assert_eq!(get!(world, a, connection()).0, first);
    assert_eq!((world.store.entries(), a.trips()), (0, 0));
}

#[test]
fn a_value_that_cannot_be_written_is_returned_all_the_same() {
    #[derive(Clone, Deserialize)]
    struct Odd(u64);
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("odd"))
        }
    }
    #[cached(key = "odd", ttl = "1h")]
    async fn odd() -> Odd {
        Odd(7)
    }
    let world = World::new(1);
    let (a, told) = world.told(|builder| builder);
    assert_eq!(get!(world, a, odd()).0, 7);
    assert_eq!(told.count("StoreFailed"), 1);
    let set = world.wait(async { a.cache.set("odd", &Odd(1)).ttl("1h").await });
    assert_eq!(set.unwrap_err().kind(), ErrorKind::Encode);
}

#[derive(Clone, Debug)]
enum Failure {
    Source,
    Store(ErrorKind),
}

impl From<larder::Error> for Failure {
    fn from(error: larder::Error) -> Self {
        Self::Store(error.kind())
    }
}

#[test]
fn a_strict_function_fails_with_its_store_and_others_do_not() {
    static CALLS: Calls = Calls::new();
    #[cached(key = "strict", ttl = "1h", strict)]
    async fn strict() -> Result<u64, Failure> {
        CALLS.call().map_err(|_| Failure::Source)
    }
    let world = World::new(1);
    let a = world.node();
    assert_eq!(get!(world, a, strict()).unwrap(), 1);
    a.store.refuse();
    let failed = get!(world, a, strict());
    assert!(
        matches!(failed, Err(Failure::Store(ErrorKind::Unavailable))),
        "{failed:?}"
    );
    a.store.heal();
    assert_eq!(get!(world, a, strict()).unwrap(), 1);
    world.wait(a.cache.clear()).unwrap();
    CALLS.fail();
    assert!(matches!(get!(world, a, strict()), Err(Failure::Source)));
}

#[test]
fn generic_functions_and_shared_values_reach_the_store() {
    #[cached(key = "shown:{value}", ttl = "1h")]
    async fn shown<T: std::fmt::Display + Send + Sync>(value: T) -> String {
        value.to_string()
    }
    static CALLS: Calls = Calls::new();
    #[cached(key = "arc", ttl = "1h")]
    async fn arc() -> Result<Arc<Vec<u64>>, Oops> {
        CALLS.call().map(|call| Arc::new(vec![call]))
    }
    #[cached(key = "arc_str", ttl = "1h")]
    fn arc_str() -> Arc<str> {
        CALLS.next().to_string().into()
    }
    let world = World::new(1);
    let (a, b) = (world.hybrid("1h"), world.node());
    assert_eq!(get!(world, a, shown(7)), "7");
    assert_eq!(
        world
            .wait(b.cache.get::<String>("shown:7"))
            .unwrap()
            .as_deref(),
        Some("7")
    );
    let (first, again) = (
        get!(world, a, arc()).unwrap(),
        get!(world, a, arc()).unwrap(),
    );
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(get!(world, b, arc()).unwrap(), first);
    assert_eq!(a.sync(arc_str), b.sync(arc_str));
    assert_eq!(CALLS.count(), 2);
}

#[test]
fn a_source_may_ask_for_what_it_is_part_of() {
    #[cached(key = "fibonacci:{n}", ttl = "1h")]
    fn fibonacci(n: u64) -> u64 {
        match n {
            0 | 1 => n,
            _ => fibonacci(n - 1) + fibonacci(n - 2),
        }
    }
    #[cached(key = "circle", ttl = "1h")]
    async fn circle(depth: u64) -> u64 {
        match depth {
            0 => 0,
            _ => 1 + Box::pin(circle(depth - 1)).await,
        }
    }
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert_eq!(a.sync(|| fibonacci(20)), 6765);
    assert_eq!(
        world.wait(b.cache.get::<u64>("fibonacci:19")).unwrap(),
        Some(4181)
    );
    assert_eq!(get!(world, a, circle(3)), 3);
    assert_eq!(get!(world, b, circle(0)), 3);
}
