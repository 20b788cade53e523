//! What is invalidated while a server is down stays so when it is back, though the server still holds the older entry.

use std::time::Instant;

use larder::scope;

use crate::node::{BOUND, HEALED, Node, Pair};
use crate::origin::{Answer, Origin, change, change_all, change_held, fresh, held};
use crate::subject::{Subject, on_each};

#[derive(Clone, Copy)]
enum Changing {
    One,
    All,
}

/// From the fault on, `a` never sees an older value; in the end both see the new one, from the store.
async fn wins(subject: Subject, changing: Changing) {
    let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
    let id = pair.warm(&origin).await;
    subject.server.stop();
    let began = Instant::now();
    let here = scope().default_cache(&pair.a.cache);
    match changing {
        Changing::All => here.wrap(change_all(&origin)).await,
        Changing::One => here.wrap(change(&origin, id)).await,
    }
    let took = began.elapsed();
    assert!(
        took < BOUND,
        "{}: invalidating took {took:?}",
        subject.name()
    );
    assert_eq!(origin.version(), 2);
    pair.a.call(&origin, id).await;
    // The breaker opens, so that it has to be closed again.
    pair.a.fifty(&origin).await;
    subject.server.resume();
    loop {
        // Checks the version.
        pair.a.call(&origin, id).await;
        if pair.is_healed(&origin).await {
            break;
        }
        assert!(began.elapsed() < HEALED, "{}: not back", subject.name());
    }
    pair.a.call(&origin, id).await;
    // Copies in another's memory are its own affair, but the store has only what is true.
    let c = Node::new("c", &subject.url());
    c.call(&origin, id).await;
}

#[test]
fn a_removal_that_the_server_did_not_hear_wins_over_what_it_holds() {
    on_each(|subject| wins(subject, Changing::One));
}

#[test]
fn a_tag_forgotten_while_the_server_did_not_hear_wins_over_what_it_holds() {
    on_each(|subject| wins(subject, Changing::All));
}

/// Calls the function that waits, without a wait.
async fn held_by(node: &Node, origin: &Origin, id: u64) -> Answer {
    origin.go.add_permits(1);
    let given = scope()
        .default_cache(&node.cache)
        .wrap(held(origin, id))
        .await;
    origin.go.forget_permits(1);
    given
}

#[test]
fn a_fill_that_was_sent_to_a_server_that_did_not_hear_loses_to_a_later_removal() {
    on_each(async |subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        pair.warm(&origin).await;
        let id = fresh();
        let here = || scope().default_cache(&pair.a.cache);
        let fault = async {
            origin.began.notified().await;
            subject.server.stop();
            origin.go.add_permits(1);
        };
        tokio::join!(here().wrap(held(&origin, id)), fault);
        here().wrap(change_held(&origin, id)).await;
        pair.a.fifty(&origin).await;
        // Now it hears the fill, then all else.
        subject.server.resume();
        let began = Instant::now();
        while !pair.is_healed(&origin).await {
            let given = held_by(&pair.a, &origin, id).await;
            assert!(given.is_right(id, 2), "{}: {given:?}", subject.name());
            assert!(began.elapsed() < HEALED, "{}: not back", subject.name());
        }
        for node in [&pair.a, &Node::new("c", &subject.url())] {
            let given = held_by(node, &origin, id).await;
            assert!(given.is_right(id, 2), "{}: {given:?}", subject.name());
        }
    });
}

#[test]
fn a_load_that_began_before_a_restart_does_not_undo_a_removal_after_it() {
    on_each(async |mut subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        pair.warm(&origin).await;
        let id = fresh();
        let fault = async {
            origin.began.notified().await;
            subject.server.kill();
            subject.server.start_again();
            let there = scope().default_cache(&pair.b.cache);
            there.wrap(change_held(&origin, id)).await;
            origin.go.add_permits(1);
        };
        let here = scope().default_cache(&pair.a.cache);
        tokio::join!(here.wrap(held(&origin, id)), fault);
        pair.heals(&origin).await;
        for node in [&pair.b, &Node::new("c", &subject.url())] {
            let given = held_by(node, &origin, id).await;
            assert!(given.is_right(id, 2), "{}: {given:?}", subject.name());
        }
    });
}
