//! One call in another way, without another function; and how a value came.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Remaining, Source, cached, scope};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(key = "stock:{item}", ttl = "1h")]
fn stock(item: &str) -> usize {
    RUNS.fetch_add(1, Ordering::Relaxed);
    item.len()
}

#[cached(key = "offer:{item}", ttl = "1h")]
fn offer(item: &str) -> String {
    format!("{} of {item}", stock(item))
}

fn main() {
    assert_eq!(offer("pears"), "5 of pears");
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);

    // The offer is made anew; the stock, which it asks for, is not meant and comes from the cache.
    scope().bypass().run(|| offer("pears"));
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    scope().bypass().run(|| stock("pears"));
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);

    scope().ttl("1m").key("preview").run(|| offer("figs"));
    let preview = larder::cache().blocking().inspect::<String>("preview");
    let preview = preview.expect("an open cache").expect("an entry");
    let Some(Remaining::For(left)) = preview.remaining else {
        panic!("it ends");
    };
    println!("`{}` is kept under `preview` for {left:.0?}", preview.value);
    assert!(left.as_secs() <= 60);
    assert_eq!(offer::peek("figs").expect("an open cache"), None);

    let told = offer::inspect("pears");
    println!("`{}`: {:?}, {:?} old", told.value, told.source, told.age);
    assert_eq!(told.source, Source::Fresh);
    let exact = scope().require_fresh().run(|| offer::inspect("pears"));
    assert_eq!(exact.source, Source::Fresh);
}
