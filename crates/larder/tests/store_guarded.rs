//! Time limits, breaker and remembered removals, all in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::ErrorKind;
use larder::runtime::Runtime;
use larder::store::*;
use larder::testing::{Faults, MemoryStore, Simulation, explore};

mod stores;

use stores::*;

struct World {
    simulation: Simulation,
    /// The connection that the guarded store uses.
    memory: MemoryStore,
    /// Another one, on which nothing goes wrong.
    true_one: MemoryStore,
    store: Arc<Guarded>,
    log: Arc<Log>,
}

impl World {
    fn new() -> Self {
        Self::with(Simulation::new(1), |builder| builder)
    }

    fn with(simulation: Simulation, build: impl FnOnce(GuardedBuilder) -> GuardedBuilder) -> Self {
        let memory = MemoryStore::new(simulation.runtime());
        let true_one = memory.connect();
        let log = Arc::new(Log::default());
        let builder = Guarded::builder(Arc::new(memory.clone()), simulation.runtime());
        let builder = builder.notices(Arc::clone(&log) as _);
        Self {
            store: Arc::new(build(builder).build()),
            simulation,
            memory,
            true_one,
            log,
        }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.simulation.block_on(future)
    }

    /// A future's output and the virtual time that it took.
    fn timed<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let before = self.simulation.clock().now();
        let output = self.run(future);
        (output, self.simulation.clock().now().since(before))
    }

    fn kind<T: std::fmt::Debug>(
        &self,
        future: impl Future<Output = larder::Result<T>>,
    ) -> ErrorKind {
        self.run(future).unwrap_err().kind()
    }

    /// Lets the breaker open on a cut connection.
    fn open(&self) {
        self.memory.cut();
        while self.store.state() == BreakerState::Closed {
            self.run(get(&*self.store, "a")).unwrap_err();
        }
        self.log.take();
    }

    fn heal(&self) {
        self.memory.heal();
        self.simulation.advance(secs(60));
        assert_eq!(self.store.state(), BreakerState::Closed);
    }
}

#[test]
fn a_guarded_store_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        memory.guarded(memory.place.within(prefix))
    })
    .conforms();
    Memory::wrapped(2, |memory, prefix| {
        let twice = memory.guarded(memory.place.within(prefix));
        let runtime = memory.simulation.runtime();
        Arc::new(Guarded::builder(twice, runtime).in_flight(1).build())
    })
    .conforms();
}

#[test]
fn an_operation_takes_no_longer_than_its_limit() {
    let world = World::with(Simulation::new(1), |builder| builder.timeout(millis(200)));
    world.memory.cut();
    let (error, took) = world.timed(get(&*world.store, "a"));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(took, millis(200));
    assert_eq!(world.log.take(), ["timed out read"]);
}

#[test]
fn after_five_without_an_answer_nobody_waits_any_more() {
    let world = World::new();
    world.memory.cut();
    for _ in 0..5 {
        let (error, took) = world.timed(get(&*world.store, "a"));
        assert_eq!(
            (error.unwrap_err().kind(), took),
            (ErrorKind::Timeout, secs(1))
        );
    }
    assert_eq!(world.store.state(), BreakerState::Open);
    // For an hour of probes that fail.
    for _ in 0..3_600 {
        let (error, took) = world.timed(get(&*world.store, "a"));
        assert_eq!(
            (error.unwrap_err().kind(), took),
            (ErrorKind::Unavailable, Duration::ZERO)
        );
        world.simulation.advance(secs(1));
    }
    world.memory.heal();
    world.log.take();
    world.simulation.advance(secs(37));
    let told = world.log.take();
    assert_eq!(told[told.len() - 2..], ["half open", "closed"]);
    assert_eq!(world.run(get(&*world.store, "a")).unwrap(), None);
}

#[test]
fn refusals_open_it_without_any_wait() {
    let world = World::new();
    world.memory.refuse();
    let all = async {
        for _ in 0..6 {
            get(&*world.store, "a").await.unwrap_err();
        }
    };
    assert_eq!(world.timed(all).1, Duration::ZERO);
    let told = world.log.take();
    assert_eq!(
        told[..6],
        [
            "failed read",
            "failed read",
            "failed read",
            "failed read",
            "failed read",
            "opened 1"
        ]
    );
    assert_eq!(told.len(), 6, "the sixth was not sent");
}

#[test]
fn fifty_at_once_wait_one_limit_together() {
    let world = World::new();
    world.memory.cut();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = Arc::clone(&world.store);
            world
                .simulation
                .spawn(async move { get(&*store, &format!("{n}")).await.is_err() })
        })
        .collect();
    let all = async {
        let mut failed = 0;
        for task in tasks {
            failed += usize::from(task.await.unwrap());
        }
        failed
    };
    assert_eq!(world.timed(all), (50, secs(1)));
}

