//! What the return type of a function makes of "no".

use std::fmt;

use larder::guard::Bloom;
use larder::{Cache, Reason, Refused, bloom};

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

/// Of a foreign crate, as it were: no refusal can be made one.
#[derive(Debug, PartialEq)]
struct Foreign;

#[derive(Debug)]
enum Oops {
    Refused(Refused),
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

type Found<T> = Result<T, Foreign>;

struct Unclonable(u64);

#[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}")]
fn option(cache: &Cache, id: u64) -> Option<Unclonable> {
    let _ = cache;
    Some(Unclonable(id))
}

#[bloom(cache = cache, capacity = 100, false_positives = 0.01, key = "{id}")]
fn result_of_bool(cache: &Cache, id: u64) -> Result<bool, Foreign> {
    let _ = cache;
    match id {
        13 => Err(Foreign),
        _ => Ok(true),
    }
}

#[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", result)]
async fn alias_of_option(cache: &Cache, id: u64) -> Found<Option<u64>> {
    let _ = cache;
    Ok(Some(id))
}

#[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}")]
fn other_result(cache: &Cache, id: u64) -> Result<u64, Oops> {
    let _ = cache;
    Ok(id)
}

#[test]
fn an_option_is_none() {
    let cache = cache();
    option::add(&cache, 1).unwrap();
    option::ready(&cache).unwrap();
    assert_eq!(option(&cache, 1).map(|found| found.0), Some(1));
    assert!(option(&cache, 2).is_none());
}

#[test]
fn a_result_of_a_bool_is_ok_of_false_whatever_its_error_is() {
    let cache = cache();
    result_of_bool::add_many(&cache, [1, 13]).unwrap();
    result_of_bool::ready(&cache).unwrap();
    assert_eq!(result_of_bool(&cache, 1), Ok(true));
    assert_eq!(result_of_bool(&cache, 2), Ok(false));
    assert_eq!(result_of_bool(&cache, 13), Err(Foreign));
    assert_eq!(cache.stats().refused, 0);
}

#[tokio::test]
async fn a_result_of_an_option_is_ok_of_none_also_under_another_name() {
    let cache = cache();
    alias_of_option::add(&cache, 1).await.unwrap();
    alias_of_option::ready(&cache).await.unwrap();
    assert_eq!(alias_of_option(&cache, 1).await, Ok(Some(1)));
    assert_eq!(alias_of_option(&cache, 2).await, Ok(None));
}

#[test]
fn another_result_is_a_refusal() {
    let cache = cache();
    other_result::add(&cache, 1).unwrap();
    other_result::ready(&cache).unwrap();
    assert_eq!(other_result(&cache, 1).unwrap(), 1);
    let Err(Oops::Refused(refused)) = other_result(&cache, 2) else {
        panic!("it was called");
    };
    assert_eq!(refused.reason(), Reason::Absent);
    assert_eq!(refused.key(), "bloom:2");
    assert_eq!(refused.comes_back(), None);
    assert_eq!((cache.stats().refused, cache.stats().ruled_out), (1, 0));
}

#[test]
fn without_a_check_maybe_is_true_and_nothing_is_called() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", unchecked)]
    fn blocked(cache: &Cache, id: u64) -> bool {
        let _ = (cache, id);
        panic!("called")
    }

    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", unchecked)]
    async fn in_a_result(cache: &Cache, id: u64) -> Result<bool, Foreign> {
        let _ = (cache, id);
        panic!("called")
    }

    let cache = cache();
    blocked::add(&cache, 1).unwrap();
    blocked::ready(&cache).unwrap();
    assert!(blocked(&cache, 1));
    assert!(!blocked(&cache, 2));
    in_a_result::add(&cache, 1).blocks().unwrap();
    in_a_result::ready(&cache).blocks().unwrap();
    assert_eq!(in_a_result(&cache, 1).blocks(), Ok(true));
}

#[test]
fn without_a_check_a_filter_that_is_not_ready_calls_all_the_same() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", unchecked)]
    fn is_odd(cache: &Cache, id: u64) -> bool {
        let _ = cache;
        id % 2 == 1
    }

    let cache = cache();
    assert!(!is_odd(&cache, 2), "nothing was ever added");
    is_odd::add(&cache, 1).unwrap();
    assert!(is_odd(&cache, 1) && is_odd(&cache, 3) && !is_odd(&cache, 2));
    is_odd::ready(&cache).unwrap();
    assert!(is_odd(&cache, 1) && !is_odd(&cache, 3));
    is_odd::reset(&cache).unwrap();
    assert!(!is_odd(&cache, 2), "it was lost");
}

trait Blocks: Future + Sized {
    fn blocks(self) -> Self::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(self)
    }
}

impl<F: Future> Blocks for F {}

#[test]
fn check_says_what_holds_anyway() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", check)]
    fn exists(cache: &Cache, id: u64) -> bool {
        let _ = cache;
        id != 1
    }

    let cache = cache();
    exists::add(&cache, 1).unwrap();
    exists::ready(&cache).unwrap();
    assert!(!exists(&cache, 1), "the function says otherwise");
}

