//! What every store and every wrapper of stores must do, as cases that a test runs.
//!
//! ```
//! use std::sync::Arc;
//! use larder::conformance::{self, Subject};
//! use larder::runtime::{BoxFuture, Runtime};
//! use larder::store::Store;
//! use larder::testing::{MemoryStore, Simulation};
//!
//! struct Memory(Simulation, MemoryStore);
//!
//! impl Subject for Memory {
//!     fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
//!         Box::pin(async move { Ok(Arc::new(self.1.within(prefix)) as Arc<dyn Store>) })
//!     }
//!
//!     // A store in real time needs neither of these.
//!     fn wait(&self, time: std::time::Duration) -> BoxFuture<'_, ()> {
//!         self.0.sleep(time)
//!     }
//!
//!     fn now(&self) -> u64 {
//!         1_800_000_000_000 + self.0.clock().now().as_nanos() / 1_000_000
//!     }
//! }
//!
//! let simulation = Simulation::new(1);
//! let memory = Memory(simulation.clone(), MemoryStore::new(simulation.runtime()));
//! simulation.block_on(conformance::all(&memory));
//! ```
//!
//! The cases use no runtime of their own: await them wherever the store can be awaited. Each opens the store with a prefix of its own, so one server serves all of them,
//! and leaves nothing behind where the store can remove by prefix.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Result;
use crate::runtime::{BoxFuture, Runtime, SystemRuntime};
use crate::store::Store;
use crate::store::wait::within;

mod bits;
mod conditions;
mod counting;
mod ended;
mod invalidating;
mod keys;
mod leases;
mod lives;
mod locking;
mod reading;
mod removing;
mod scanning;
mod standing;
mod tags;
mod together;
mod touching;
mod trial;
mod windowing;

use trial::{Broken, Trial};

/// The store under test: how it is opened, and how its time passes.
pub trait Subject: Send + Sync {
    /// A new handle, as another process would have it, for keys and tags that begin with `prefix`. Handles of one prefix share what they hold;
    /// with a prefix that was never used the store is empty.
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Arc<dyn Store>>>;

    /// Resolves when so much time has passed for the store; in real time unless it is overridden.
    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        SystemRuntime::new().sleep(time)
    }

    /// The present in milliseconds since 1970-01-01 UTC; the system's unless it is overridden.
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }

    /// What it cannot do, and how exact it is; everything and exactly unless it is overridden.
    fn expect(&self) -> Expect {
        Expect::everything()
    }
}

/// A power that a store may lack, if it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Power {
    /// [`Store::scan`].
    Scan,
    /// [`Store::remove`] by prefix.
    Prefixes,
    /// [`Store::remove`] by pattern.
    Patterns,
    /// [`Store::touch`] that is ever `true`.
    Touch,
    /// [`Store::remove`] by keys that tells exactly how many there were.
    Counts,
    /// [`Store::counters`].
    Counters,
    /// [`Store::locks`].
    Locks,
    /// [`Store::windows`].
    Windows,
    /// [`Store::bits`].
    Bits,
    /// [`Store::invalidations`].
    Invalidations,
}

/// What the suite expects of a store.
///
/// What is declared unsupported must then say so: [`ErrorKind::Unsupported`](crate::ErrorKind), or `None` for a power that is asked for by method.
#[derive(Clone, Debug)]
pub struct Expect {
    unsupported: BTreeSet<Power>,
    tick: Duration,
    largest: usize,
}

impl Expect {
    /// All powers; lives end within 50 ms; a value may have 1 MiB.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            unsupported: BTreeSet::new(),
            tick: Duration::from_millis(50),
            largest: 1 << 20,
        }
    }

    /// The store cannot do this, and says so.
    #[must_use]
    pub fn unsupported(mut self, power: Power) -> Self {
        self.unsupported.insert(power);
        self
    }

    /// Lives end at most so late: a second for a store that counts in seconds.
    #[must_use]
    pub fn tick(self, tick: Duration) -> Self {
        Self { tick, ..self }
    }

    /// A value may have at most so many bytes; a larger one is [`ErrorKind::Encode`](crate::ErrorKind).
    #[must_use]
    pub fn largest(self, bytes: usize) -> Self {
        Self {
            largest: bytes,
            ..self
        }
    }
}

/// One behaviour.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Trial<'a>) -> BoxFuture<'a, Result<(), Broken>>,
}

impl Case {
    /// What it shows, as `part::behaviour`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it in a fresh name space.
    ///
    /// # Errors
    /// What the store did otherwise; also when it took more than ten minutes.
    pub async fn run(&self, subject: &dyn Subject) -> Result<(), Failure> {
        let limit = SystemRuntime::new().sleep(Duration::from_secs(600));
        let mut store = String::new();
        let ran = within(limit, self.attempt(subject, &mut store)).await;
        let broken = match ran {
            Some(Ok(())) => return Ok(()),
            Some(Err(broken)) => broken,
            None => Broken::new("it took more than ten minutes"),
        };
        Err(Failure {
            store,
            case: self.name,
            what: broken.into_text(),
        })
    }

    async fn attempt(&self, subject: &dyn Subject, name: &mut String) -> Result<(), Broken> {
        let trial = Trial::begin(subject, self.name).await?;
        trial.store.name().clone_into(name);
        let ran = (self.run)(&trial).await;
        trial.end().await;
        ran
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// A store that did not do what it must.
#[derive(Clone, Debug)]
pub struct Failure {
    store: String,
    case: &'static str,
    what: String,
}

impl Failure {
    /// The [`Case::name`].
    #[must_use]
    pub fn case(&self) -> &'static str {
        self.case
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.store, self.case, self.what)
    }
}

