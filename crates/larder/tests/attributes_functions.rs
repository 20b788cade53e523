//! `#[cached]` on free functions: what is kept, for how long, and when the body runs.

#![cfg(feature = "macros")]

use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use larder::{Cache, cached};

thread_local! {
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

/// Notes that a body ran, on the thread of the test.
fn ran() {
    RUNS.set(RUNS.get() + 1);
}

/// How often bodies ran since the last question.
fn runs() -> u32 {
    RUNS.take()
}

#[test]
fn a_hit_does_not_run_the_body() {
    #[cached(key = "square:{n}", ttl = "10m")]
    fn square(n: u64) -> u64 {
        ran();
        n * n
    }
    assert_eq!((square(7), square(7), square(8)), (49, 49, 64));
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn an_async_hit_does_not_run_the_body() {
    #[cached(key = "async-square:{n}", ttl = "10m")]
    async fn square(n: u64) -> u64 {
        ran();
        tokio::task::yield_now().await;
        n * n
    }
    assert_eq!(
        (square(7).await, square(7).await, square(8).await),
        (49, 49, 64)
    );
    assert_eq!(runs(), 2);
}

#[test]
fn without_a_key_every_argument_counts() {
    #[cached(ttl = "10m")]
    fn area(name: &str, sides: &[u32], scale: Option<u8>) -> String {
        ran();
        format!("{name} {sides:?} {scale:?}")
    }
    for _ in 0..2 {
        assert_eq!(area("a", &[1, 2], None), "a [1, 2] None");
        assert_eq!(area("b", &[1, 2], None), "b [1, 2] None");
        assert_eq!(area("a", &[12], None), "a [12] None");
        assert_eq!(area("a", &[1, 2], Some(0)), "a [1, 2] Some(0)");
    }
    assert_eq!(runs(), 4);
}

#[test]
fn functions_of_one_name_in_one_module_keep_apart() {
    fn first() -> u32 {
        #[cached(ttl = "10m")]
        fn answer(n: u32) -> u32 {
            n + 1
        }
        answer(1)
    }
    fn second() -> u32 {
        #[cached(ttl = "10m")]
        fn answer(n: u32) -> u32 {
            n + 2
        }
        answer(1)
    }
    assert_eq!((first(), second(), first()), (2, 3, 2));
}

#[test]
fn skipped_arguments_do_not_count() {
    struct Connection;

    #[cached(ttl = "10m", skip = [connection, log])]
    fn load(connection: &Connection, id: u64, log: &mut Vec<u64>) -> u64 {
        let _ = connection;
        log.push(id);
        id
    }
    let mut log = Vec::new();
    load(&Connection, 7, &mut log);
    load(&Connection, 7, &mut log);
    assert_eq!(log, [7]);
}

#[tokio::test]
async fn an_error_is_not_kept_and_early_return_works() {
    #[cached(key = "parsed:{text}", ttl = "10m")]
    async fn parsed(text: &str, may: bool) -> Result<u64, String> {
        ran();
        if !may {
            return Err("not now".to_owned());
        }
        let number = text.parse::<u64>().map_err(|error| error.to_string())?;
        Ok(number)
    }
    assert_eq!(parsed("7", false).await, Err("not now".to_owned()));
    assert_eq!(parsed("7", true).await, Ok(7));
    assert_eq!(parsed("7", false).await, Ok(7));
    assert!(parsed("x", true).await.is_err());
    assert_eq!(runs(), 3);
}

#[test]
fn results_by_other_names_are_read_as_results() {
    type Answer = Result<u64, String>;

    #[cached(key = "io:{may}", ttl = "10m")]
    fn of_io(may: bool) -> io::Result<u64> {
        ran();
        if may {
            Ok(1)
        } else {
            Err(io::Error::other("no"))
        }
    }
    #[cached(key = "alias:{may}", ttl = "10m", result)]
    fn of_alias(may: bool) -> Answer {
        ran();
        if may { Ok(1) } else { Err("no".to_owned()) }
    }
    for _ in 0..2 {
        assert!(of_io(false).is_err() && of_alias(false).is_err());
        assert!(of_io(true).is_ok() && of_alias(true).is_ok());
    }
    assert_eq!(runs(), 6);
}

#[test]
fn a_plain_result_is_kept_with_its_error() {
    #[cached(key = "plain:{n}", ttl = "10m", plain)]
    fn checked(n: u64) -> Result<u64, String> {
        ran();
        Err(n.to_string())
    }
    assert_eq!(
        (checked(7), checked(7)),
        (Err("7".to_owned()), Err("7".to_owned()))
    );
    assert_eq!(runs(), 1);
}

#[test]
fn none_is_kept_unless_it_is_skipped() {
    #[cached(key = "none:{n}", ttl = "10m")]
    fn kept(n: u64) -> Option<u64> {
        ran();
        (n > 10).then_some(n)
    }
    #[cached(key = "skipped:{n}", ttl = "10m", skip_none)]
    fn skipped(n: u64) -> Option<u64> {
        ran();
        (n > 10).then_some(n)
    }
    #[cached(key = "skipped-ok:{n}", ttl = "10m", skip_none)]
    fn skipped_ok(n: u64) -> Result<Option<u64>, String> {
        ran();
        Ok((n > 10).then_some(n))
    }
    assert_eq!((kept(7), kept(7)), (None, None));
    assert_eq!(runs(), 1);
    assert_eq!((skipped(7), skipped(7)), (None, None));
    assert_eq!((skipped(17), skipped(17)), (Some(17), Some(17)));
    assert_eq!(runs(), 3);
    assert_eq!((skipped_ok(7), skipped_ok(7)), (Ok(None), Ok(None)));
    assert_eq!(runs(), 2);
}

#[test]
fn nothing_can_be_kept_too() {
    #[cached(key = "greet:{name}", ttl = "10m")]
    fn greet(name: &str) {
        ran();
        let _ = name;
    }
    greet("Ada");
    greet("Ada");
    assert_eq!(runs(), 1);
}

#[test]
fn when_decides_by_the_value_and_by_the_arguments() {
    #[cached(key = "when:{id}:{name}", ttl = "10m", when = |user| user.len() > limit && id != 13)]
    fn named(id: u64, name: String, limit: usize) -> String {
        ran();
        name
    }
    for _ in 0..2 {
        named(1, "Ada".to_owned(), 2);
        named(2, "Al".to_owned(), 2);
        named(13, "Ada".to_owned(), 2);
    }
    assert_eq!(runs(), 5);
}

#[test]
fn what_is_faster_than_the_limit_is_not_kept() {
    #[cached(key = "fast:{n}", ttl = "10m", slower_than = "1h")]
    fn fast(n: u64) -> u64 {
        ran();
        n
    }
    fast(7);
    fast(7);
    assert_eq!(runs(), 2);
}

#[test]
fn errors_are_kept_when_asked() {
    #[cached(key = "errors:{n}", ttl = "10m", errors = "1m")]
    fn failing(n: u64) -> Result<u64, String> {
        ran();
        Err(n.to_string())
    }
    #[cached(key = "some-errors:{text}", ttl = "10m", errors(when = |error| error == "for good", ttl = "1m"))]
    fn sometimes(text: &str) -> Result<u64, String> {
        ran();
        Err(text.to_owned())
    }
    assert_eq!(
        (failing(7), failing(7)),
        (Err("7".to_owned()), Err("7".to_owned()))
    );
    assert_eq!(runs(), 1);
    for text in ["for good", "for now"] {
        assert_eq!(sometimes(text), Err(text.to_owned()));
        assert_eq!(sometimes(text), Err(text.to_owned()));
    }
    assert_eq!(runs(), 3);
}

/// In whole hours, because the clock goes on while it is asked.
fn hours_kept(explain: &larder::Explain) -> f64 {
    let entry = explain.entry.as_ref().expect("an entry");
    (entry.deadlines.keep_until.since(entry.now).as_secs_f64() / 3600.0).round()
}

#[test]
fn the_ttl_may_come_from_the_arguments_or_from_the_value() {
    const HOUR: Duration = Duration::from_secs(3600);

    #[cached(key = "ttl:{hours}", ttl = HOUR * hours)]
    fn by_argument(hours: u32) -> u32 {
        hours
    }
    #[cached(key = "ttl-with:{hours}", ttl_with = |value| HOUR * *value)]
    fn by_value(hours: u32) -> u32 {
        hours + 1
    }
    #[cached(key = "ttl-seconds:{n}", ttl = 14_400)]
    fn in_seconds(n: u32) -> u32 {
        n
    }
    by_argument(2);
    by_value(2);
    in_seconds(2);
    let kept = [
        by_argument::explain(2),
        by_value::explain(2),
        in_seconds::explain(2),
    ];
    assert_eq!(
        kept.map(|explain| hours_kept(&explain.unwrap())),
        [2.0, 3.0, 4.0]
    );
}

#[test]
fn tags_come_from_arguments_and_from_the_value() {
    const ALL: &str = "functions:all";

    #[cached(
        key = "tagged:{org}:{id}",
        ttl = "10m",
        tags = [ALL, "functions:{org}", format!("id {id}"), |name| vec![format!("name {name} {org}"), name.clone()]]
    )]
    fn tagged(org: String, id: u64) -> String {
        ran();
        format!("{org}{id}")
    }
    tagged("acme".to_owned(), 7);
    let explain = tagged::explain("acme".to_owned(), 7).unwrap();
    let mut tags: Vec<String> = explain
        .entry
        .unwrap()
        .tags
        .iter()
        .map(ToString::to_string)
        .collect();
    tags.sort();
    assert_eq!(
        tags,
        [
            "acme7",
            "functions:acme",
            "functions:all",
            "id 7",
            "name acme7 acme"
        ]
    );
    larder::cache()
        .blocking()
        .delete_tags(["functions:acme"])
        .unwrap();
    tagged("acme".to_owned(), 7);
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn a_bypass_neither_reads_nor_writes() {
    #[cached(key = "bypassed:{id}", ttl = "10m", bypass = fresh)]
    async fn user(id: u64, fresh: bool) -> u64 {
        ran();
        id
    }
    user(7, true).await;
    user(7, false).await;
    user(7, false).await;
    user(7, true).await;
    assert_eq!(runs(), 3);
}

static MINE: LazyLock<Cache> = LazyLock::new(|| {
    Cache::builder()
        .name("mine")
        .prefix("mine:")
        .build()
        .expect("a cache")
});

fn of_region(region: &str) -> Cache {
    Cache::builder()
        .name(region)
        .prefix(format!("{region}/"))
        .build()
        .expect("a cache")
}

#[test]
fn a_cache_of_ones_own() {
    #[cached(key = "owned:{id}", ttl = "10m", cache = *MINE)]
    fn in_static(id: u64) -> u64 {
        id
    }
    #[cached(key = "owned:{id}", ttl = "10m", cache = &MINE, version = 3)]
    fn in_reference(id: u64) -> u64 {
        id
    }
    #[cached(key = "owned:{id}", ttl = "10m", cache = of_region(&region))]
    fn by_argument(region: String, id: u64) -> usize {
        ran();
        region.len() + usize::try_from(id).unwrap_or(0)
    }
    in_static(7);
    in_reference(7);
    assert_eq!(in_static::key(7), "mine:owned:7");
    assert_eq!(in_reference::key(7), "mine:v3:owned:7");
    assert_eq!(MINE.blocking().get::<u64>("owned:7").unwrap(), Some(7));
    assert_eq!(by_argument::key("eu".to_owned(), 7), "eu/owned:7");
    by_argument("eu".to_owned(), 7);
    assert_eq!(runs(), 1);
}

#[test]
fn generic_functions_with_a_key() {
    #[cached(key = "shown:{value}", ttl = "10m")]
    fn shown<T, const N: usize>(value: &T, more: [u8; N]) -> String
    where
        T: Display + ?Sized,
    {
        ran();
        format!("{value} {more:?}")
    }
    #[cached(key = "impl:{value}", ttl = "10m")]
    fn of_impl(value: impl Display, mut times: usize) -> String {
        ran();
        times += 1;
        value.to_string().repeat(times)
    }
    #[cached(key = "made:{id}", ttl = "10m")]
    fn made<T: Clone + Default + Send + Sync + 'static>(id: u64) -> (u64, T) {
        ran();
        (id, T::default())
    }
    assert_eq!(
        (shown("a", [1]), shown("a", [2, 3])),
        ("a [1]".to_owned(), "a [1]".to_owned())
    );
    assert_eq!(
        (of_impl("a", 1), of_impl("a", 1)),
        ("aa".to_owned(), "aa".to_owned())
    );
    assert_eq!((made::<u8>(1), made::<u8>(1)), ((1, 0), (1, 0)));
    // The same key with another type is a miss, never a wrong value.
    assert_eq!(made::<String>(1), (1, String::new()));
    assert_eq!(runs(), 4);
    assert_eq!(made::key::<u8>(1), "made:1");
}

