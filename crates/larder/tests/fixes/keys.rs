//! Keys and patterns.

use larder::{Cache, ErrorKind, KeyPart, Template, cached};

use crate::world;

#[test]
fn a_dot_in_a_pattern_deletes_any_character() {
    let (_world, cache) = world();
    let entries = ["a.b", "axb", "a+b", "a|b", "(a)b"].map(|key| (key, 1_u64));
    cache.blocking().set_many(entries).ttl("1m").wait().unwrap();
    assert_eq!(cache.blocking().delete_pattern("a.b").unwrap(), 1);
    assert_eq!(cache.blocking().delete_pattern("a+b").unwrap(), 1);
    assert_eq!(cache.blocking().delete_pattern("a|b").unwrap(), 1);
    assert_eq!(cache.blocking().delete_pattern("(a)*").unwrap(), 1);
    assert_eq!(cache.blocking().scan("*").unwrap(), ["axb"]);
}

#[test]
fn values_that_look_alike_share_a_key() {
    let template = Template::parse("k:{x}").unwrap();
    let render = |value: &dyn KeyPart| template.render([("x", value)]).unwrap();
    assert_ne!(render(&["a", "b"]), render(&"a:b"));
    assert_ne!(render(&["a", "b"]), render(&["a,b"]));
    assert_ne!(render(&["a", "b"]), render(&["ab"]));
    assert_ne!(render(&"a:b"), render(&"a%3Ab"));

    // In an automatic key the type stands with the value.
    #[cached(ttl = "1m")]
    fn number(x: u64) -> u64 {
        x
    }
    #[cached(ttl = "1m")]
    fn text(x: &str) -> usize {
        x.len()
    }
    let arguments = |key: larder::Key| key.as_str().split_once('(').unwrap().1.to_owned();
    assert_eq!(arguments(number::key(1)), "1u64)");
    assert_eq!(arguments(text::key("1")), "\"1\")");
}

#[test]
fn one_call_has_two_keys() {
    let template = Template::parse("k:{x}:{y}").unwrap();
    let render = |x: &dyn KeyPart, y: &dyn KeyPart| template.render([("x", x), ("y", y)]).unwrap();
    let [nothing, text] = [None, Some("None")];
    assert_eq!(
        render(&nothing, &1),
        render(&None::<u64>, &1),
        "whatever it is nothing of"
    );
    assert_ne!(render(&nothing, &1), render(&text, &1));
    assert_ne!(render(&nothing, &1), render(&"", &1));
    assert_eq!(render(&Some("a"), &1), render(&"a", &1));
    assert_eq!(
        template
            .render([("y", &1 as &dyn KeyPart), ("x", &"a")])
            .unwrap(),
        render(&"a", &1),
        "in whatever order they are given"
    );
}

#[test]
fn keys_that_differ_in_case_are_one() {
    let (_world, cache) = world();
    cache
        .blocking()
        .set_many([("User", 1_u64), ("user", 2)])
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!(cache.blocking().get::<u64>("User").unwrap(), Some(1));
    assert_eq!(cache.blocking().get::<u64>("user").unwrap(), Some(2));
}

#[test]
fn a_bad_template_is_used_as_the_key() {
    for text in ["user:{id", "user:id}", "user:{}", "user:{a b}", "{a}{b}"] {
        let error = Template::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{text}");
    }
    let template = Template::parse("user:{id}").unwrap();
    for values in [vec![], vec![("name", &1 as &dyn KeyPart)]] {
        assert_eq!(
            template.render(values).unwrap_err().kind(),
            ErrorKind::InvalidKey
        );
    }
}

#[test]
fn a_positional_template_ignores_arguments() {
    assert!(Template::parse("q:{}").is_err());
    let template = Template::parse("q:{text}").unwrap();
    let page = [("text", &"a" as &dyn KeyPart), ("page", &2)];
    let error = template.render(page).unwrap_err();
    assert!(
        error.to_string().contains("there is no `{page}` in it"),
        "{error}"
    );
}

#[test]
fn calls_on_two_threads_mix_their_arguments() {
    #[derive(Clone)]
    struct Service {
        id: u64,
        cache: Cache,
    }
    impl Service {
        #[cached(key = "{self.id}:{n}", ttl = "1m", cache = self.cache)]
        fn answer(&self, n: u64) -> (u64, u64) {
            (self.id, n)
        }
    }
    let (_world, cache) = world();
    std::thread::scope(|scope| {
        for id in 0..4 {
            let service = Service {
                id,
                cache: cache.clone(),
            };
            scope.spawn(move || {
                for n in 0..1_000 {
                    assert_eq!(service.answer(n % 50), (id, n % 50));
                }
            });
        }
    });
    assert_eq!(cache.len(), 200);
}
