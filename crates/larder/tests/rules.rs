//! Rules: what is forgotten when something happens.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use larder::rules::{Forget, Happening, Rule};
use larder::{Cache, ErrorKind, Event, KeyPart, Operations, Policy, cached};
use support::{Cached, Origin, World};

struct UserRenamed {
    id: u64,
    name: String,
}

impl UserRenamed {
    fn new(id: u64, name: &str) -> Self {
        let name = name.to_owned();
        Self { id, name }
    }
}

impl Happening for UserRenamed {
    const NAME: &'static str = "user.renamed";

    fn fields(&self) -> Vec<(&str, &dyn KeyPart)> {
        vec![("id", &self.id), ("name", &self.name)]
    }
}

/// Says nothing of its fields.
struct Moved {
    shelf: u64,
}

impl Happening for Moved {
    const NAME: &'static str = "moved";
}

fn cache_with(keys: &[&str]) -> Cache {
    let cache = Cache::builder().build().unwrap();
    for key in keys {
        let set = cache.blocking().set(key, &1_u64).ttl("1h").tags(["all"]);
        assert!(set.wait().unwrap());
    }
    cache
}

fn rule(text: &str) -> Rule {
    text.parse().unwrap()
}

/// What is left, sorted.
fn left(cache: &Cache) -> Vec<String> {
    let mut keys = cache.blocking().scan("*").unwrap();
    keys.sort();
    keys
}

#[test]
fn an_event_forgets_the_key_that_its_fields_name() {
    let cache = cache_with(&["user:7", "user:8", "user:7:orders"]);
    cache
        .rules()
        .add(Rule::new("user.renamed", "user:{id}").unwrap());
    let happened = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap();
    assert_eq!((happened.rules, happened.forgotten), (1, 1));
    assert_eq!(left(&cache), ["user:7:orders", "user:8"]);
}

#[test]
fn every_target_is_forgotten_in_its_own_way() {
    let keys = ["user:7", "user:7:a", "user:7:b", "user:70", "users"];
    let cases: [(&str, &[&str], usize); 5] = [
        (
            "user.renamed -> user:{id}",
            &["user:70", "user:7:a", "user:7:b", "users"],
            1,
        ),
        (
            "user.renamed -> key user:{id}",
            &["user:70", "user:7:a", "user:7:b", "users"],
            1,
        ),
        (
            "user.renamed -> prefix user:{id}:",
            &["user:7", "user:70", "users"],
            2,
        ),
        ("user.renamed -> pattern user:{id}*", &["users"], 4),
        ("user.renamed -> tag all", &[], 0),
    ];
    for (text, expected, count) in cases {
        let cache = cache_with(&keys);
        cache.rules().add(rule(text));
        let happened = cache
            .blocking()
            .happened(&UserRenamed::new(7, "Ada"))
            .unwrap();
        assert_eq!(left(&cache), expected, "{text}");
        assert_eq!(happened.forgotten, count, "{text}");
    }
}

#[test]
fn a_rule_in_code_has_the_event_itself() {
    let cache = cache_with(&["shelf:1", "shelf:2", "shelf:3"]);
    cache.rules().on(|moved: &Moved| {
        [moved.shelf, moved.shelf + 1].map(|id| Forget::key("shelf:{id}").with("id", id))
    });
    let happened = cache.blocking().happened(&Moved { shelf: 1 }).unwrap();
    assert_eq!((happened.rules, happened.forgotten), (1, 2));
    assert_eq!(left(&cache), ["shelf:3"]);
}

#[test]
fn a_rule_in_code_may_say_that_nothing_is_stale() {
    let cache = cache_with(&["shelf:1"]);
    cache
        .rules()
        .on(|moved: &Moved| (moved.shelf > 100).then(|| Forget::tag("all")));
    let happened = cache.blocking().happened(&Moved { shelf: 1 }).unwrap();
    assert_eq!((happened.rules, happened.forgotten), (1, 0));
    assert_eq!(left(&cache), ["shelf:1"]);
}