#[tokio::test]
async fn lifetimes_of_arguments() {
    use std::borrow::Cow;

    #[cached(key = "life:{first}:{second}", ttl = "10m")]
    async fn joined<'a>(first: &'a str, second: Cow<'a, str>, third: Option<&'a str>) -> String {
        ran();
        format!("{first}{second}{}", third.unwrap_or_default())
    }
    let text = String::from("a");
    assert_eq!(joined(&text, "b".into(), Some(&text)).await, "aba");
    assert_eq!(joined(&text, "b".into(), None).await, "aba");
    assert_eq!(runs(), 1);
}

#[tokio::test]
async fn recursion() {
    #[cached(ttl = "10m")]
    fn sync(n: u64) -> u64 {
        ran();
        if n < 2 { n } else { sync(n - 1) + sync(n - 2) }
    }
    #[cached(ttl = "10m", stale = "1h")]
    async fn awaited(n: u64) -> u64 {
        ran();
        if n < 2 {
            n
        } else {
            awaited(n - 1).await + awaited(n - 2).await
        }
    }
    assert_eq!((sync(40), awaited(40).await), (102_334_155, 102_334_155));
    assert_eq!(runs(), 82);
}

#[tokio::test]
async fn without_a_handle_everything_else_is_the_same() {
    #[cached(key = "bare:{id}", ttl = "10m", no_handle, bypass = id == 0, when = |value| *value > limit.len() as u64)]
    async fn bare(conn: &mut Vec<u64>, id: u64, limit: String) -> Result<u64, String> {
        ran();
        conn.push(id);
        tokio::task::yield_now().await;
        drop(limit);
        if id == 13 {
            return Err("unlucky".to_owned());
        }
        let more: u64 = "1".parse().map_err(|_| "never".to_owned())?;
        Ok(id + more)
    }
    #[cached(ttl = "10m", skip = [conn], no_handle)]
    fn sync(conn: &mut Vec<u64>, id: u64) -> Result<u64, String> {
        ran();
        conn.push(id);
        if id == 13 {
            return Err("unlucky".to_owned());
        }
        Ok(id)
    }
    let mut conn = Vec::new();
    for id in [0, 0, 7, 7, 13, 13] {
        let expected = if id == 13 {
            Err("unlucky".to_owned())
        } else {
            Ok(id + 1)
        };
        assert_eq!(bare(&mut conn, id, String::new()).await, expected);
        let _ = sync(&mut conn, id);
    }
    assert_eq!(runs(), 5 + 4);
}