/// The spans double, give or take a fifth, and between two probes nothing arrives at the store.
#[test]
fn one_probe_at_a_time_asks_ever_more_rarely() {
    let world = World::new();
    world.open();
    world.memory.refuse();
    let begun = world.simulation.clock().now();
    let mut probes = Vec::new();
    while probes.len() < 8 {
        world.simulation.advance(millis(10));
        world.run(get(&*world.store, "a")).unwrap_err();
        for told in world.log.take() {
            match &*told {
                "half open" => {
                    probes.push(world.simulation.clock().now().since(begun).as_secs_f64())
                }
                opened => assert!(opened.starts_with("opened "), "{opened}"),
            }
        }
    }
    let mut expected = 0.0;
    for (at, span) in probes
        .iter()
        .zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0])
    {
        let waited = at - expected;
        assert!(
            (0.79 * span..1.22 * span).contains(&waited),
            "{waited} for {span}"
        );
        expected = *at;
    }
}

#[test]
fn a_store_that_only_fails_now_and_then_is_still_asked() {
    let world = World::new();
    world.memory.suffer(Faults::none().errors(0.2));
    let mut failed = 0;
    for _ in 0..1_000 {
        failed += usize::from(world.run(get(&*world.store, "a")).is_err());
    }
    assert!((120..300).contains(&failed), "{failed} of 1000");
}

#[test]
fn a_store_that_answers_with_errors_half_of_the_time_is_not_asked() {
    let world = World::new();
    world.memory.suffer(Faults::none().errors(0.9));
    for _ in 0..40 {
        drop(world.run(get(&*world.store, "a")));
    }
    assert_eq!(world.store.state(), BreakerState::Open);
}

#[test]
fn what_was_removed_while_the_store_was_away_is_never_read_again() {
    let world = World::new();
    let store = &*world.store;
    for key in ["key", "prefix:1", "pattern:1", "stays"] {
        world.run(put(store, key, b"old")).unwrap();
    }
    let tag = ["tag"];
    let before = world.run(store.tag_versions(&tag, None)).unwrap();
    world.open();
    assert_eq!(world.run(forget(store, "key")).unwrap(), 0);
    world
        .run(store.remove(&Removal::Prefix("prefix:")))
        .unwrap();
    let pattern = Removal::Pattern {
        prefix: "",
        pattern: "pat*",
    };
    world.run(store.remove(&pattern)).unwrap();
    world.run(store.forget_tags(&tag)).unwrap();
    assert_eq!(store.owed(), 4);
    assert_eq!(
        world.run(get(&world.true_one, "key")).unwrap().as_deref(),
        Some(&b"old"[..])
    );

    world.memory.heal();
    let seen = loop {
        if let Ok(seen) = world.run(get(store, "key")) {
            break seen;
        }
        world.simulation.advance(millis(1));
    };
    assert_eq!(seen, None, "the first answer after healing");
    assert_eq!(store.owed(), 0);
    assert_eq!(world.run(get(store, "prefix:1")).unwrap(), None);
    assert_eq!(world.run(get(store, "pattern:1")).unwrap(), None);
    assert_eq!(
        world.run(get(store, "stays")).unwrap().as_deref(),
        Some(&b"old"[..])
    );
    let after = world.run(store.tag_versions(&tag, None)).unwrap();
    assert_ne!(before.versions, after.versions);
    assert_ne!(before.epoch, after.epoch);
    assert!(world.log.take().contains(&"applied 4".to_owned()));
}

#[test]
fn one_lost_removal_is_made_up_for_before_the_next_read() {
    let world = World::new();
    world.run(put(&*world.store, "a", b"old")).unwrap();
    world.memory.suffer(Faults::none().lost_requests(1.0));
    assert_eq!(world.run(forget(&*world.store, "a")).unwrap(), 0);
    world.memory.suffer(Faults::none());
    let (read, took) = world.timed(get(&*world.store, "a"));
    assert_eq!(read.unwrap(), None);
    assert_eq!(took, Duration::ZERO);
    assert_eq!(
        world.log.take(),
        ["timed out remove", "remembered 1", "applied 1"]
    );
}

#[test]
fn while_a_removal_cannot_be_made_up_for_the_store_counts_as_down() {
    let world = World::new();
    world.run(put(&*world.store, "a", b"old")).unwrap();
    world.memory.refuse();
    world.run(forget(&*world.store, "a")).unwrap();
    assert_eq!(world.store.state(), BreakerState::Closed);
    assert_eq!(
        world.kind(get(&*world.store, "other")),
        ErrorKind::Unavailable
    );
    assert_eq!(world.store.state(), BreakerState::Open);
    world.heal();
    assert_eq!(world.run(get(&*world.store, "a")).unwrap(), None);
}

