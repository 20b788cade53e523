//! `#[invalidates]` and `#[cache_put]`: what a function that writes does to the entries of those that read.

#![cfg(feature = "macros")]

use std::cell::Cell;

use larder::{Cache, cache_put, cached, invalidates};

thread_local! {
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

fn ran() {
    RUNS.set(RUNS.get() + 1);
}

fn runs() -> u32 {
    RUNS.take()
}

/// The tests share the default cache: each writes to an organization of its own.
mod users {
    use super::{cached, ran};

    #[cached(key = "edge:user:{org}:{id}", ttl = "10m", tags = ["edge:{org}"])]
    pub(crate) async fn user(org: &str, id: u64) -> String {
        ran();
        format!("{org}{id}")
    }

    #[cached(ttl = "10m")]
    pub(crate) fn list(org: &str, only: Option<&str>, ids: &[u64]) -> usize {
        ran();
        org.len() + only.map_or(0, str::len) + ids.len()
    }

    #[cached(key = "edge:shown:{value}", ttl = "10m")]
    pub(crate) fn shown<T: std::fmt::Display>(value: T, times: usize) -> String {
        ran();
        value.to_string().repeat(times)
    }
}

use users::user;

#[derive(Clone, Debug)]
struct Order {
    org: String,
    user: u64,
}

fn order(org: &str) -> Order {
    Order {
        org: org.to_owned(),
        user: 7,
    }
}

/// Whether the next call of `user` would run the body.
async fn is_forgotten(org: &str, id: u64) -> bool {
    user::peek(org, id).await.unwrap().is_none()
}

#[tokio::test]
async fn an_edge_forgets_after_success_only() {
    #[invalidates(user(org = order.org, id = order.user))]
    async fn cancel(order: Order, may: bool) -> Result<usize, String> {
        if !may {
            return Err("no".to_owned());
        }
        let number: usize = "7".parse().map_err(|_| "never".to_owned())?;
        drop(order);
        Ok(number)
    }
    user("success", 7).await;
    assert!(cancel(order("success"), false).await.is_err());
    assert!(!is_forgotten("success", 7).await);
    assert_eq!(cancel(order("success"), true).await, Ok(7));
    assert!(is_forgotten("success", 7).await);
}

#[tokio::test]
async fn none_is_no_success() {
    #[invalidates(user(org = "none", id = returned.user))]
    fn cancel(may: bool) -> Option<Order> {
        may.then(|| order("none"))
    }
    user("none", 7).await;
    assert!(cancel(false).is_none());
    assert!(!is_forgotten("none", 7).await);
    assert!(cancel(true).is_some());
    assert!(is_forgotten("none", 7).await);
}

#[tokio::test]
async fn before_forgets_even_if_the_function_fails() {
    #[invalidates(user(org = "before", id = 7), before)]
    fn fail() -> Result<(), String> {
        Err("no".to_owned())
    }
    user("before", 7).await;
    fail().unwrap_err();
    assert!(is_forgotten("before", 7).await);
}

#[tokio::test]
async fn an_edge_may_look_at_the_returned_value_and_at_moved_arguments() {
    #[invalidates(user(org = org, id = returned.user), keys = "edge:key:{returned.user}:{org}")]
    async fn place(org: String, log: &mut Vec<u64>) -> Result<Order, String> {
        log.push(7);
        Ok(Order { org, user: log[0] })
    }
    user("returned", 7).await;
    larder::cache()
        .set("edge:key:7:returned", &1_u8)
        .ttl("1h")
        .await
        .unwrap();
    place("returned".to_owned(), &mut Vec::new()).await.unwrap();
    assert!(is_forgotten("returned", 7).await);
    assert!(!larder::cache().exists("edge:key:7:returned").await.unwrap());
}

#[tokio::test]
async fn several_edges_at_once() {
    #[invalidates(
        user(org = "several", id = id),
        users::user(id = id + 1, org = "several"),
        users::list(org = "several", only = Some("x"), ids = [1, id]),
        users::shown(value = id),
    )]
    #[invalidates(user(org = "several", id = 100))]
    fn change(id: u64) {
        let _ = id;
    }
    let fill = async || {
        for id in [7, 8, 100] {
            user("several", id).await;
        }
        users::list("several", Some("x"), &[1, 7]);
        users::shown(7_u64, 2);
        runs()
    };
    assert_eq!((fill().await, fill().await), (5, 0));
    change(7);
    assert_eq!(fill().await, 5);
}

#[tokio::test]
async fn texts_instead_of_handles() {
    #[invalidates(keys = ["edge:user:{org}:1", format!("edge:user:{org}:2")])]
    fn by_keys(org: &str) {}
    #[invalidates(prefix = "edge:user:{org}:")]
    fn by_prefix(org: &str) {}
    #[invalidates(pattern = "edge:user:{org}:[12]")]
    fn by_pattern(org: &str) {}
    #[invalidates(tags = ["edge:{org}"])]
    async fn by_tags(org: &str) {}

    let left = async || {
        let mut left = Vec::new();
        for id in 1..=3 {
            if !is_forgotten("texts", id).await {
                left.push(id);
            }
            user("texts", id).await;
        }
        left
    };
    left().await;
    by_keys("texts");
    assert_eq!(left().await, [3]);
    by_pattern("texts");
    assert_eq!(left().await, [3]);
    by_prefix("texts");
    assert_eq!(left().await, [0; 0]);
    by_tags("texts").await;
    assert_eq!(left().await, [0; 0]);
    by_prefix("text");
    assert_eq!(left().await, [1, 2, 3]);
}

struct Shop {
    cache: Cache,
    name: String,
}