impl std::error::Error for Failure {}

/// All cases, to run them one by one.
#[must_use]
pub fn cases() -> &'static [Case] {
    CASES
}

/// Runs all cases, one after another.
///
/// # Panics
/// With all that the store did otherwise.
pub async fn all(subject: &dyn Subject) {
    let failures = check(subject).await;
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        CASES.len(),
        told.join("\n")
    );
}

/// Runs all cases, one after another: what the store did otherwise.
pub async fn check(subject: &dyn Subject) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in CASES {
        failures.extend(case.run(subject).await.err());
    }
    failures
}

macro_rules! cases {
    ($($part:ident: $($name:ident),+;)+) => {
        static CASES: &[Case] = &[$($(Case {
            name: concat!(stringify!($part), "::", stringify!($name)),
            run: |trial| Box::pin($part::$name(trial)),
        },)+)+];
    };
}

cases! {
    reading: nothing_is_there_at_first, bytes_come_back_exactly, a_large_value_comes_back, a_value_over_the_bound_is_an_error,
        answers_stand_in_the_order_of_the_questions, a_batch_may_name_a_key_twice, an_empty_batch_is_answered_by_nothing,
        a_batch_of_a_thousand_keys, garbage_is_handed_out_or_missed;
    keys: odd_keys_are_keys_like_others, long_keys_that_begin_alike_stay_apart, name_spaces_do_not_meet;
    lives: an_entry_past_its_life_is_gone_for_every_operation, lives_may_be_shorter_than_a_second, a_life_of_nothing_is_no_entry,
        absurdly_long_lives_are_long, what_remains_is_told, a_write_replaces_the_life, a_fill_gives_a_life;
    conditions: absent_holds_once, present_holds_for_what_is_there, an_expired_entry_is_absent, a_condition_that_fails_changes_nothing;
    leases: a_miss_gives_a_lease_and_a_hit_none, a_fill_needs_its_lease, all_readers_of_a_key_may_fill, a_token_fits_one_key,
        made_up_tokens_fill_nothing, a_lease_has_an_end_of_its_own, an_entry_that_is_stale_comes_with_a_lease, an_entry_without_a_head_can_be_served,
        a_lease_can_be_asked_for_whatever_is_there, fills_of_a_batch_are_judged_one_by_one, leases_in_one_batch_are_apart;
    ended: by_a_write, by_a_write_on_condition, not_by_a_condition_that_fails, by_a_removal_of_the_key, by_a_removal_by_prefix, by_a_removal_of_everything,
        by_a_removal_by_pattern, by_an_addition, by_another_handle, not_by_what_happens_to_other_keys, not_before_they_were_given;
    tags: a_version_is_made_once, a_plain_read_makes_no_versions, a_read_with_a_lease_makes_versions, forgetting_changes_the_version,
        forgetting_moves_the_epoch, other_tags_stay, a_life_is_never_shortened, a_life_is_made_longer, versions_outlive_the_lease_by_the_life,
        an_entry_under_a_forgotten_tag_is_dead, a_written_entry_stands_by_its_tags, a_tag_may_be_known_late, a_tag_forgotten_while_a_value_was_made, versions_never_come_again, tags_and_keys_do_not_meet, odd_tags_are_tags_like_others;
    touching: a_new_head_leaves_the_body, a_head_of_another_length_is_refused, a_lost_lease_is_refused, what_is_not_there_is_not_touched;
    removing: these_keys_and_no_others, a_prefix_is_taken_literally, everything_of_this_name_space, a_pattern_by_the_rules_of_redis,
        the_prefix_of_a_pattern_is_taken_literally, what_is_written_afterwards_stays, what_is_unsupported_says_so;
    scanning: every_key_is_told, pages_of_any_size_end, what_stays_is_told_while_others_come_and_go, prefixes_and_patterns_hold, only_entries_are_told, a_foreign_cursor_does_no_harm;
    counting: sums_are_kept_as_decimal_text, the_first_addition_gives_the_life, sums_out_of_range_change_nothing, other_values_are_of_the_wrong_type,
        an_expired_number_begins_anew, many_add_at_once;
    locking: one_owner_holds_a_name, only_the_owner_renews_and_releases, a_lock_ends_by_itself, fences_grow, names_are_not_keys, many_try_at_once;
    bits: a_bit_that_was_set_is_set, new_bits_are_counted, the_first_bits_give_the_life, a_cleared_row_is_empty, the_highest_position_is_like_others,
        many_set_at_once, rows_and_keys_do_not_meet;
    windowing: as_many_as_the_limit, a_window_slides, a_fixed_window_begins_with_its_first_call, gcra_gives_one_back_at_a_time, a_ban_keeps_a_key_out,
        nothing_is_admitted_under_a_limit_of_nothing, absurdly_long_quotas_are_long, many_ask_at_once, windows_and_keys_do_not_meet;
    invalidating: what_others_change_is_told, what_is_told_comes_in_time;
    together: one_of_many_finds_nothing_there, many_operations_at_once, a_removal_among_fills, dropped_futures_do_no_harm, any_thread_may_poll;
    standing: it_has_a_name_and_answers, a_closed_store_fails;
}
