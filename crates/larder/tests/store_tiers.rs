//! Chains of stores, over stores without a server.

use std::sync::Arc;
use std::time::Duration;

use larder::store::*;
use larder::testing::{Faults, MemoryStore, Simulation, explore};

mod stores;

use stores::*;

fn chain(levels: Vec<Level>) -> Arc<dyn Store> {
    Arc::new(Tiers::new(levels).unwrap())
}

/// A chain of so many levels, each a place of its own.
fn plain(memory: &Memory, prefix: &str, count: usize) -> Arc<dyn Store> {
    let levels = (0..count).map(|n| Level::new(Arc::new(memory.place(n).within(prefix))));
    chain(levels.collect())
}

#[test]
fn a_chain_of_one_level_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| plain(memory, prefix, 1)).conforms();
}

#[test]
fn a_chain_of_two_levels_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| plain(memory, prefix, 2)).conforms();
}

#[test]
fn a_chain_of_four_levels_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| plain(memory, prefix, 4)).conforms();
}

#[test]
fn a_chain_of_guarded_levels_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        let guarded = |n| Level::new(memory.guarded(memory.place(n).within(prefix)));
        chain(vec![
            guarded(0).cap(Duration::from_secs(100_000)),
            guarded(1),
        ])
    })
    .conforms();
}

#[test]
fn a_chain_in_a_chain_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        let below = plain(memory, prefix, 2);
        chain(vec![
            Level::new(Arc::new(memory.place(2).within(prefix))),
            Level::new(below),
        ])
    })
    .conforms();
}

/// Connections to three places, and a chain of them, guarded.
struct World {
    simulation: Simulation,
    links: Vec<MemoryStore>,
    /// Other connections, on which nothing goes wrong.
    places: Vec<MemoryStore>,
    chain: Arc<Tiers>,
    log: Arc<Log>,
}

impl World {
    fn new(simulation: Simulation, count: usize) -> Self {
        let places: Vec<MemoryStore> = (0..count)
            .map(|_| MemoryStore::new(simulation.runtime()))
            .collect();
        let mut world = Self::over(simulation, &places);
        world.places = places;
        world
    }

    /// As another process would have it.
    fn over(simulation: Simulation, places: &[MemoryStore]) -> Self {
        let links: Vec<MemoryStore> = places.iter().map(MemoryStore::connect).collect();
        let caps = [Some(secs(60)), Some(secs(600)), None];
        let levels = links.iter().zip(caps).map(|(link, cap)| {
            let builder = Guarded::builder(Arc::new(link.clone()), simulation.runtime());
            let builder = builder.timeout(millis(100)).open_for(millis(300));
            let level = Level::new(Arc::new(builder.build()));
            match cap {
                Some(cap) => level.cap(cap),
                None => level,
            }
        });
        let log = Arc::new(Log::default());
        let chain = Tiers::new(levels.collect())
            .unwrap()
            .notices(Arc::clone(&log) as _);
        Self {
            links,
            places: places.to_vec(),
            chain: Arc::new(chain),
            log,
            simulation,
        }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.simulation.block_on(future)
    }

    /// Which places have the key.
    fn holders(&self, key: &str) -> Vec<usize> {
        let there = self.places.iter().enumerate();
        there
            .filter(|(_, place)| self.run(get(*place, key)).unwrap().is_some())
            .map(|(number, _)| number)
            .collect()
    }

    fn heal(&self) {
        for link in &self.links {
            link.heal();
            link.suffer(Faults::none());
        }
        self.simulation.advance(secs(60));
    }
}

/// A head without tags that is kept for so many milliseconds from the present, and a body.
fn entry(simulation: &Simulation, kept: u64, body: &[u8]) -> Vec<u8> {
    let now = wall(simulation);
    let mut bytes = vec![0xC1, 1, 0, 0, 0, 69, 1, 0, 0, 0];
    for at in [now, u64::MAX, now + kept, now + kept] {
        bytes.extend(at.to_be_bytes());
    }
    bytes.extend([0; 8 + 4 + 4 + 8 + 2 + 1]);
    assert!(Head::parse(&bytes).is_some());
    bytes.extend(body);
    bytes
}

async fn read_or_lease(world: &World, key: &str) -> larder::Result<Found> {
    let read = Read {
        now: wall(&world.simulation),
        ..question(key, Ask::EntryOrLease)
    };
    Ok(world.chain.read(&[read]).await?.remove(0))
}

