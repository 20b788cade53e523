//! The flaws of the libraries that Larder answers: one test each that shows that it does not have them.
//!
//! | flaw | library | test |
//! |---|---|---|
//! | switched off in the context of the set-up only | cashews | `a_cache_set_up_as_off_is_on_in_other_threads` |
//! | expiry of a counter only when it becomes 1 | cashews | `a_counter_that_starts_with_five_never_expires` |
//! | `expire=0` means for ever | cashews | `a_ttl_of_zero_means_for_ever` |
//! | other characters of a pattern are a regular expression | cashews | `a_dot_in_a_pattern_deletes_any_character` |
//! | `unlock` ignores the owner | cashews | `anybody_can_give_back_a_lock` |
//! | eviction calls nobody, members of tags leak | cashews | `an_evicted_entry_leaves_its_tags_behind` |
//! | a lock has no deadline, no renewal, and waiting spins | cashews | `waiting_for_a_lock_spins_and_never_ends` |
//! | forced invalidation ends with a flag and not with what was there | cashews | `leaving_a_forced_scope_loses_the_outer_one` |
//! | `["a","b"]` and `"a:b"`, `1` and `"1"` are one key | cashews | `values_that_look_alike_share_a_key` |
//! | `None` is two keys, defaults depend on the form of the call | cashews | `one_call_has_two_keys` |
//! | a tag's life is that of its last writer | cashews, easy_cache | `a_short_lived_entry_takes_the_tag_with_it` |
//! | forgetting a tag is not atomic and has no generation | cashews | `a_value_computed_before_its_tag_was_forgotten_comes_back` |
//! | 100 000 members are 100 000 deletes | cashews | `forgetting_a_tag_visits_its_members` |
//! | a read that began before the invalidation fills the local copy | cashews | `a_read_from_before_the_invalidation_is_stored_after_it` |
//! | cancelling the leader cancels every waiter | cashews | `cancelling_the_leader_cancels_all_who_wait` |
//! | an invalidation during the computation is lost | all | `an_invalidation_during_the_computation_is_lost` |
//! | all keys are lower-cased | cashews 2 | `keys_that_differ_in_case_are_one` |
//! | a key that cannot be formatted is the raw template | advanced_caching | `a_bad_template_is_used_as_the_key` |
//! | `q:{}` ignores the second argument | advanced_caching | `a_positional_template_ignores_arguments` |
//! | no sharing of the first miss | advanced_caching | `ten_first_misses_are_ten_calls` |
//! | entries with a stale window never end | advanced_caching | `a_stale_entry_is_immortal` |
//! | endless entries overflow | advanced_caching | `an_endless_entry_overflows` |
//! | every failure is caught and swallowed | advanced_caching | `the_sources_error_is_swallowed` |
//! | tags are read after the function ran | easy_cache | `a_tag_forgotten_during_the_computation_is_taken_for_fresh` |
//! | no tags: the envelope is returned in place of the value | easy_cache | `a_function_without_tags_returns_an_envelope` |
//! | two invalidations in one microsecond collide | easy_cache | `two_invalidations_at_one_instant_are_one` |
//! | state on the decorator is shared by threads | easy_cache | `calls_on_two_threads_mix_their_arguments` |
//! | `""`, `[]`, `{}` and `None` are misses | privex | `an_empty_value_is_a_miss` |
//! | one unbounded dictionary for all caches | privex | `two_caches_share_their_entries_without_bound` |
//! | no timeout is a `TypeError` | privex | `a_missing_ttl_is_found_out_late` |
//! | the log of keys forgets keys | privex | `keys_under_a_prefix_are_forgotten_by_the_log` |
//! | put-if-absent does not see that the row has expired | PyFly | `if_absent_is_refused_by_an_expired_entry` |
//! | immortal entries by a ttl below a second | several | `half_a_second_is_no_second_at_all` |
//! | memory without bound | several | `a_cache_grows_without_bound` |
//! | `None` needs a second look, with a race | PyFly | `nothing_is_asked_for_again_and_again` |
//! | global mutable state of a decorator | several | `calls_on_two_threads_mix_their_arguments` |
//!
//! Not here, because what they are about is not: the sliding window of Redis, read-modify-write and silent no-ops of disk stores, falsy
//! chunks of streams, the circuit breaker, fencing of locks between processes, signatures and codecs, the race of client-side copies in Redis (its
//! in-process half is above), transactions, `#[background]` and its readers and writers, promotion in chains, file names and temporary files,
//! blocking I/O in async stores, deduplicated writes, connections per operation, unsafe decoding, purging of SQLite, two-level writes and fallbacks.

#[path = "../support/mod.rs"]
mod support;

mod invalidation;
mod keys;
mod operations;

use std::sync::Arc;

use larder::{Cache, Policy};
use support::World;

pub(crate) fn world() -> (Arc<World>, Cache) {
    let world = World::new();
    let cache = world.cache();
    (world, cache)
}

pub(crate) fn minute() -> Policy {
    Policy::new().ttl("1m")
}
