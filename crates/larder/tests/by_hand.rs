//! What an attribute expands to, written by hand: the contract between the macros and the engine.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder::__private::{
    AsPlain, Hit, KeyBuf, Knobs, Lit, Mode, Site, default_cache, error_cloner, fill_sync, hit,
    key_part,
};

static CALLS: AtomicUsize = AtomicUsize::new(0);

fn square(n: u64) -> u64 {
    let cache = default_cache();
    let mut key = KeyBuf::of(&cache, 0);
    key.literal("square:");
    key_part!(key, None, &n);
    match hit::<AsPlain, u64>(&cache, site(), &key) {
        Hit::Value(value) | Hit::Refresh(value, _) => return value,
        Hit::Miss => {}
    }
    fill_sync::<AsPlain, u64, _, _, _>(
        &cache,
        site(),
        key,
        Mode::Foreground,
        |plan| {
            const POLICY: larder::Policy = Knobs::new().ttl(Lit::Text("10m")).finish();
            plan.policy(POLICY);
            plan.tag("squares");
            plan.share_errors(error_cloner!(AsPlain, u64));
        },
        || {
            CALLS.fetch_add(1, Ordering::Relaxed);
            n * n
        },
        |_| {},
    )
}

fn site() -> &'static Site {
    static SITE: Site = Site::new("by_hand::square", "square:{n}");
    &SITE
}

#[test]
fn a_second_call_does_not_run_the_body_until_its_tag_is_forgotten() {
    assert_eq!(square(7), 49);
    assert_eq!(square(7), 49);
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    let cache = larder::cache();
    println!("{}", cache.blocking().explain("square:7").unwrap());
    cache.blocking().delete_tags(["squares"]).unwrap();
    println!("{}", cache.blocking().explain("square:7").unwrap());
    assert_eq!(square(7), 49);
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    assert_eq!(site().stats().fresh, 1);
    assert_eq!(site().stats().misses, 2);
}