#[test]
fn several_rules_speak_of_one_event_and_others_stay_silent() {
    let cache = cache_with(&["user:7", "name:Ada", "shelf:7"]);
    let rules = Rule::read(
        "
        # users
        user.renamed -> user:{id}

        user.renamed -> name:{name}
        moved -> shelf:7
        ",
    );
    rules
        .unwrap()
        .into_iter()
        .for_each(|rule| cache.rules().add(rule));
    assert_eq!(cache.rules().len(), 3);
    let happened = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap();
    assert_eq!((happened.rules, happened.forgotten), (2, 2));
    assert_eq!(left(&cache), ["shelf:7"]);
}

#[test]
fn an_event_that_no_rule_speaks_of_says_so() {
    let cache = cache_with(&["user:7"]);
    cache.rules().add(rule("user.renmaed -> user:{id}"));
    let happened = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap();
    assert_eq!((happened.rules, happened.forgotten), (0, 0));
}

#[test]
fn a_field_that_is_missing_is_an_error_and_not_a_key_with_a_placeholder_in_it() {
    let cache = cache_with(&["user:{idd}", "user:7"]);
    cache.rules().add(rule("user.renamed -> user:{idd}"));
    let error = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    let text = error.to_string();
    for part in [
        "`user.renamed -> key user:{idd}`",
        "no field `idd`",
        "did you mean `id`?",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(
        left(&cache).len(),
        2,
        "nothing that looks like it was forgotten"
    );
    let cache = cache_with(&[]);
    cache.rules().add(rule("moved -> shelf:{shelf}"));
    let text = cache
        .blocking()
        .happened(&Moved { shelf: 1 })
        .unwrap_err()
        .to_string();
    assert!(text.contains("name it in `Happening::fields`"), "{text}");
}

#[test]
fn a_broken_rule_does_not_keep_what_the_others_forget() {
    let cache = cache_with(&["user:7", "name:Ada"]);
    for text in [
        "user.renamed -> user:{id}",
        "user.renamed -> {nothing}",
        "user.renamed -> name:{name}",
    ] {
        cache.rules().add(rule(text));
    }
    assert!(
        cache
            .blocking()
            .happened(&UserRenamed::new(7, "Ada"))
            .is_err()
    );
    assert!(left(&cache).is_empty());
}

#[test]
fn a_value_cannot_widen_a_pattern_or_leave_its_part_of_a_key() {
    let keys = ["name:Ada:x", "name:Eve:x", "name:%2A:x", "name:a%3Ab:x"];
    for (name, gone) in [
        ("*", "name:%2A:x"),
        ("a:b", "name:a%3Ab:x"),
        ("?da", ""),
        ("[A-Z]*", ""),
    ] {
        let cache = cache_with(&keys);
        cache
            .rules()
            .add(rule("user.renamed -> pattern name:{name}:*"));
        cache
            .blocking()
            .happened(&UserRenamed::new(7, name))
            .unwrap();
        let mut expected: Vec<&str> = keys.into_iter().filter(|key| *key != gone).collect();
        expected.sort_unstable();
        assert_eq!(left(&cache), expected, "{name}");
    }
}

#[test]
fn an_empty_prefix_is_refused_because_it_is_everything() {
    let cache = cache_with(&["a", "b"]);
    cache.rules().add(rule("user.renamed -> prefix {name}"));
    let error = cache
        .blocking()
        .happened(&UserRenamed::new(7, ""))
        .unwrap_err();
    assert!(
        error.to_string().contains("would forget everything"),
        "{error}"
    );
    assert_eq!(left(&cache).len(), 2);
}

#[test]
fn an_event_may_come_by_name() {
    let cache = cache_with(&["user:7", "name:Ada"]);
    cache.rules().add(rule("user.renamed -> user:{id}"));
    cache.rules().add(rule("user.renamed -> name:{name:lower}"));
    let blocking = cache.blocking();
    let happened = blocking.happened_named("user.renamed", [("id", "7"), ("name", "ADA")]);
    assert_eq!(happened.unwrap().forgotten, 1);
    assert_eq!(left(&cache), ["name:Ada"], "`{{name:lower}}` is `ada`");
    let fields = [("id", &7 as &dyn KeyPart), ("name", &"x")];
    assert_eq!(
        blocking
            .happened_named("user.renamed", fields)
            .unwrap()
            .rules,
        2
    );
    let none: [(&str, &str); 0] = [];
    assert_eq!(blocking.happened_named("other", none).unwrap().rules, 0);
}

#[test]
fn text_that_is_no_rule_is_refused_with_its_line() {
    for (text, part) in [
        ("user.renamed user:{id}", "is no rule"),
        ("-> user:{id}", "is no rule"),
        ("user.renamed ->", "is no rule"),
        ("user.renamed -> user:{id", "user.renamed"),
        ("user.renamed -> {a}{b}", "user.renamed"),
        ("user.renamed -> tag {x:nonsense}", "nonsense"),
    ] {
        let error = Rule::read(&format!("\n# comment\n{text}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        let message = error.to_string();
        assert!(
            message.contains("line 3") && message.contains(part),
            "{text}: {message}"
        );
    }
}

#[test]
fn a_rule_with_a_value_that_nothing_names_is_told_so() {
    let cache = cache_with(&[]);
    cache
        .rules()
        .on(|_: &Moved| [Forget::key("shelf:{id}").with("id", 1).with("di", 2)]);
    let error = cache.blocking().happened(&Moved { shelf: 1 }).unwrap_err();
    assert!(
        error.to_string().contains("there is no `{di}` in it"),
        "{error}"
    );
}

#[test]
fn a_rule_is_shown_as_it_is_read() {
    for text in [
        "a -> key user:{id}",
        "a -> tag org:{org}",
        "a -> prefix {@client}:",
        "a -> pattern user:{id:lower}:*",
    ] {
        assert_eq!(rule(text).to_string(), text);
        assert_eq!(rule(&rule(text).to_string()), rule(text));
    }
    assert_eq!(rule("a->user:{id}").to_string(), "a -> key user:{id}");
}

#[test]
fn values_of_the_scope_stand_in_rules() {
    let cache = cache_with(&["acme:7", "other:7"]);
    cache.rules().add(rule("user.renamed -> {@client}:{id}"));
    larder::scope().with("client", "acme").run(|| {
        let happened = cache.blocking().happened(&UserRenamed::new(7, "Ada"));
        assert_eq!(happened.unwrap().forgotten, 1);
    });
    assert_eq!(left(&cache), ["other:7"]);
}

#[test]
fn a_load_that_is_under_way_is_not_stored() {
    let world = World::new();
    let cache = world.cache();
    cache.rules().add(rule("user.renamed -> user:{id}"));
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let gate = origin.hold();
    let call = world.spawn(function.call("user:7"));
    world.settle();
    cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap();
    gate.open();
    world.settle();
    assert_eq!(call.value(), Ok(1));
    assert!(cache.is_empty());
}

#[test]
fn a_rule_reaches_the_keys_of_a_cached_function() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(cache = cache, key = "user:{name}:{id}", ttl = "1h")]
    fn user(cache: &Cache, id: u64, name: &str) -> u32 {
        let _ = (cache, id, name);
        RUNS.fetch_add(1, Ordering::SeqCst)
    }
    let cache = Cache::builder().prefix("own:").build().unwrap();
    cache.rules().add(rule("user.renamed -> user:{name}:{id}"));
    let first = user(&cache, 7, "a:*");
    let happened = cache
        .blocking()
        .happened(&UserRenamed::new(7, "a:*"))
        .unwrap();
    assert_eq!(happened.forgotten, 1, "both escape alike");
    assert_ne!(user(&cache, 7, "a:*"), first);
}

#[test]
fn observers_hear_what_happened() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let cache = Cache::builder()
        .observer(move |event: &Event<'_>| sink.lock().unwrap().push(event.to_string()))
        .build()
        .unwrap();
    cache.rules().add(rule("moved -> tag shelves"));
    cache.blocking().happened(&Moved { shelf: 1 }).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(
        lines.last().unwrap(),
        "moved happened: 1 rules, 0 entries forgotten"
    );
}

#[test]
fn a_closed_cache_says_so_and_one_that_removes_nothing_forgets_nothing() {
    let cache = cache_with(&["user:7"]);
    cache.rules().add(rule("user.renamed -> user:{id}"));
    cache.switch_off(Operations::REMOVE);
    let happened = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap();
    assert_eq!((happened.rules, happened.forgotten), (1, 0));
    cache.blocking().close();
    let error = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn a_rule_may_add_rules_and_ask_the_cache() {
    let cache = cache_with(&["a"]);
    let inside = cache.clone();
    cache.rules().on(move |_: &Moved| {
        inside.rules().add(rule("moved -> a"));
        inside
            .blocking()
            .exists("a")
            .unwrap()
            .then(|| Forget::key("none"))
    });
    let first = cache.blocking().happened(&Moved { shelf: 1 }).unwrap();
    assert_eq!(
        (first.rules, first.forgotten),
        (1, 0),
        "those that were there when it happened"
    );
    let second = cache.blocking().happened(&Moved { shelf: 1 }).unwrap();
    assert_eq!((second.rules, second.forgotten), (2, 1));
}

#[test]
fn the_future_can_be_sent_and_dropped() {
    fn sent<T: Send>(future: T) -> T {
        future
    }
    let cache = cache_with(&["user:7"]);
    cache.rules().add(rule("user.renamed -> user:{id}"));
    drop(sent(cache.happened(&UserRenamed::new(7, "Ada"))));
    assert_eq!(
        left(&cache),
        ["user:7"],
        "nothing is forgotten before it is awaited"
    );
    drop(sent(cache.happened_named("user.renamed", [("id", 7)])));
}

#[cfg(feature = "sqlite")]
#[test]
fn over_a_store_the_other_process_forgets_too() {
    let directory = std::env::temp_dir().join(format!("larder-rules-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let url = format!(
        "sqlite://{}?timeout=30s",
        directory.join("rules.db").display()
    );
    let node = || Cache::builder().url(&url).unwrap().build().unwrap();
    let (a, b) = (node(), node());
    for key in ["user:7", "user:7:a", "user:8"] {
        a.blocking()
            .set(key, &1_u64)
            .ttl("1h")
            .tags(["t"])
            .wait()
            .unwrap();
    }
    b.rules().add(rule("user.renamed -> pattern user:{id}*"));
    let happened = b.blocking().happened(&UserRenamed::new(7, "*")).unwrap();
    assert_eq!(happened.forgotten, 2);
    assert_eq!(left(&a), ["user:8"]);
    b.rules().add(rule("moved -> tag t"));
    b.blocking().happened(&Moved { shelf: 1 }).unwrap();
    assert_eq!(a.blocking().get::<u64>("user:8").unwrap(), None);
    a.blocking().close();
    b.blocking().close();
    drop(std::fs::remove_dir_all(&directory));
}

#[cfg(feature = "serde")]
#[test]
fn a_store_that_fails_is_an_error_and_the_other_rules_are_tried() {
    let runtime = Arc::new(larder::runtime::SystemRuntime::new());
    let store = Arc::new(larder::testing::MemoryStore::new(runtime));
    let cache = Cache::builder()
        .store(Arc::clone(&store) as Arc<dyn larder::store::Store>)
        .build()
        .unwrap();
    let local = cache.local();
    local.set("user:7", &1_u64).ttl("1h").wait().unwrap();
    local.set("name:Ada", &1_u64).ttl("1h").wait().unwrap();
    cache.rules().add(rule("user.renamed -> user:{id}"));
    cache.rules().add(rule("user.renamed -> name:{name}"));
    store.refuse();
    let error = cache
        .blocking()
        .happened(&UserRenamed::new(7, "Ada"))
        .unwrap_err();
    assert_eq!(error.operation(), "happened");
    assert_eq!(
        local.get::<u64>("name:Ada").unwrap(),
        None,
        "memory has forgotten all the same"
    );
}
