//! Three windows, a ban, and a limit that depends on the caller. Time is virtual, so this takes none.

use std::time::Duration;

use larder::guard::Window;
use larder::testing::Simulation;
use larder::{Cache, Reason, Refused, rate_limit};

#[rate_limit(cache = cache, limit = 6, per = "1m", window = window, key = "job")]
fn job(cache: &Cache, window: Window) -> Result<(), Refused> {
    let _ = (cache, window);
    Ok(())
}

#[rate_limit(cache = cache, limit = 3, per = "1m", ban = "1h", key = "login:{ip}")]
fn login(cache: &Cache, ip: &str) -> Result<usize, Refused> {
    let _ = cache;
    Ok(ip.len())
}

#[rate_limit(cache = cache, limit = if paid { 100 } else { 10 }, per = "1d", key = "api:{user}")]
fn api(cache: &Cache, user: &str, paid: bool) -> Result<usize, Refused> {
    let _ = (cache, paid);
    Ok(user.len())
}

fn main() {
    let time = Simulation::new(1);
    let cache = time.cache_builder().build().expect("a cache");
    println!("Six a minute, asked for at these seconds:");
    for (window, expected) in [
        (Window::Fixed, 12),
        (Window::Sliding, 12),
        (Window::Gcra, 13),
    ] {
        let (mut now, mut passed) = (0, Vec::new());
        for (second, calls) in [(0, 1), (50, 6), (60, 6), (110, 6)] {
            time.advance(Duration::from_secs(second - now));
            now = second;
            let through = |_: &u64| job(&cache, window).is_ok();
            passed.extend([second].repeat(calls).into_iter().filter(through));
        }
        println!("  {:7} {passed:?}", format!("{window:?}"));
        assert_eq!(passed.len(), expected);
        time.advance(Duration::from_secs(120));
    }
    let answers: Vec<bool> = (0..5).map(|_| login(&cache, "10.0.0.1").is_ok()).collect();
    assert_eq!(answers, [true, true, true, false, false]);
    let refused = login(&cache, "10.0.0.1").expect_err("kept out");
    assert_eq!(refused.reason(), Reason::Banned);
    println!("{refused}");
    let calls = |user, paid| (0..200).filter(|_| api(&cache, user, paid).is_ok()).count();
    assert_eq!((calls("ada", true), calls("bob", false)), (100, 10));
    println!("{} calls were refused", cache.stats().refused);
}
