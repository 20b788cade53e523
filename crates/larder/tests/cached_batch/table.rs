//! A source of names by id, which does as it is told and remembers what it was asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use larder::Cache;

use crate::support::{Gate, Log, Oops, World};

pub(crate) type Names = HashMap<u64, String>;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) cache: Cache,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    asked: Vec<Vec<u64>>,
    /// Which edition of the names it gives.
    pub(crate) edition: u64,
    pub(crate) gate: Option<Gate>,
    pub(crate) fails: bool,
    pub(crate) panics: bool,
    pub(crate) lacks: HashSet<u64>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn over(cache: &Cache) -> Self {
        Self {
            cache: cache.clone(),
            state: Arc::default(),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// Has nothing for this id from now on.
    pub(crate) fn lack(&self, id: u64) {
        self.change(|state| _ = state.lacks.insert(id));
    }

    /// Calls wait from now on, until the gate is opened.
    pub(crate) fn hold(&self) -> Gate {
        let gate = Gate::default();
        self.change(|state| state.gate = Some(gate.clone()));
        gate
    }

    pub(crate) fn flow(&self) {
        self.change(|state| state.gate = None);
    }

    /// What each call asked for, in the order it asked in.
    pub(crate) fn asked(&self) -> Vec<Vec<u64>> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }

    pub(crate) fn read(&self, ids: &[u64]) -> Result<Names, Oops> {
        let mut state = self.state.lock().unwrap();
        state.asked.push(ids.to_vec());
        let (edition, fails, panics) = (state.edition, state.fails, state.panics);
        let lacks = state.lacks.clone();
        drop(state);
        assert!(!panics, "the table is broken");
        if fails {
            return Err(Oops("down"));
        }
        let there = ids.iter().filter(|id| !lacks.contains(id));
        Ok(there.map(|id| (*id, name(*id, edition))).collect())
    }

    pub(crate) async fn load(&self, ids: &[u64]) -> Result<Names, Oops> {
        let answer = self.read(ids);
        let gate = self.state.lock().unwrap().gate.clone();
        if let Some(gate) = gate {
            gate.pass().await;
        }
        answer
    }
}

pub(crate) fn name(id: u64, edition: u64) -> String {
    format!("name {id}.{edition}")
}

pub(crate) fn names(ids: &[u64], edition: u64) -> Names {
    ids.iter().map(|id| (*id, name(*id, edition))).collect()
}

pub(crate) fn sorted(names: &Names) -> BTreeMap<u64, String> {
    names.iter().map(|(id, name)| (*id, name.clone())).collect()
}

/// A world, a cache in it, and a table behind the cache.
pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) log: Log,
    pub(crate) table: Table,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let log = Log::default();
        let table = Table::over(&world.observed(log.clone()));
        Self { world, log, table }
    }
}

/// Starts a call that takes the table by reference, and lets it run as far as it can.
macro_rules! start {
    ($scene:expr, |$table:ident| $call:expr) => {{
        let $table = $scene.table.clone();
        let running = $scene.world.spawn(async move { $call.await });
        $scene.world.settle();
        running
    }};
}

/// Runs a call to its end.
macro_rules! get {
    ($scene:expr, |$table:ident| $call:expr) => {
        $crate::table::start!($scene, |$table| $call).value()
    };
}

pub(crate) use {get, start};