#[test]
fn a_write_that_did_not_get_through_takes_the_older_value_with_it() {
    let world = World::new();
    let store = &*world.store;
    for key in ["refused", "timed out"] {
        world.run(put(store, key, b"old")).unwrap();
    }
    world.memory.suffer(Faults::none().lost_requests(1.0));
    assert_eq!(
        world.kind(put(store, "timed out", b"new")),
        ErrorKind::Timeout
    );
    world.open();
    assert_eq!(
        world.kind(put(store, "refused", b"new")),
        ErrorKind::Unavailable
    );
    let absent = put_if(store, "absent", b"new", Condition::Absent);
    assert_eq!(world.kind(absent), ErrorKind::Unavailable);
    assert_eq!(
        store.owed(),
        2,
        "a write if absent that was not sent leaves nothing"
    );
    world.memory.suffer(Faults::none());
    world.heal();
    assert_eq!(world.run(get(store, "refused")).unwrap(), None);
    assert_eq!(world.run(get(store, "timed out")).unwrap(), None);
}

#[test]
fn a_write_that_arrives_late_is_removed_again() {
    let world = World::new();
    let late = Faults::none().late(1.0, secs(3));
    world.memory.suffer(late);
    assert_eq!(
        world.kind(put(&*world.store, "a", b"late")),
        ErrorKind::Timeout
    );
    world.memory.suffer(Faults::none());
    assert_eq!(world.run(get(&*world.store, "a")).unwrap(), None);
    // It arrives within three seconds, and is removed once more after five.
    let mut arrived = false;
    for _ in 0..40 {
        arrived |= world.run(get(&world.true_one, "a")).unwrap().is_some();
        world.simulation.advance(millis(100));
    }
    assert!(arrived, "the write never arrived: the test shows nothing");
    world.simulation.advance(secs(2));
    assert_eq!(world.run(get(&world.true_one, "a")).unwrap(), None);
    assert_eq!(world.store.owed(), 0);
}

#[test]
fn a_removal_that_nobody_waits_for_any_more_is_made_up_for() {
    let world = World::new();
    world.run(put(&*world.store, "a", b"old")).unwrap();
    world.memory.suffer(Faults::none().lost_requests(1.0));
    let store = Arc::clone(&world.store);
    let removal = world
        .simulation
        .spawn(async move { forget(&*store, "a").await });
    world.simulation.advance(millis(500));
    assert!(removal.cancel());
    world.memory.suffer(Faults::none());
    assert_eq!(world.store.owed(), 1);
    assert_eq!(world.run(get(&*world.store, "a")).unwrap(), None);
}

#[test]
fn a_fill_that_did_not_get_through_leaves_no_older_value() {
    let world = World::new();
    let store = &*world.store;
    world.run(put(store, "a", b"old")).unwrap();
    let token = world.run(lease(store, "a")).unwrap();
    world.memory.suffer(Faults::none().lost_requests(1.0));
    assert_eq!(
        world.kind(fill(store, "a", b"new", &token)),
        ErrorKind::Timeout
    );
    world.memory.suffer(Faults::none());
    assert_eq!(world.run(get(store, "a")).unwrap(), None);
}

#[test]
fn too_many_removals_become_one_of_all_that_begins_so() {
    let world = World::with(Simulation::new(1), |builder| builder.remembered(20));
    let store = &*world.store;
    for key in ["user:1", "user:99", "post:1"] {
        world.run(put(store, key, b"old")).unwrap();
    }
    world.open();
    for n in 1..=21 {
        world.run(forget(store, &format!("user:{n}"))).unwrap();
    }
    assert_eq!(store.owed(), 1);
    assert!(
        world
            .log
            .take()
            .contains(&"collapsed 21 into `user:`".to_owned())
    );
    world.heal();
    assert_eq!(world.run(get(store, "user:1")).unwrap(), None);
    assert_eq!(world.run(get(store, "user:99")).unwrap(), None);
    assert!(world.run(get(store, "post:1")).unwrap().is_some());
}

#[test]
fn a_removal_that_is_remembered_for_too_long_is_lost_and_told() {
    let world = World::with(Simulation::new(1), |builder| builder.remember(secs(600)));
    let store = &*world.store;
    world.run(put(store, "a", b"old")).unwrap();
    world.open();
    world.run(forget(store, "a")).unwrap();
    world.simulation.advance(secs(601));
    world.heal();
    assert!(world.log.take().contains(&"lost 1".to_owned()));
    assert_eq!(store.owed(), 0);
}

#[test]
fn without_a_memory_a_removal_that_fails_fails() {
    let world = World::with(Simulation::new(1), |builder| builder.remembered(0));
    world.memory.refuse();
    assert_eq!(
        world.kind(forget(&*world.store, "a")),
        ErrorKind::Unavailable
    );
    assert_eq!(world.store.owed(), 0);
}

