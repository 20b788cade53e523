//! One call of a function over many ids: what the attribute `cached_batch` runs.
//!
//! The generated code holds the arguments and asks in a loop, so that they need not be owned:
//! begin, prepare, then next, run, judge, keep until nothing is left, finish.

use std::collections::HashMap;
use std::future::Future;

use super::answer::{Answer, AskedFor, EntryOf};
use super::ends::Answered;
use super::{Batch, Due, Following, Hits, Item, Joining, Leads, Reading, hits};
use crate::cache::{Cache, Permit};
use crate::engine::follow::{deadline, within};
use crate::engine::plan::Errors;
use crate::engine::{Cacheable, Lead, Plan, Settle, Shape, Site};
use crate::error::Error;
use crate::key::KeyBuf;
use crate::middleware::Doing;
use crate::overlay::{Ambient, Came};
use crate::policy::{FOREVER, Policy};
use crate::runtime::Task;
use crate::scope;
use crate::switch::Operations;

/// One call for many ids. `S` and `R` say how the entry of one id is kept.
pub struct Asking<'a, I, S: Shape<R>, R> {
    cache: &'a Cache,
    site: &'static Site,
    batch: Batch<'a>,
    ids: Vec<I>,
    /// Which entry belongs to each id: ids with the same key have one.
    places: Vec<usize>,
    /// The first id of each entry.
    firsts: Vec<usize>,
    found: Vec<(usize, S::Value)>,
    unplanned: Vec<(usize, KeyBuf, Reading<'a>)>,
    due: Due<usize>,
    claimed: Vec<(usize, KeyBuf, Lead)>,
    missing: Vec<Item<'a, usize>>,
    /// Led, and not looked for in the store yet.
    ready: Leads<'a, usize>,
    /// To be asked of the source.
    pending: Leads<'a, usize>,
    loading: Leads<'a, usize>,
    follows: Vec<Following<'a, usize>>,
    answered: Option<Answered<'a>>,
    errors: Option<Errors<S::Error>>,
    failed: Option<S::Error>,
    chunk: usize,
    is_anew: bool,
    /// Whether what is due was offered: who does not take it then cannot reload behind.
    is_handed_out: bool,
    _permit: Option<Permit>,
}