#[test]
fn functions_made_by_a_macro() {
    macro_rules! made {
        ($name:ident, $argument:ident, $ttl:literal) => {
            #[cached(key = "by-macro", ttl = $ttl)]
            fn $name($argument: u64, other: u64) -> u64 {
                ran();
                $argument + other
            }
        };
    }
    made!(sum, value, "10m");
    assert_eq!((sum(1, 2), sum(1, 2)), (3, 3));
    assert_eq!(runs(), 1);
}

#[test]
fn raw_identifiers() {
    #[cached(key = "raw:{type}:{match}", ttl = "10m")]
    fn r#fn(r#type: u64, r#match: &str) -> usize {
        ran();
        r#match.len() + usize::try_from(r#type).unwrap_or(0)
    }
    assert_eq!((r#fn(1, "a"), r#fn(1, "a")), (2, 2));
    assert_eq!(r#fn::key(1, "a"), "raw:1:a");
    assert_eq!(runs(), 1);
}

#[test]
fn other_attributes_stay() {
    /// Documented.
    #[cached(ttl = "10m")]
    #[must_use]
    #[allow(clippy::needless_range_loop)]
    #[expect(unused_variables)]
    #[cfg(test)]
    fn sum(numbers: &[u64]) -> u64 {
        let unused = 1;
        let mut sum = 0;
        for at in 0..numbers.len() {
            sum += numbers[at];
        }
        sum
    }
    assert_eq!(sum(&[1, 2]), 3);
}
