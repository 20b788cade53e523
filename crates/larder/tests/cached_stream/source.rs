//! A source of numbered rows, which does as it is told and counts.

use std::sync::{Arc, Mutex};

use larder::Cache;

use crate::support::{Gate, Log, Oops, World};

#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) cache: Cache,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    calls: u64,
    pub(crate) edition: u64,
    /// Where it stops to wait, and for what.
    pub(crate) gate: Option<(u64, Gate)>,
    pub(crate) fails_at: Option<u64>,
    pub(crate) panics_at: Option<u64>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Rows {
    pub(crate) fn over(cache: &Cache) -> Self {
        Self {
            cache: cache.clone(),
            state: Arc::default(),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// How often the source was started.
    pub(crate) fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }

    pub(crate) fn edition(&self) -> u64 {
        self.state.lock().unwrap().edition
    }

    /// The source waits before row `at`, until the gate is opened.
    pub(crate) fn hold(&self, at: u64) -> Gate {
        let gate = Gate::default();
        self.change(|state| state.gate = Some((at, gate.clone())));
        gate
    }

    pub(crate) fn flow(&self) {
        self.change(|state| state.gate = None);
    }

    pub(crate) fn start(&self) {
        self.change(|state| state.calls += 1);
    }

    pub(crate) fn row(&self, at: u64) -> Result<u64, Oops> {
        let state = self.state.lock().unwrap();
        let (fails, panics, edition) = (state.fails_at, state.panics_at, state.edition);
        drop(state);
        assert!(panics != Some(at), "the source is broken");
        if fails == Some(at) {
            return Err(Oops("row unreadable"));
        }
        Ok(edition * 100 + at)
    }

    pub(crate) async fn pass(&self, at: u64) {
        let gate = self.state.lock().unwrap().gate.clone();
        if let Some((_, gate)) = gate.filter(|(before, _)| *before == at) {
            gate.pass().await;
        }
    }
}

pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) log: Log,
    pub(crate) rows: Rows,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let log = Log::default();
        let rows = Rows::over(&world.observed(log.clone()));
        Self { world, log, rows }
    }
}