impl<'a, I, S, R> Asking<'a, I, S, R>
where
    I: Clone,
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    /// Looks into memory for the ids. `None` when the cache is off: then the function is called as it is.
    pub fn begin<'i>(
        cache: &'a Cache,
        site: &'static Site,
        ids: impl IntoIterator<Item = &'i I>,
        key: impl Fn(&I) -> KeyBuf,
    ) -> Option<Self>
    where
        I: 'i,
    {
        let (mut asking, keys) = Self::over(cache, site, ids, key)?;
        let Hits {
            found,
            missing,
            due,
            failed,
        } = scope::with_own_keys(|| hits::<_, S, R>(cache, site, keys));
        asking.found = found;
        asking.due = due;
        // An error that was kept for one id answers for the call, as the function itself would have.
        asking.failed = failed;
        asking.unplanned = missing;
        Some(asking)
    }

    /// Asks for the ids whatever is there.
    pub fn anew<'i>(
        cache: &'a Cache,
        site: &'static Site,
        ids: impl IntoIterator<Item = &'i I>,
        key: impl Fn(&I) -> KeyBuf,
    ) -> Option<Self>
    where
        I: 'i,
    {
        let (mut asking, keys) = Self::over(cache, site, ids, key)?;
        asking.is_anew = true;
        let unseen = |(place, buf)| (place, buf, Some(Doing::unseen()));
        asking.unplanned = keys.into_iter().map(unseen).collect();
        Some(asking)
    }

    #[allow(clippy::type_complexity)]
    fn over<'i>(
        cache: &'a Cache,
        site: &'static Site,
        ids: impl IntoIterator<Item = &'i I>,
        key: impl Fn(&I) -> KeyBuf,
    ) -> Option<(Self, Vec<(usize, KeyBuf)>)>
    where
        I: 'i,
    {
        let is_off = cache.inner.is_off(Operations::READ | Operations::WRITE);
        if is_off || scope::overrides().bypass {
            return None;
        }
        let mut asking = Self::empty(cache, site);
        asking.ids = ids.into_iter().cloned().collect();
        let mut known = HashMap::with_capacity(asking.ids.len());
        let mut keys = Vec::with_capacity(asking.ids.len());
        for (at, id) in asking.ids.iter().enumerate() {
            let buf = key(id);
            let place = *known.entry(buf.to_key()).or_insert(keys.len());
            if place == keys.len() {
                keys.push((place, buf));
                asking.firsts.push(at);
            }
            asking.places.push(place);
        }
        Some((asking, keys))
    }

    fn empty(cache: &'a Cache, site: &'static Site) -> Self {
        let batch = Batch::new(cache, &Policy::new());
        Self {
            cache,
            site,
            ids: Vec::new(),
            places: Vec::new(),
            firsts: Vec::new(),
            found: Vec::new(),
            unplanned: Vec::new(),
            due: Due::none(),
            claimed: Vec::new(),
            missing: Vec::new(),
            ready: batch.claim(Vec::new()),
            pending: batch.claim(Vec::new()),
            loading: batch.claim(Vec::new()),
            batch,
            follows: Vec::new(),
            answered: None,
            errors: None,
            failed: None,
            chunk: usize::MAX,
            is_anew: false,
            is_handed_out: false,
            _permit: None,
        }
    }

    /// Asks for at most so many ids at once; at least for one.
    pub fn chunk(&mut self, most: usize) {
        self.chunk = most.max(1);
    }

    /// Whether there is nothing to load.
    pub fn is_done(&self) -> bool {
        self.failed.is_some() || (self.unplanned.is_empty() && self.claimed.is_empty())
    }

    /// What was served and wants to be reloaded behind, since this was asked last.
    pub fn due(&mut self) -> Option<Overdue<I>> {
        let due = std::mem::replace(&mut self.due, Due::none());
        self.is_handed_out = false;
        if due.is_empty() {
            return None;
        }
        let id = |place: usize| self.ids[self.firsts[place]].clone();
        let keys = due.keys.into_iter();
        Some(Overdue {
            cache: self.cache.clone(),
            site: self.site,
            keys: keys
                .map(|(place, key, lead)| (id(place), key, lead))
                .collect(),
            permit: due.permit,
        })
    }

    /// Says how the missing ids are kept.
    pub fn prepare(&mut self, plan: impl Fn(&I, &mut Plan<S::Error>)) {
        let inner = &self.cache.inner;
        let mut wait = None;
        inner.templates.note(self.site);
        let mut item = |place: usize, buf: KeyBuf, reading: Reading<'a>| {
            let mut said = Plan::new();
            plan(&self.ids[self.firsts[place]], &mut said);
            self.errors.get_or_insert(said.errors);
            let planned = said.finish(inner, &buf.to_key());
            wait.get_or_insert(planned.policy.wait);
            self.batch.item(place, self.site, (buf, reading), planned)
        };
        let unplanned = std::mem::take(&mut self.unplanned).into_iter();
        self.missing = unplanned
            .map(|(place, buf, reading)| item(place, buf, reading))
            .collect();
        let claimed = std::mem::take(&mut self.claimed).into_iter();
        let unseen = || Some(Doing::unseen());
        let claimed = claimed.map(|(place, buf, lead)| (item(place, buf, unseen()), lead));
        let claimed: Vec<_> = claimed.collect();
        self.ready = self.batch.claim(claimed);
        self.batch.until = deadline(inner, wait.unwrap_or(FOREVER));
    }

    /// The ids that this call has to ask for now; none at all when it is only to be asked what is [`due`](Self::due). `None` when everything is known, or lost.
    pub async fn next(&mut self) -> Option<Vec<I>> {
        while self.failed.is_none() {
            if !self.missing.is_empty() || !self.ready.is_empty() {
                self.look().await;
            } else if !self.pending.is_empty() {
                self.loading = self.pending.take(self.chunk);
                let id = |place: &usize| self.ids[self.firsts[*place]].clone();
                return Some(self.loading.ids().map(id).collect());
            } else if !self.follows.is_empty() && !self.due.is_empty() {
                // Nobody loads what this call has claimed to reload, so it must not wait with it.
                if self.is_handed_out {
                    self.due = Due::none();
                } else {
                    self.is_handed_out = true;
                    return Some(Vec::new());
                }
            } else if !self.follows.is_empty() {
                // Own loads come first: a batch that waits holds nothing that another could be waiting for.
                let follows = std::mem::take(&mut self.follows);
                let share = self.errors.and_then(|errors| errors.share);
                let (batch, found) = (&self.batch, &mut self.found);
                match batch.follow::<_, S, R>(follows, share, found).await {
                    Ok((again, past)) => {
                        self.missing = again;
                        self.pending = past;
                    }
                    Err(error) => self.failed = Some(error),
                }
            } else {
                break;
            }
        }
        None
    }

    /// Joins or leads what is missing, and looks in the store for what it leads.
    async fn look(&mut self) {
        let missing = std::mem::take(&mut self.missing);
        if let Some(ambient) = self.cache.inner.ambient() {
            return self.look_inside(&ambient, missing).await;
        }
        let nothing = self.batch.claim(Vec::new());
        let ready = std::mem::replace(&mut self.ready, nothing);
        let leads = if self.is_anew {
            self.batch.join_anew(missing)
        } else {
            let joining = self.batch.join::<_, S, R>(missing, &mut self.found);
            let Joining { leads, follows } = joining;
            self.follows = follows;
            leads
        };
        let leads = leads.and(ready);
        let (found, due) = (&mut self.found, &mut self.due);
        let (leads, error) = self.batch.look::<_, S, R>(leads, found, due).await;
        self.looked(leads, error);
    }

    /// The same in a scope that keeps changes to itself.
    async fn look_inside(&mut self, ambient: &Ambient, missing: Vec<Item<'a, usize>>) {
        let came = match self.is_anew {
            true => Came::Refreshed,
            false => Came::Loaded,
        };
        let (batch, found) = (&self.batch, &mut self.found);
        let (leads, error) = batch
            .lead_inside::<_, S, R>((ambient, came), missing, found)
            .await;
        self.looked(leads, error);
    }

    /// Leads what is left to be loaded; with `strict`, an error of the store is one of the function.
    fn looked(&mut self, leads: Leads<'a, usize>, error: Option<Error>) {
        let errors = self.errors.as_ref();
        let strict = errors.and_then(|errors| errors.strict.zip(error));
        match strict {
            Some((strict, error)) => {
                let error = strict(error);
                let share = errors.and_then(|errors| errors.share);
                self.batch.refuse(leads, &error, share);
                self.failed = Some(error);
            }
            None => {
                let past = std::mem::replace(&mut self.pending, self.batch.claim(Vec::new()));
                self.pending = leads.and(past);
            }
        }
    }

    /// Runs the function for the ids that [`next`](Self::next) gave.
    pub async fn run<F: Future>(&mut self, source: F) -> F::Output {
        self.loading.load(Some(&self.pending), source).await
    }

    /// Takes the function's answer apart.
    pub fn judge<W, O>(
        &mut self,
        output: O,
        settle: impl Fn(&I, &mut Settle<'_, S::Value, S::Error>),
    ) where
        W: Shape<O, Error = S::Error>,
        W::Value: Answer,
        I: AskedFor<<W::Value as Answer>::Id>,
        S::Value: EntryOf<<W::Value as Answer>::Value>,
    {
        let leads = std::mem::replace(&mut self.loading, self.batch.claim(Vec::new()));
        let id = |place: &usize| &self.ids[self.firsts[*place]];
        let settle = |place: &usize, deciding: &mut Settle<'_, _, _>| settle(id(place), deciding);
        match W::split(output) {
            Ok(mut answer) => {
                let value = |place: &usize| S::Value::of(answer.take(&id(place).answered_as()));
                let found = &mut self.found;
                let answered = self.batch.answered::<_, S, R>(leads, value, settle, found);
                self.answered = Some(answered);
            }
            Err(error) => {
                let share = self.errors.and_then(|errors| errors.share);
                let found = &mut self.found;
                let failed = self
                    .batch
                    .fail::<_, S, R>(leads, error, share, settle, found);
                self.failed = failed.err();
            }
        }
    }

    /// Keeps what the function gave.
    pub async fn keep(&mut self) {
        if let Some(Answered { filling, gone }) = self.answered.take() {
            self.batch.forget_gone(gone).await;
            self.batch.fill(filling).await;
        }
    }

    /// The answer to the whole call.
    pub fn finish<W, O>(self) -> O
    where
        W: Shape<O, Error = S::Error>,
        W::Value: Answer,
        I: AskedFor<<W::Value as Answer>::Id>,
        S::Value: EntryOf<<W::Value as Answer>::Value>,
    {
        if let Some(error) = self.failed {
            return W::error(error);
        }
        let mut entries: Vec<Option<S::Value>> = self.firsts.iter().map(|_| None).collect();
        let mut uses = vec![0_usize; entries.len()];
        self.places.iter().for_each(|place| uses[*place] += 1);
        for (place, entry) in self.found {
            entries[place] = Some(entry);
        }
        let mut answer = W::Value::with_room_for(entries.len());
        for (id, place) in self.ids.iter().zip(self.places) {
            uses[place] -= 1;
            let entry = match uses[place] {
                0 => entries[place].take(),
                _ => entries[place].clone(),
            };
            if let Some(value) = entry.and_then(EntryOf::found) {
                answer.give(id.answered_as(), value);
            }
        }
        W::value(answer)
    }
}