#[test]
fn a_value_rises_with_what_is_left_of_its_life_and_no_longer_than_each_cap() {
    let world = World::new(Simulation::new(1), 3);
    let value = entry(&world.simulation, 300_000, b"body");
    world.run(put(&*world.chain, "a", &value)).unwrap();
    assert_eq!(world.holders("a"), [2], "written to the deepest");
    world.simulation.advance(secs(100));
    let found = world.run(read_or_lease(&world, "a")).unwrap();
    assert_eq!((found.bytes.as_deref(), found.lease), (Some(&*value), None));
    assert_eq!(world.holders("a"), [0, 1, 2]);
    let left = |n: usize| world.run(world.places[n].remaining(&["a"])).unwrap()[0];
    assert_eq!(left(0), Some(Some(secs(60))), "the cap");
    assert_eq!(left(1), Some(Some(secs(200))), "what is left");
    // An entry without a head rises too, with the life that its level tells.
    world.run(put(&world.places[2], "plain", b"17")).unwrap();
    world.run(read_or_lease(&world, "plain")).unwrap();
    let left = world.run(world.places[1].remaining(&["plain"])).unwrap()[0];
    assert_eq!(left, Some(Some(secs(600))));
}

#[test]
fn a_cap_holds_for_the_numbers_of_callers_and_not_for_those_of_guards() {
    let simulation = Simulation::new(1);
    let place = MemoryStore::new(simulation.runtime());
    let capped: Arc<dyn Store> = chain(vec![Level::new(Arc::new(place.clone())).cap(secs(60))]);
    // Whatever stands around the chain.
    let routed = Routed::new(capped.clone()).route("far:", capped);
    let guarded = Guarded::builder(Arc::new(routed), simulation.runtime()).build();
    let store = Prefixed::new(Arc::new(guarded), "far:");
    let counters = store.counters().unwrap();
    simulation.block_on(async {
        let life = Some(secs(600));
        assert_eq!(counters.add("calls", 2, life).await.unwrap(), 2);
        assert_eq!(counters.count("calls", 1, life).await.unwrap(), 3);
        assert_eq!(counters.count("failures", 1, life).await.unwrap(), 1);
        let left = store.remaining(&["calls", "failures"]).await.unwrap();
        assert_eq!(left, [Some(Some(secs(60))), Some(life)]);
    });
}

#[test]
fn what_is_brought_up_while_it_is_removed_does_not_stay() {
    explore(0..200, |simulation| {
        let world = Arc::new(World::new(simulation.clone(), 3));
        let value = entry(simulation, 300_000, b"old");
        world.run(put(&*world.chain, "a", &value)).unwrap();
        let other = World::over(simulation.clone(), &world.places);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                simulation.spawn(async move { read_or_lease(&world, "a").await.is_ok() })
            })
            .collect();
        // Through another process' chain, at any moment of the reading.
        let removal = simulation.spawn(async move { forget(&*other.chain, "a").await.is_ok() });
        simulation.run();
        drop((readers, removal));
        assert_eq!(world.holders("a"), [0; 0]);
    });
}

#[test]
fn two_writers_at_once_leave_one_value() {
    explore(0..200, |simulation| {
        let worlds = World::new(simulation.clone(), 3);
        let others: Vec<_> = (0..3)
            .map(|_| World::over(simulation.clone(), &worlds.places))
            .collect();
        for (n, other) in others.into_iter().enumerate() {
            let value = entry(simulation, 300_000, &[n as u8]);
            simulation.spawn(async move {
                put(&*other.chain, "a", &value).await.unwrap();
                read_or_lease(&other, "a").await.unwrap();
            });
        }
        simulation.run();
        let values = worlds
            .places
            .iter()
            .map(|place| worlds.run(get(place, "a")).unwrap());
        let mut values: Vec<Vec<u8>> = values.flatten().collect();
        values.dedup();
        assert_eq!(values.len(), 1, "levels that say different things");
    });
}