impl Shop {
    fn new() -> Self {
        Self {
            cache: Cache::builder().build().expect("a cache"),
            name: "shop".to_owned(),
        }
    }

    #[cached(key = "item:{self.name}:{id}", ttl = "10m", cache = self.cache)]
    async fn item(&self, id: u64) -> u64 {
        ran();
        id
    }

    #[cached(key = "price:{id}", ttl = "10m", cache = self.cache)]
    fn price(&self, id: u64) -> u64 {
        ran();
        id * 100
    }

    #[cached(ttl = "10m", associated)]
    fn tax(country: &str) -> usize {
        ran();
        country.len()
    }

    #[invalidates(self.item(id = id), self.price(id = id), Self::tax(country = "edge"))]
    async fn change(&mut self, id: u64) -> Result<(), String> {
        self.name.push('!');
        if id == 13 {
            Err("unlucky".to_owned())
        } else {
            Ok(())
        }
    }

    #[invalidates(self.price(id = *returned))]
    fn raise(&mut self, id: u64) -> Result<u64, String> {
        self.name.push('?');
        Ok(id)
    }

    #[invalidates(all, cache = self.cache)]
    fn clear(&self) {}
}

#[invalidates(shop.price(id = 8), Shop::tax(country = "edge"))]
fn sale(shop: &Shop) {
    let _ = shop;
}

#[tokio::test]
async fn edges_to_methods() {
    let mut shop = Shop::new();
    shop.item(7).await;
    let fill = |shop: &Shop| {
        shop.price(7);
        shop.price(8);
        Shop::tax("edge");
        runs()
    };
    fill(&shop);
    shop.change(13).await.unwrap_err();
    assert_eq!(fill(&shop), 0);
    assert_eq!(shop.cache.len(), 3);
    shop.change(7).await.unwrap();
    assert_eq!(shop.cache.len(), 2);
    assert_eq!(fill(&shop), 2);
    shop.raise(7).unwrap();
    assert_eq!(fill(&shop), 1);
    sale(&shop);
    assert_eq!(fill(&shop), 2);
    shop.clear();
    assert_eq!(fill(&shop), 2);
}

#[test]
fn what_a_function_lends_may_leave_it() {
    #[invalidates(users::shown(value = "lent"))]
    fn push(list: &mut Vec<u64>) -> Result<&mut u64, String> {
        list.push(7);
        list.last_mut().ok_or_else(|| "never".to_owned())
    }
    #[invalidates(keys = "edge:first:{text}")]
    fn first(text: &str) -> &str {
        &text[..1]
    }
    let mut list = Vec::new();
    *push(&mut list).unwrap() += 1;
    assert_eq!((list, first("ab")), (vec![8], "a"));
}

#[cache_put(key = "edge:user:{org}:{id}", ttl = "10m", tags = ["edge:{org}"], when = |name| !name.is_empty())]
async fn rename(org: &str, id: u64, name: String) -> Result<String, String> {
    ran();
    if name == "bad" {
        return Err(name);
    }
    Ok(name)
}

#[tokio::test]
async fn a_put_always_runs_and_keeps_what_it_returns() {
    assert_eq!(
        rename("put", 7, "one".to_owned()).await.as_deref(),
        Ok("one")
    );
    assert_eq!(user("put", 7).await, "one");
    assert_eq!(
        rename("put", 7, "two".to_owned()).await.as_deref(),
        Ok("two")
    );
    assert_eq!(user("put", 7).await, "two");
    assert_eq!(runs(), 2);
    rename("put", 7, "bad".to_owned()).await.unwrap_err();
    assert_eq!(user("put", 7).await, "two");
    larder::cache().delete_tags(["edge:put"]).await.unwrap();
    assert!(is_forgotten("put", 7).await);
}

#[tokio::test]
async fn a_put_that_is_not_kept_forgets_what_was() {
    rename("unkept", 7, "one".to_owned()).await.unwrap();
    rename("unkept", 7, String::new()).await.unwrap();
    assert!(is_forgotten("unkept", 7).await);
}

impl Shop {
    #[cache_put(key = "price:{id}", ttl = "10m", cache = self.cache)]
    fn set_price(&mut self, id: u64, price: u64) -> u64 {
        self.name.push('$');
        price
    }
}

#[test]
fn a_put_in_a_method() {
    let mut shop = Shop::new();
    assert_eq!(
        (shop.price(7), shop.set_price(7, 5), shop.price(7)),
        (700, 5, 5)
    );
}

#[tokio::test]
async fn attributes_stack_in_either_order() {
    #[cache_put(key = "edge:user:stacked:{id}", ttl = "10m")]
    #[invalidates(user(org = "stacked", id = 100))]
    fn put_and_forget(id: u64) -> String {
        id.to_string()
    }
    #[invalidates(user(org = "stacked", id = 101))]
    #[cached(key = "edge:above:{id}", ttl = "10m")]
    fn above(id: u64) -> u64 {
        id
    }
    #[cached(key = "edge:below:{id}", ttl = "10m")]
    #[invalidates(user(org = "stacked", id = 102))]
    fn below(id: u64) -> u64 {
        id
    }
    for id in [100, 101, 102] {
        user("stacked", id).await;
    }
    put_and_forget(7);
    assert_eq!(user("stacked", 7).await, "7");
    assert!(is_forgotten("stacked", 100).await);
    // A hit does nothing, in whatever order they stand.
    above(7);
    below(7);
    assert!(is_forgotten("stacked", 101).await && is_forgotten("stacked", 102).await);
    user("stacked", 101).await;
    user("stacked", 102).await;
    above(7);
    below(7);
    assert!(!is_forgotten("stacked", 101).await && !is_forgotten("stacked", 102).await);
}
