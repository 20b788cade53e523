//! Several keys with one call: what is missing is loaded together, and loads are shared.

#[path = "../support/mod.rs"]
mod support;

mod loading;
mod policies;

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::sync::{Arc, Mutex};

use larder::{Cache, Policy};
use support::{Gate, Log, Oops, Running, World};

pub(crate) type Found = HashMap<String, u64>;

/// A loader of several keys: gives the number in each key plus an offset, and remembers what it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Loader {
    pub(crate) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) asked: Vec<Vec<String>>,
    pub(crate) offset: u64,
    pub(crate) gate: Option<Gate>,
    pub(crate) fails: bool,
    pub(crate) leaves_out: Option<&'static str>,
    pub(crate) adds: Option<&'static str>,
}

impl Loader {
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(crate) fn hold(&self) -> Gate {
        let gate = Gate::default();
        self.change(|state| state.gate = Some(gate.clone()));
        gate
    }

    pub(crate) fn flow(&self) {
        self.change(|state| state.gate = None);
    }

    /// What it was asked for so far, each call's keys in order.
    pub(crate) fn asked(&self) -> Vec<Vec<String>> {
        let mut asked = self.state.lock().unwrap().asked.clone();
        asked.iter_mut().for_each(|keys| keys.sort());
        asked
    }

    pub(crate) fn load(
        &self,
        keys: Vec<String>,
    ) -> impl Future<Output = Result<Found, Oops>> + use<> {
        let (offset, gate, fails, leaves_out, adds) = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(keys.clone());
            let (leaves_out, adds) = (state.leaves_out, state.adds);
            (
                state.offset,
                state.gate.clone(),
                state.fails,
                leaves_out,
                adds,
            )
        };
        async move {
            if let Some(gate) = gate {
                gate.pass().await;
            }
            if fails {
                return Err(Oops("down"));
            }
            let number = |key: &str| key.trim_start_matches("k:").parse::<u64>().unwrap();
            let keys = keys.into_iter().chain(adds.map(str::to_owned));
            let keys = keys.filter(|key| Some(key.as_str()) != leaves_out);
            Ok(keys
                .map(|key| (key.clone(), number(&key) + offset))
                .collect())
        }
    }
}

pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) log: Log,
    pub(crate) cache: Cache,
    pub(crate) loader: Loader,
    pub(crate) policy: Policy,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let log = Log::default();
        Self {
            cache: world.observed(log.clone()),
            world,
            log,
            loader: Loader::default(),
            policy: Policy::new().ttl("1m"),
        }
    }

    pub(crate) fn start(&self, keys: &'static [&'static str]) -> Running<larder::Result<Found>> {
        let (cache, loader, policy) = (self.cache.clone(), self.loader.clone(), self.policy);
        let running = self.world.spawn(async move {
            let load = move |keys| loader.load(keys);
            let loading = cache.get_or_load_many(keys, load).policy(policy);
            loading.into_future().await
        });
        self.world.settle();
        running
    }

    #[track_caller]
    pub(crate) fn get(&self, keys: &'static [&'static str]) -> Found {
        self.start(keys).value().unwrap()
    }
}

pub(crate) fn found(entries: &[(&str, u64)]) -> Found {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value))
        .collect()
}