#[test]
fn closing_ends_the_probes_and_tells_what_is_lost() {
    let world = World::new();
    world.open();
    world.run(forget(&*world.store, "a")).unwrap();
    world.log.take();
    world.run(world.store.close()).unwrap();
    assert_eq!(world.log.take(), ["lost 1"]);
    assert_eq!(world.kind(get(&*world.store, "a")), ErrorKind::Closed);
    world.memory.heal();
    world.simulation.advance(secs(300));
    assert_eq!(world.log.take(), [""; 0]);
}

/// Counts how many operations are under way at most.
#[derive(Debug)]
struct Counting {
    memory: MemoryStore,
    simulation: Simulation,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Counting {
    async fn count<T>(&self, operation: StoreFuture<'_, T>) -> larder::Result<T> {
        let _one = One::new(self);
        self.simulation.sleep(millis(10)).await;
        operation.await
    }
}

/// One operation under way, also if it is dropped.
struct One<'a>(&'a Counting);

impl<'a> One<'a> {
    fn new(counting: &'a Counting) -> Self {
        let now = counting.now.fetch_add(1, Ordering::Relaxed) + 1;
        counting.most.fetch_max(now, Ordering::Relaxed);
        Self(counting)
    }
}

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Store for Counting {
    fn name(&self) -> &str {
        "counting"
    }
    fn lease_level(&self) -> LeaseLevel {
        self.memory.lease_level()
    }
    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(self.count(self.memory.read(reads)))
    }
    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.memory.fill(fills)
    }
    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.memory.write(writes)
    }
    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.memory.touch(touch)
    }
    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.memory.remaining(keys)
    }
    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        self.memory.remove(removal)
    }
    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.memory.tag_versions(tags, life)
    }
    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.memory.forget_tags(tags)
    }
    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        self.memory.scan(scan)
    }
    fn ping(&self) -> StoreFuture<'_, ()> {
        self.memory.ping()
    }
    fn close(&self) -> StoreFuture<'_, ()> {
        self.memory.close()
    }
}

#[test]
fn no_more_than_the_bound_are_under_way_and_the_others_come_in_their_turn() {
    let simulation = Simulation::new(3);
    let counting = Arc::new(Counting {
        memory: MemoryStore::new(simulation.runtime()),
        simulation: simulation.clone(),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let builder = Guarded::builder(Arc::clone(&counting) as _, simulation.runtime());
    let store = Arc::new(builder.in_flight(4).build());
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = Arc::clone(&store);
            simulation.spawn(async move { get(&*store, &format!("{n}")).await.is_ok() })
        })
        .collect();
    simulation.advance(millis(5));
    // Whoever goes away gives back the place, or hands on the turn.
    let cancelled = tasks.iter().step_by(3).filter(|task| task.cancel()).count();
    assert_eq!(cancelled, 34);
    simulation.run();
    assert_eq!(counting.most.load(Ordering::Relaxed), 4);
    let again = simulation.block_on(get(&*store, "x"));
    assert_eq!(again.unwrap(), None);
}

/// Values are numbers that grow. What is read was never older than what was last acknowledged.
fn model(simulation: &Simulation, faults: &Faults) {
    let world = World::with(simulation.clone(), |builder| {
        builder.timeout(millis(100)).open_for(millis(500))
    });
    let mut floor = 0;
    for number in 1..150_u64 {
        match simulation.random() % 12 {
            0 => world.memory.cut(),
            1 => world.memory.refuse(),
            2 | 3 => {
                world.memory.heal();
                world.memory.suffer(faults.clone());
            }
            4 => simulation.advance(millis(simulation.random() % 2_000)),
            5 | 6 => {
                if world.run(forget(&*world.store, "k")).is_ok() {
                    floor = number;
                }
            }
            7 | 8 => {
                let bytes = number.to_string();
                // Whoever is told of an error knows nothing; the value may be there.
                if let Ok(written) = world.run(put(&*world.store, "k", bytes.as_bytes())) {
                    assert!(written);
                    floor = number;
                }
            }
            _ => {
                if let Ok(Some(bytes)) = world.run(get(&*world.store, "k")) {
                    let read: u64 = String::from_utf8(bytes).unwrap().parse().unwrap();
                    assert!(read >= floor, "read {read} after {floor} was acknowledged");
                }
            }
        }
    }
    world.memory.suffer(Faults::none());
    world.heal();
    let last = world.run(get(&*world.store, "k")).unwrap();
    assert!(
        last.is_none_or(|bytes| String::from_utf8(bytes).unwrap().parse::<u64>().unwrap() >= floor)
    );
}

#[test]
fn nothing_older_than_what_was_acknowledged_is_read() {
    let faults = Faults::none()
        .delay(millis(60))
        .errors(0.05)
        .lost_requests(0.05)
        .lost_answers(0.1);
    explore(0..400, |simulation| model(simulation, &faults));
}
