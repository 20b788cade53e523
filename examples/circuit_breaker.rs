//! A mail server goes down and comes back: calls are refused at once meanwhile, then a few are tried.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use larder::guard::{CircuitBreaker, CircuitState};
use larder::testing::Simulation;
use larder::{Reason, Refused, circuit_breaker, scope};

#[derive(Debug)]
enum MailError {
    Refused(Refused),
    Down,
    NoSuchAddress,
}

impl From<Refused> for MailError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

static IS_DOWN: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU32 = AtomicU32::new(0);

#[circuit_breaker(
    errors = "50%", per = "1m", open_for = "30s", min_calls = 4, successes = 2, key = "mail",
    exceptions = |error| matches!(error, MailError::Down),
)]
fn send(to: &str) -> Result<(), MailError> {
    CALLS.fetch_add(1, Ordering::Relaxed);
    match to {
        "" => Err(MailError::NoSuchAddress),
        _ if IS_DOWN.load(Ordering::Relaxed) => Err(MailError::Down),
        _ => Ok(()),
    }
}

fn main() {
    // In virtual time, so that half a minute takes no time.
    let time = Simulation::new(1);
    let cache = time.cache_builder().build().expect("a cache");
    let send = |to: &str| scope().default_cache(&cache).run(|| send(to));
    let state = || CircuitBreaker::state(&cache, "mail");

    (0..4).for_each(|_| drop(send("")));
    println!("four wrong addresses: {}", state());
    assert_eq!(state(), CircuitState::Closed);

    IS_DOWN.store(true, Ordering::Relaxed);
    let refused = (0..100).filter(|_| matches!(send("ada"), Err(MailError::Refused(_))));
    let (refused, calls) = (refused.count(), CALLS.load(Ordering::Relaxed));
    println!("a hundred mails while the server is down: {refused} refused");
    assert_eq!((state(), refused, calls), (CircuitState::Open, 96, 8));
    if let Err(MailError::Refused(why)) = send("ada") {
        println!("  {why}");
        assert_eq!(why.reason(), Reason::Open);
    }

    IS_DOWN.store(false, Ordering::Relaxed);
    time.advance(std::time::Duration::from_secs(30));
    for _ in 0..2 {
        println!("half a minute later: {}", state());
        assert_eq!(state(), CircuitState::HalfOpen);
        send("ada").expect("it is tried");
    }
    println!("two mails went through: {}", state());
    assert_eq!(state(), CircuitState::Closed);
}
