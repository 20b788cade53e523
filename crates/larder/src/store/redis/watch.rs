//! Looking after a connection that nobody uses: whether it still tells what others change, and whether its server is still the master.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::line::{Line, Up};
use super::settings::Service;

/// How often. A local copy of a connection that died without a word, or of a server that is no master any more, is believed for so long at most, and for as long as connecting may take.
const EVERY: Duration = Duration::from_secs(1);

/// Begins to look after a connection; ends with it.
pub(super) fn begin(line: &Arc<Line>, up: &Arc<Up>) {
    let plan = &line.plan;
    if plan.tracking.is_none() && !matches!(plan.settings.service, Service::Watched { .. }) {
        return;
    }
    let (line, up) = (Arc::downgrade(line), Arc::downgrade(up));
    let clock = plan.clock.clone();
    drop(plan.clock.spawn(async move {
        loop {
            let pause = {
                let _clock = clock.enter();
                tokio::time::sleep(EVERY)
            };
            pause.await;
            if !look(&line, &up).await {
                return;
            }
        }
    }));
}

async fn look(line: &Weak<Line>, up: &Weak<Up>) -> bool {
    let (Some(line), Some(up)) = (line.upgrade(), up.upgrade()) else {
        return false;
    };
    if up.is_lost() {
        return false;
    }
    let plan = &line.plan;
    let silent = plan.tracking.is_some() && !line.answers(&up).await;
    let moved = match &plan.settings.service {
        // What cannot be asked is not known to have moved.
        Service::Watched { name } => plan
            .limit(plan.master(name))
            .await
            .and_then(Result::ok)
            .is_some_and(|master| up.server.as_ref() != Some(&master)),
        _ => false,
    };
    if silent || moved {
        line.drop_line(&up);
    }
    !silent && !moved
}