#[test]
fn a_level_that_is_away_is_left_out_and_its_older_value_does_not_come_back() {
    for away in 0..3 {
        let world = World::new(Simulation::new(1), 3);
        let old = entry(&world.simulation, 86_400_000, b"old");
        for place in &world.places {
            world.run(put(place, "written", &old)).unwrap();
            world.run(put(place, "removed", &old)).unwrap();
        }
        world.links[away].cut();
        let new = entry(&world.simulation, 86_400_000, b"new");
        assert!(world.run(put(&*world.chain, "written", &new)).unwrap());
        world.run(forget(&*world.chain, "removed")).unwrap();
        let found = world.run(read_or_lease(&world, "written")).unwrap();
        assert_eq!(
            found.bytes.as_deref(),
            Some(&*new),
            "with level {away} away"
        );
        assert_eq!(world.run(get(&*world.chain, "removed")).unwrap(), None);
        assert!(!world.log.take().is_empty(), "somebody is told");
        world.links[away].heal();
        for _ in 0..100 {
            world.simulation.advance(millis(20));
            let found = world.run(read_or_lease(&world, "written")).unwrap();
            assert_ne!(found.bytes.as_deref(), Some(&*old), "level {away} is back");
            assert_eq!(world.run(get(&*world.chain, "removed")).unwrap(), None);
        }
        // What was lost above comes back from below, and nothing older.
        for place in &world.places[..2] {
            world.run(place.remove(&Removal::Prefix(""))).unwrap();
        }
        let found = world.run(read_or_lease(&world, "written")).unwrap();
        assert!(found.bytes.is_none_or(|bytes| bytes == new));
    }
}

#[test]
fn a_condition_is_for_the_deepest_level_to_decide() {
    let world = World::new(Simulation::new(1), 3);
    let chain = &*world.chain;
    world.run(put(&world.places[0], "above", b"x")).unwrap();
    assert!(
        world
            .run(put_if(chain, "above", b"1", Condition::Absent))
            .unwrap()
    );
    assert_eq!(
        world.run(get(chain, "above")).unwrap().as_deref(),
        Some(&b"1"[..])
    );
    assert!(
        !world
            .run(put_if(chain, "above", b"2", Condition::Absent))
            .unwrap()
    );
    world.links[2].refuse();
    assert!(
        world
            .run(put_if(chain, "new", b"1", Condition::Absent))
            .is_err()
    );
    assert_eq!(world.holders("new"), [0; 0]);
}

#[test]
fn without_any_level_operations_fail() {
    let world = World::new(Simulation::new(1), 3);
    world.links.iter().for_each(MemoryStore::refuse);
    assert!(world.run(read_or_lease(&world, "a")).is_err());
    assert!(world.run(put(&*world.chain, "a", b"1")).is_err());
    assert!(world.run(world.chain.ping()).is_err());
    assert!(world.run(world.chain.remaining(&["a"])).is_err());
    // Remembered by every level.
    assert!(world.run(forget(&*world.chain, "a")).is_ok());
    assert_eq!(
        Tiers::new(Vec::new()).unwrap_err().kind(),
        larder::ErrorKind::Config
    );
}

#[test]
fn bare_levels_remember_nothing_so_a_removal_fails_with_them() {
    let simulation = Simulation::new(1);
    let places = [(); 2].map(|()| MemoryStore::new(simulation.runtime()));
    let levels = places
        .iter()
        .map(|place| Level::new(Arc::new(place.clone())));
    let chain = Tiers::new(levels.collect()).unwrap();
    places[0].refuse();
    assert!(simulation.block_on(forget(&chain, "a")).is_err());
    assert!(simulation.block_on(put(&chain, "a", b"1")).is_err());
}

