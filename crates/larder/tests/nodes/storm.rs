//! What befalls a schedule from outside: links, processes, the store and its clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder::testing::Faults;

use crate::scene::Scene;

/// Something befalls it now and then.
pub(crate) async fn rages(scene: Arc<Scene>) {
    let times = scene.chance().below(6);
    for _ in 0..times {
        let time = scene.chance().millis(&[3, 20, 60]);
        scene.simulation.sleep(time).await;
        befalls(&scene);
    }
}

fn befalls(scene: &Scene) {
    let chance = scene.chance();
    let place = chance.below(scene.places());
    let link = scene.node(place).link;
    let what = chance.below(9);
    scene.say(|| format!("{what} befalls place {place}"));
    match what {
        0 => link.cut(),
        1 => link.refuse(),
        2..5 => link.heal(),
        5 => link.suffer(scene.faults()),
        6 => {
            scene.crashed.store(true, Ordering::Relaxed);
            scene.store.crash();
        }
        _ => scene.store.clock_runs_at([50, 100, 200][chance.below(3)]),
    }
}

/// All is well again: nothing that was lost comes later than this waits.
pub(crate) async fn is_over(scene: &Scene) {
    for place in 0..scene.places() {
        let link = scene.node(place).link;
        link.suffer(Faults::none());
        link.heal();
    }
    scene.store.clock_runs_at(100);
    scene.simulation.sleep(Duration::from_secs(1)).await;
}
