//! The script that counts in Redis against the arithmetic of the other stores, call by call, on a clock that both are told.

#![cfg(feature = "redis")]

#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;
#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use larder::runtime::Runtime;
use larder::store::{Admission, Quota, Store, Window};
use larder::testing::MemoryStore;
use support::World;

const SCRIPT: &str = include_str!("../src/store/redis/admit.lua");
/// What the script asks for the time of day.
const CLOCK: &str = "local time = redis.call('TIME')";

struct Redis {
    connection: redis::Connection,
    script: redis::Script,
    calls: u64,
}

impl Redis {
    fn on(server: &servers::Server) -> Self {
        assert!(SCRIPT.contains(CLOCK), "the script asks for time otherwise");
        let told = SCRIPT.replace(CLOCK, "local time = { ARGV[6], ARGV[7] }");
        let client = redis::Client::open(format!("redis://{}/", server.address())).unwrap();
        Self {
            connection: client.get_connection().unwrap(),
            script: redis::Script::new(&told),
            calls: 0,
        }
    }

    fn admit(&mut self, key: &str, quota: &Quota, now: u64) -> Admission {
        self.calls += 1;
        let kind = match quota.window {
            Window::Fixed => "fixed",
            Window::Gcra => "gcra",
            _ => "sliding",
        };
        let micros = |span: Duration| span.as_micros() as u64;
        let (code, used, wait): (u8, u64, u64) = self
            .script
            .key(format!("{key}:{kind}"))
            .key(format!("{key}:ban"))
            .arg(kind)
            .arg(quota.limit)
            .arg(micros(quota.per))
            .arg(quota.ban.map_or(0, micros))
            .arg(self.calls)
            .arg(now / 1_000_000)
            .arg(now % 1_000_000)
            .invoke(&mut self.connection)
            .unwrap();
        let wait = Duration::from_micros(wait);
        match code {
            0 => Admission::refused(used, wait),
            1 => Admission::admitted(used),
            _ => Admission::banned(used, wait),
        }
    }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}

#[test]
fn the_script_says_what_the_other_stores_say() {
    let server = redis_server::alone();
    let mut redis = Redis::on(&server);
    let world = World::new();
    // As late as the time of day is, in microseconds: what the script computes with has 53 bits.
    world.clock_on(Duration::from_secs(1_900_000_000));
    let memory = MemoryStore::new(Arc::clone(&world) as Arc<dyn Runtime>);
    let mut chance = Chance(1);
    let (mut refused, mut banned) = (0, 0);
    for round in 0..60_u64 {
        let windows = [Window::Fixed, Window::Sliding, Window::Gcra];
        // Long enough that no record ends by the server's own clock, and no multiple of the limit.
        let per = Duration::from_micros(600_000_000 + chance.below(9_000_000_000));
        let limit = 1 + chance.below(12);
        let mut quota = Quota::new(limit, per).window(windows[round as usize % 3]);
        if round % 2 == 0 {
            quota = quota.ban(per / 3 + Duration::from_micros(chance.below(1_000)));
        }
        let quota = match quota.ban {
            Some(ban) => quota.ban(Duration::from_micros(ban.as_micros() as u64)),
            None => quota,
        };
        let key = format!("k{round}");
        let mut wait = Duration::ZERO;
        for _ in 0..120 {
            let most = 2 * per.as_micros() as u64 / limit;
            let step = match chance.below(4) {
                0 => 0,
                // To the very instant that was told, and just short of it.
                1 => wait.as_micros() as u64,
                2 => (wait.as_micros() as u64).saturating_sub(1),
                _ => chance.below(most),
            };
            world.clock_on(Duration::from_micros(step));
            let now = world.now().as_nanos() / 1_000;
            let told = redis.admit(&key, &quota, now);
            let (of, name) = (memory.clone(), key.clone());
            let mut expected = world
                .run(async move { of.windows().unwrap().admit(&name, &quota).await })
                .unwrap();
            let nanos = expected.retry_after.as_nanos();
            expected.retry_after = Duration::from_micros(nanos.div_ceil(1_000) as u64);
            assert_eq!(told, expected, "{quota:?} at {now}");
            wait = told.retry_after;
            refused += u32::from(!told.admitted);
            banned += u32::from(told.banned);
        }
    }
    assert!(refused > 1_000 && banned > 500, "{refused} {banned}");
}

#[test]
fn a_clock_of_the_server_that_is_set_back_far_keeps_nobody_out() {
    const LATE: u64 = 1_900_000_000_000_000;
    let server = redis_server::alone();
    let mut redis = Redis::on(&server);
    let quota = Quota::new(2, Duration::from_secs(600));
    for window in [Window::Fixed, Window::Sliding, Window::Gcra] {
        let (quota, key) = (quota.window(window), format!("{window:?}"));
        let banning = quota.ban(Duration::from_secs(900));
        for _ in 0..2 {
            assert!(redis.admit(&key, &quota, LATE).admitted);
        }
        assert!(redis.admit(&key, &banning, LATE).banned);
        // A little: it stands still.
        for quota in [&quota, &banning] {
            let refused = redis.admit(&key, quota, LATE - 1_000_000);
            assert!(refused.banned && refused.retry_after <= Duration::from_secs(900));
        }
        let after = redis.admit(&key, &quota, LATE - 86_400_000_000);
        assert_eq!(after, Admission::admitted(1), "{window:?}");
    }
}

#[test]
fn a_clock_of_the_server_that_is_set_back_a_little_gives_nothing_away() {
    const LATE: u64 = 1_900_000_000_000_000;
    let server = redis_server::alone();
    let mut redis = Redis::on(&server);
    for window in [Window::Fixed, Window::Sliding, Window::Gcra] {
        let quota = Quota::new(2, Duration::from_secs(600)).window(window);
        let key = format!("{window:?}");
        for _ in 0..2 {
            assert!(redis.admit(&key, &quota, LATE).admitted);
        }
        let refused = redis.admit(&key, &quota, LATE - 1_000_000);
        assert!(!refused.admitted, "{window:?}");
        assert!(redis.admit(&key, &quota, LATE + 600_000_000).admitted);
    }
}
