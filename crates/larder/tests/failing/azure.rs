//! An object store that does not answer.

use crate::azurite::Azurite;
use crate::node::Pair;
use crate::origin::{Origin, fresh};
use crate::subject::drive;

#[test]
fn an_object_store_that_stops_or_dies_costs_one_limit_then_none() {
    let mut azurite = Azurite::start();
    drive(async {
        let (origin, pair) = (
            Origin::new(),
            Pair::new("Azurite", &azurite.url("failing", "&conditional=1")),
        );
        pair.warm(&origin).await;
        azurite.server().stop();
        pair.a.call(&origin, fresh()).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        azurite.server().resume();
        pair.heals(&origin).await;
        azurite.server().kill();
        pair.a.call(&origin, fresh()).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        azurite.start_again();
        pair.heals(&origin).await;
    });
}
