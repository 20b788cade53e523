//! What callbacks and detections hear of a commit, where nobody observes.

use std::sync::{Arc, Mutex};

use larder::transaction::Mode;
use larder::{Operations, Selector, detect_async};

use crate::support::World;
use crate::{Done, number};

#[test]
fn callbacks_hear_of_the_keys_that_a_commit_removes_and_writes() {
    let world = World::new();
    let cache = world.cache();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let told = Operations::WRITE | Operations::REMOVE;
    let here = cache.clone();
    world.run(async move {
        here.set("user:1", &1_u64).ttl("1m").await.unwrap();
        let _on = here.on(told, "user:*", move |told| {
            let line = (told.operation, told.key.map(str::to_owned));
            sink.lock().unwrap().push(line);
        });
        let done: Done = here
            .transaction(Mode::Fast, |_| async {
                here.delete("user:1").await?;
                here.delete("other").await?;
                here.set("user:2", &2_u64).ttl("1m").await.map(drop)
            })
            .await;
        done.unwrap();
    });
    let key = |key: &str| Some(key.to_owned());
    assert_eq!(
        *lines.lock().unwrap(),
        [
            (Operations::WRITE, key("user:2")),
            (Operations::REMOVE, key("user:1")),
        ]
    );
}

#[test]
fn a_detection_around_a_transaction_sees_what_its_commit_wrote_and_removed() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let transaction = async {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("k", &1_u64).ttl("1m").await?;
                    cache.increment("n", 1).ttl("1m").await?;
                    cache.delete("gone").await.map(drop)
                })
                .await;
            done.unwrap();
        };
        let ((), detected) = detect_async(transaction).await;
        let mut written: Vec<&str> = detected.writes.iter().map(|w| w.key.as_str()).collect();
        written.sort_unstable();
        assert_eq!(written, ["k", "n"]);
        assert!(detected.writes.iter().all(|write| &*write.tier == "memory"));
        let removed: Vec<&Selector> = detected.removals.iter().map(|r| &r.selector).collect();
        assert_eq!(removed, [&Selector::Keys(vec!["gone".into()])]);
        assert_eq!(number(&cache, "k").await, Some(1));
    });
}