#[test]
fn generic_functions_and_references_are_filled_by_what_the_key_uses() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{org}:{id}")]
    fn member<'a, T: fmt::Display, U>(cache: &Cache, org: &'a str, id: T, other: U) -> bool {
        let _ = (cache, org, id, other);
        true
    }

    let cache = cache();
    member::add(&cache, "acme", 1).unwrap();
    member::add_many(&cache, [("acme", 2), ("other", 3)]).unwrap();
    member::ready(&cache).unwrap();
    assert!(member(&cache, "acme", 1, ()));
    assert!(member(&cache, "acme", "2", 'x'));
    assert!(member(&cache, "other", 3_u8, ""));
    assert!(!member(&cache, "other", 1, ()));
    // `:` in a value takes no other key's place.
    assert!(!member(&cache, "acme:1", "", ()));
}

#[test]
fn without_a_key_all_arguments_are_what_the_filter_holds() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", skip = [cache, token])]
    fn seen(cache: &Cache, token: u8, org: &str, id: u64) -> bool {
        let _ = (cache, token, org, id);
        true
    }

    let cache = cache();
    seen::add(&cache, "a", 1).unwrap();
    seen::add_many(&cache, [("b", 2), ("c", 3)]).unwrap();
    seen::ready(&cache).unwrap();
    assert!(seen(&cache, 0, "a", 1) && seen(&cache, 1, "b", 2));
    assert!(!seen(&cache, 0, "a", 2));
}

struct Service(Cache);

impl Service {
    #[bloom(cache = self.0, capacity = 100, false_positives = "1%", key = "{org}:{id}")]
    pub(crate) async fn exists(&self, org: &str, id: u64, other: u8) -> bool {
        let _ = (org, id, other);
        true
    }

    #[larder::cached(cache = self.0, key = "user:{id}", ttl = "1h")]
    #[bloom(cache = self.0, capacity = 100, false_positives = "1%", key = "{id}")]
    pub fn user(&self, id: u64) -> Option<u64> {
        Some(id)
    }

    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", associated, no_handle, filter = "of-service")]
    fn of_type(cache: &Cache, id: u64) -> bool {
        let _ = (cache, id);
        true
    }
}

#[tokio::test]
async fn methods_have_a_handle_of_their_own() {
    let service = Service(cache());
    let filter = service.exists_bloom();
    assert!(filter.add("acme", 1).await.unwrap());
    filter.add_many([("acme", 2), ("other", 1)]).await.unwrap();
    filter.ready().await.unwrap();
    assert!(service.exists("acme", 2, 0).await);
    assert!(!service.exists("other", 2, 0).await);
    assert!(
        !service
            .exists_bloom()
            .may_contain("other", 2)
            .await
            .unwrap()
    );
    assert!(service.exists_bloom().reset().await.unwrap());
    assert!(service.exists("other", 2, 0).await);

    let users = service.user_bloom();
    users.add(1).unwrap();
    users.ready().unwrap();
    assert_eq!((service.user(1), service.user(2)), (Some(1), None));
    assert_eq!(service.user_cache().peek(2).unwrap(), Some(None));
    assert!(format!("{users:?}").starts_with("SyncBloom"));
}

#[test]
fn a_filter_may_be_filled_by_its_name_alone() {
    let cache = cache();
    let filter = Bloom::new("of-service", 100, "1%");
    filter.add(&cache, "1").wait().unwrap();
    filter.ready(&cache).wait().unwrap();
    assert!(Service::of_type(&cache, 1));
    assert!(!Service::of_type(&cache, 2));
}

#[test]
fn another_version_is_another_filter() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", filter = "f")]
    fn first(cache: &Cache, id: u64) -> bool {
        let _ = (cache, id);
        true
    }

    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}", filter = "f", version = 2)]
    fn second(cache: &Cache, id: u64) -> bool {
        let _ = (cache, id);
        true
    }

    let cache = cache();
    first::ready(&cache).unwrap();
    assert!(!first(&cache, 1));
    assert!(second(&cache, 1), "nobody has said that it is complete");
}

#[test]
fn a_size_may_be_a_constant() {
    const CAPACITY: u64 = 100;

    #[bloom(cache = cache, capacity = CAPACITY, false_positives = "1%", key = "{id}")]
    fn exists(cache: &Cache, id: u64) -> bool {
        let _ = (cache, id);
        true
    }

    let cache = cache();
    exists::ready(&cache).unwrap();
    assert!(!exists(&cache, 1));
}

mod elsewhere {
    use larder::{Cache, bloom};

    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}")]
    pub(super) fn r#type(cache: &Cache, id: u64) -> bool {
        let _ = (cache, id);
        true
    }
}

#[test]
fn whoever_may_call_a_function_may_fill_its_filter() {
    let cache = cache();
    elsewhere::r#type::ready(&cache).unwrap();
    assert!(!elsewhere::r#type(&cache, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_filling_may_move_between_threads() {
    #[bloom(cache = *cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
    async fn exists(cache: std::sync::Arc<Cache>, id: String) -> bool {
        let _ = (cache, id);
        tokio::task::yield_now().await;
        true
    }

    let cache = std::sync::Arc::new(cache());
    let ids = (0..100).map(|id| id.to_string());
    let add = exists::add_many(std::sync::Arc::clone(&cache), ids.collect::<Vec<_>>());
    tokio::spawn(add).await.unwrap().unwrap();
    tokio::spawn(exists::ready(std::sync::Arc::clone(&cache)))
        .await
        .unwrap()
        .unwrap();
    let call = exists(std::sync::Arc::clone(&cache), "7".to_owned());
    assert!(tokio::spawn(call).await.unwrap());
    assert!(!exists(cache, "seven".to_owned()).await);
}