/// The answer for one id out of the answer for many.
///
/// # Errors
/// The function's own.
#[allow(clippy::type_complexity)]
pub fn picked<W, O>(
    output: O,
    id: &impl AskedFor<<W::Value as Answer>::Id>,
) -> Result<Option<<W::Value as Answer>::Value>, W::Error>
where
    W: Shape<O>,
    W::Value: Answer,
{
    W::split(output).map(|mut answer| answer.take(&id.answered_as()))
}

/// Ids that were served and want to be reloaded.
pub struct Overdue<I> {
    cache: Cache,
    site: &'static Site,
    keys: Vec<(I, KeyBuf, Lead)>,
    permit: Option<Permit>,
}

impl<I: Clone + Send + 'static> Overdue<I> {
    /// Reloads with an async function, as long as its policy lets it.
    pub fn run<F>(self, policy: Policy, reload: impl FnOnce(Cache, Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cache = self.cache.clone();
        let inner = cache.inner.clone();
        let until = deadline(&inner, policy.or(&inner.defaults).load_limit);
        let reader = scope::Context::here();
        let mut reload = Box::pin(reload(cache, self));
        let reload =
            std::future::poll_fn(move |context| reader.enter(|| reload.as_mut().poll(context)));
        let runtime = inner.runtime.clone();
        // Whatever is cut off tells of its loss when it is dropped.
        let task = async move { _ = within(&inner, until, reload).await };
        runtime.spawn(Task::Load(Box::pin(task)));
    }

    /// Reloads with a sync function.
    pub fn run_blocking(self, reload: impl FnOnce(Cache, Self) + Send + 'static) {
        let cache = self.cache.clone();
        let runtime = cache.inner.runtime.clone();
        let reader = scope::Context::here();
        let job = Box::new(move || reader.enter(|| reload(cache, self)));
        runtime.spawn(Task::BlockingLoad(job));
    }

    /// The call that reloads them.
    pub fn ask<S, R>(self, cache: &Cache) -> Asking<'_, I, S, R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
    {
        let mut asking = Asking::empty(cache, self.site);
        for (place, (id, key, lead)) in self.keys.into_iter().enumerate() {
            asking.ids.push(id);
            asking.places.push(place);
            asking.firsts.push(place);
            asking.claimed.push((place, key, lead));
        }
        asking._permit = self.permit;
        asking
    }
}

impl<I, S: Shape<R>, R> std::fmt::Debug for Asking<'_, I, S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asking")
            .field("function", &self.site.path)
            .field("ids", &self.ids.len())
            .finish_non_exhaustive()
    }
}

impl<I> std::fmt::Debug for Overdue<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overdue")
            .field("function", &self.site.path)
            .field("ids", &self.keys.len())
            .finish_non_exhaustive()
    }
}