/// A level of this process only, above one that is shared: word from below takes the copies above away.
#[test]
fn word_from_below_takes_away_what_is_above() {
    #[derive(Debug)]
    struct Deaf;
    impl Sink for Deaf {
        fn changed(&self, _: Changed<'_>) {}
    }
    let simulation = Simulation::new(1);
    let shared = MemoryStore::new(simulation.runtime());
    let chain = || {
        let own = MemoryStore::new(simulation.runtime());
        let levels = vec![
            Level::new(Arc::new(own)),
            Level::new(Arc::new(shared.connect())),
        ];
        Tiers::new(levels).unwrap()
    };
    let (mine, theirs) = (chain(), chain());
    simulation.block_on(async {
        mine.invalidations()
            .unwrap()
            .subscribe(Arc::new(Deaf))
            .await
            .unwrap();
        for round in 0..5_u8 {
            put(&theirs, "a", &[round]).await.unwrap();
            let read = question("a", Ask::EntryOrLease);
            let found = mine.read(&[read]).await.unwrap().remove(0);
            assert_eq!(found.bytes, Some(vec![round]));
        }
        forget(&theirs, "a").await.unwrap();
        assert_eq!(get(&mine, "a").await.unwrap(), None);
        assert_eq!(mine.remaining(&["a"]).await.unwrap(), [None]);
    });
}

#[test]
fn word_that_cannot_be_acted_on_above_is_kept_and_the_level_left_out() {
    #[derive(Debug)]
    struct Deaf;
    impl Sink for Deaf {
        fn changed(&self, _: Changed<'_>) {}
    }
    let simulation = Simulation::new(1);
    let [own, shared] = [(); 2].map(|()| MemoryStore::new(simulation.runtime()));
    let levels = vec![
        Level::new(Arc::new(own.clone())),
        Level::new(Arc::new(shared.clone())),
    ];
    let chain = Tiers::new(levels).unwrap();
    let other = shared.connect();
    simulation.block_on(async {
        chain
            .invalidations()
            .unwrap()
            .subscribe(Arc::new(Deaf))
            .await
            .unwrap();
        put(&other, "a", b"old").await.unwrap();
        chain
            .read(&[question("a", Ask::EntryOrLease)])
            .await
            .unwrap();
        assert_eq!(own.entries(), 1, "brought up");
        own.refuse();
        put(&other, "a", b"new").await.unwrap();
        let new = Some(b"new".to_vec());
        assert_eq!(get(&chain, "a").await.unwrap(), new);
        own.heal();
        assert_eq!(get(&chain, "a").await.unwrap(), new);
        assert_eq!(
            get(&own, "a").await.unwrap(),
            new,
            "the old one is gone, the new one brought up"
        );
        put(&other, "b", b"b").await.unwrap();
        shared.cut();
        shared.heal();
        assert_eq!(get(&chain, "b").await.unwrap(), Some(b"b".to_vec()));
    });
}

/// Values are numbers that grow; two processes, one of which may lose any level at any time. What is read is never older than what was last acknowledged.
fn model(simulation: &Simulation) {
    let world = World::new(simulation.clone(), 3);
    let faults = Faults::none()
        .delay(millis(40))
        .errors(0.04)
        .lost_requests(0.04)
        .lost_answers(0.04);
    let (mut floor, mut leased): (u64, Option<(Token, u64)>) = (0, None);
    for number in 1..120_u64 {
        let level = (simulation.random() % 3) as usize;
        let link = &world.links[level];
        match simulation.random() % 16 {
            0 => link.cut(),
            1 => link.refuse(),
            2 | 3 => link.heal(),
            4 => link.suffer(faults.clone()),
            5 => link.suffer(Faults::none()),
            6 => simulation.advance(millis(simulation.random() % 3_000)),
            // Evicted, or lost by a restart: never what was removed comes back by that.
            7 => drop(world.run(forget(&world.places[level], "k"))),
            8 | 9 => {
                if world.run(forget(&*world.chain, "k")).is_ok() {
                    floor = number;
                }
            }
            10 | 11 => {
                let value = entry(simulation, 86_400_000, number.to_string().as_bytes());
                if world.run(put(&*world.chain, "k", &value)).is_ok() {
                    floor = number;
                }
            }
            12 => {
                // A value is asked for now and filled later, if nothing came between.
                if let Some((token, asked)) = leased.take() {
                    let value = entry(simulation, 86_400_000, asked.to_string().as_bytes());
                    drop(world.run(fill(&*world.chain, "k", &value, &token)));
                } else if let Ok(Found {
                    lease: Some(token), ..
                }) = world.run(read_or_lease(&world, "k"))
                {
                    leased = Some((token, number));
                }
            }
            _ => check(&world, floor),
        }
    }
    world.heal();
    check(&world, floor);
}

fn check(world: &World, floor: u64) {
    if let Ok(Found {
        bytes: Some(bytes), ..
    }) = world.run(read_or_lease(world, "k"))
    {
        let read: u64 = String::from_utf8(bytes[69..].to_vec())
            .unwrap()
            .parse()
            .unwrap();
        assert!(read >= floor, "read {read} after {floor} was acknowledged");
    }
}

#[test]
fn nothing_older_than_what_was_acknowledged_is_read_through_a_chain() {
    explore(0..600, model);
}
