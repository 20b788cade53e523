//! What configurations come to, and that a plan written down is read as the same plan.

#![cfg(all(feature = "yaml", feature = "toml"))]

mod shelf;

use std::time::Duration;

use larder::Policy;
use larder::config::{Configuration, Plan, SecretAt};
use proptest::prelude::*;

fn plan_of_url(url: &str) -> Plan {
    shelf::known();
    one(Configuration::from_url(url).unwrap())
}

fn plan_of_yaml(text: &str) -> Plan {
    shelf::known();
    one(Configuration::from_text("a.yaml", text).unwrap())
}

fn one(configuration: Configuration) -> Plan {
    let mut plans = configuration.plans().unwrap();
    assert_eq!(plans.len(), 1);
    plans.remove(0)
}

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

#[test]
fn a_url_a_yaml_file_and_a_toml_file_say_the_same() {
    let by_url = plan_of_url(
        "memory://?size=10&ttl_cap=1m shelf://me@h1,h2:3/p?shelves=3&prefix=a%20b:&ttl=10m&stale=1h&jitter=10%25&timeout=200ms&ttl_cap=1h&dedupe=1 tray://far?password_env=PW&breaker=5&format=json",
    );
    let by_yaml = plan_of_yaml(
        r#"
prefix: "a b:"
ttl: 10m
stale: 1h
jitter: 0.1
format: json
levels:
  - url: memory://
    size: 10
    ttl_cap: 1m
  - url: shelf://me@h1,h2:3/p
    shelves: 3
    timeout: 200ms
    ttl_cap: 60m
    dedupe: true
  - url: tray://far
    password_env: PW
    breaker: 5
"#,
    );
    let toml = r#"
prefix = "a b:"
ttl = "10m"
stale = "60m"
jitter = "10%"
format = "json"
levels = [
    { url = "memory://", size = 10, ttl_cap = "1m" },
    { url = "shelf://me@h1,h2:3/p?shelves=3", timeout = "0.2s", ttl_cap = "1h", dedupe = true },
    "tray://far?password_env=PW&breaker=5",
]
"#;
    let by_toml = one(Configuration::from_text("a.toml", toml).unwrap());
    assert_eq!(by_url, by_yaml);
    assert_eq!(by_url, by_toml);
    assert_eq!(by_url.prefix, "a b:");
    let policy = Policy::new().ttl("10m").stale("1h").jitter(0.1);
    assert_eq!(by_url.defaults, policy);
    let [near, far] = &by_url.levels[..] else {
        panic!("{by_url:?}")
    };
    assert_eq!(near.place(), "shelf://h1,h2:3/p");
    assert_eq!(near.limits.timeout, Some(Duration::from_millis(200)));
    assert_eq!(far.password, Some(SecretAt::Variable("PW".into())));
    assert_eq!(far.limits.breaker, Some(5));
    let memory = by_url.memory.unwrap();
    assert_eq!((memory.size, memory.ttl_cap), (Some(10), MINUTE));
}

#[test]
fn a_store_has_memory_in_front_of_it_only_when_it_is_asked_for() {
    assert_eq!(plan_of_url("shelf://a").memory, None);
    assert_eq!(plan_of_url("shelf://a?client_side=0").memory, None);
    assert!(plan_of_url("shelf://a?client_side=1").memory.is_some());
    assert!(plan_of_url("memory:// shelf://a").memory.is_some());
    assert!(plan_of_url("shelf://a?memory_size=5").memory.is_some());
    assert!(plan_of_url("memory://").memory.is_some());
    assert!(plan_of_yaml("ttl: 1m").memory.is_some());
}

#[test]
fn in_the_short_form_the_store_keeps_twice_as_long_as_memory() {
    let caps = |url| {
        let plan = plan_of_url(url);
        (plan.memory.unwrap().ttl_cap, plan.levels[0].ttl_cap)
    };
    let minutes = |n: u64| Some(Duration::from_secs(60 * n));
    assert_eq!(caps("shelf://a?memory_ttl=1m"), (minutes(1), minutes(2)));
    let both = "shelf://a?memory_ttl=1m&store_ttl=1h";
    assert_eq!(caps(both), (minutes(1), minutes(60)));
    assert_eq!(
        caps("shelf://a?memory_ttl=1m&ttl_cap=5m"),
        (minutes(1), minutes(5))
    );
    assert_eq!(caps("memory://?ttl_cap=1m shelf://a"), (minutes(1), None));
}

#[test]
fn what_a_cache_says_counts_more_than_the_defaults_of_the_file() {
    shelf::known();
    let text = r"
defaults: {ttl: 1m, stale: 1h, timeout: 1s, prefix: 'all:', strict: true}
caches:
  plain:
  own: {ttl: 2m, url: 'shelf://a shelf://b?timeout=3s', prefix: 'own:', strict: false, timeout: 2s}
  short: shelf://c
";
    let plans = Configuration::from_text("a.yaml", text)
        .unwrap()
        .plans()
        .unwrap();
    let [plain, own, short] = &plans[..] else {
        panic!("{plans:?}")
    };
    assert_eq!(
        [&plain.name, &own.name, &short.name],
        ["plain", "own", "short"]
    );
    assert_eq!(plain.defaults, Policy::new().ttl("1m").stale("1h"));
    assert_eq!(own.defaults, Policy::new().ttl("2m").stale("1h"));
    assert_eq!(
        (plain.prefix.as_str(), own.prefix.as_str()),
        ("all:", "own:")
    );
    assert_eq!((plain.strict, own.strict), (true, false));
    let timeouts: Vec<_> = own.levels.iter().map(|l| l.limits.timeout).collect();
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(
        timeouts,
        [seconds(2), seconds(3)],
        "the nearest word counts"
    );
    assert_eq!(short.levels[0].limits.timeout, seconds(1));
}

#[test]
fn anchors_and_merges_of_yaml_may_be_used() {
    shelf::known();
    let text = "caches:\n  a: &a\n    ttl: 1m\n    url: shelf://a\n  b:\n    <<: *a\n    ttl: 2m\n";
    let plans = Configuration::from_text("a.yaml", text)
        .unwrap()
        .plans()
        .unwrap();
    assert_eq!(plans[1].defaults, Policy::new().ttl("2m"));
    assert_eq!(plans[1].levels, plans[0].levels);
}

#[test]
fn routes_are_of_one_or_more_stores_each() {
    let plan = plan_of_yaml(
        r#"
url: shelf://rest
routes:
  "b:": {url: shelf://b, ttl_cap: 1m}
  "a:": shelf://a1 shelf://a2
  "a:b:": [shelf://c, {url: tray://d, in_flight: 4}]
timeout: 5s
"#,
    );
    let shape: Vec<_> = plan
        .routes
        .iter()
        .map(|r| (r.prefix.as_str(), r.levels.len()))
        .collect();
    assert_eq!(shape, [("a:", 2), ("a:b:", 2), ("b:", 1)]);
    assert_eq!(plan.routes[2].levels[0].ttl_cap, MINUTE);
    assert_eq!(plan.routes[1].levels[1].limits.in_flight, Some(4));
    assert_eq!(plan.to_url(), None, "no URL has routes");
}

#[test]
fn a_password_of_a_url_is_not_written_down() {
    let plan = plan_of_url("shelf://me:hunter2@h/0");
    assert_eq!(plan.to_url().unwrap(), "shelf://me@h/0");
    for shown in [plan.to_yaml(), plan.to_toml(), format!("{plan:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_plan_is_written_in_canonical_words() {
    let url = "shelf://a?memory_ttl=1m&ttl=90m&early=33%25&failover=0&compress=zstd";
    let plan = plan_of_url(url);
    assert_eq!(
        plan.to_url().unwrap(),
        "memory://?compress=zstd&ttl=1h30m&early=33.0000%25&memory_ttl=1m shelf://a?ttl_cap=2m"
    );
    assert_eq!(
        plan.to_yaml(),
        r#"caches:
  "default":
    compress: "zstd"
    ttl: "1h30m"
    early: "33.0000%"
    memory_ttl: "1m"
    levels:
      - url: memory://
      - url: "shelf://a"
        ttl_cap: "2m"
"#
    );
    assert_eq!(
        plan.to_toml(),
        r#"[caches."default"]
compress = "zstd"
ttl = "1h30m"
early = "33.0000%"
memory_ttl = "1m"
levels = [{ url = "memory://" }, { url = "shelf://a", ttl_cap = "2m" }]
"#
    );
}

/// Any text, with what has to be escaped somewhere among it.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(
        "\"'\\%&?=#:/@ {}[]\n\t,\u{7f}\u{85}\u{2028}\u{feff}é"
            .chars()
            .collect::<Vec<_>>(),
    );
    let character = prop_oneof![odd, any::<char>()];
    prop::collection::vec(character, 0..8).prop_map(String::from_iter)
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..100, 1_u64..3_155_760_000_000_000_000]
}

/// One parameter of a URL and its value, encoded.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

prop_compose! {
    fn store()(
        scheme in prop::sample::select(vec!["shelf", "tray"]),
        user in prop::option::of("[a-z:/@]{1,5}"),
        place in "[a-z0-9.,]{1,8}(:[0-9]{1,4})?(/[a-z]{0,4}(%4[0-9A-F])?)?",
        shelves in prop::option::of(0_u64..9),
        odd in prop::option::of(text()),
        dedupe in prop::option::of(any::<bool>()),
        timeout in prop::option::of(span()),
        breaker in prop::option::of(0_u64..9),
        in_flight in prop::option::of(1_u64..9),
        password in prop::option::of("[A-Z]{1,4}"),
    ) -> String {
        let user = user.map_or(String::new(), |user| format!("{}@", encoded(&user)));
        let mut url = format!("{scheme}://{user}{place}?");
        let mut say = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                url.push_str(&format!("{name}={value}&"));
            }
        };
        say("shelves", shelves.map(|n| n.to_string()));
        say("odd%20one", odd.map(|odd| encoded(&odd)));
        say("dedupe", dedupe.map(|on| u8::from(on).to_string()));
        say("timeout", timeout.map(|n| format!("{n}ns")));
        say("breaker", breaker.map(|n| n.to_string()));
        say("in_flight", in_flight.map(|n| n.to_string()));
        say("password_env", password);
        url
    }
}

prop_compose! {
    fn of_cache()(
        prefix in prop::option::of(text()),
        name in prop::option::of(text()),
        ttl in prop::option::of(span()),
        soft in prop::option::of(1_u32..99),
        fail_safe in prop::option::of(span()),
        jitter in prop::option::of(1_u32..999_999),
        hits in prop::option::of(1_u32..u32::MAX),
        wait in prop::option::of(prop_oneof![span().prop_map(|n| format!("{n}ns")), Just("forever".to_owned())]),
        memory in prop::option::of(1_u64..u64::MAX),
        weight in prop::option::of(1_u64..1_u64 << 60),
        flags in prop::collection::vec(prop::option::of(any::<bool>()), 2),
        loads in prop::option::of(0_usize..99),
        format in prop::option::of(text()),
    ) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        let mut say = |name: &'static str, value: Option<String>| {
            pairs.extend(value.map(|value| (name, value)));
        };
        say("prefix", prefix.map(|text| encoded(&text)));
        say("name", name.filter(|name| !name.trim().is_empty()).map(|text| encoded(&text)));
        say("ttl", ttl.map(|n| format!("{}ns", n.max(1_000_000))));
        say("soft", soft.map(|n| format!("{n}%25")));
        say("fail_safe", fail_safe.map(|n| format!("{n}ns")));
        say("jitter", jitter.map(|n| format!("{}.{:04}%25", n / 10_000, n % 10_000)));
        say("hits", hits.map(|n| n.to_string()));
        say("wait", wait);
        say("memory_size", memory.map(|n| n.to_string()));
        say("memory_weight", weight.map(|n| n.to_string()));
        say("strict", flags[0].map(|on| u8::from(on).to_string()));
        say("off", flags[1].map(|on| u8::from(on).to_string()));
        say("background_loads", loads.map(|n| n.to_string()));
        say("format", format.map(|text| encoded(&text)));
        pairs
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_plan_written_down_is_read_as_the_same_plan(
        stores in prop::collection::vec(store(), 0..3),
        near in any::<bool>(),
        settings in of_cache(),
        routes in prop::collection::btree_map(text().prop_filter("named", |t| !t.is_empty()), prop::collection::vec(store(), 1..3), 0..3),
    ) {
        let mut urls = stores;
        if near || urls.is_empty() {
            urls.insert(0, "memory://?".to_owned());
        }
        let pairs: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        urls[0].push_str(&pairs.join("&"));
        let mut plan = plan_of_url(&urls.join(" "));
        let url = plan.to_url().unwrap();
        prop_assert_eq!(&plan_of_url(&url), &plan, "{}", url);
        for (prefix, stores) in routes.into_iter().filter(|_| !plan.levels.is_empty()).collect::<Vec<_>>() {
            let route = format!("url: shelf://rest\nroutes: {{'x': '{}'}}", stores.join(" "));
            let mut route = plan_of_yaml(&route).routes.remove(0);
            route.prefix = prefix;
            plan.routes.push(route);
        }
        plan.routes.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        if plan.levels.is_empty() && plan.memory.is_none() {
            return Ok(());
        }
        let yaml = plan.to_yaml();
        let read = Configuration::from_text("a.yaml", &yaml).and_then(|c| c.plans());
        prop_assert_eq!(&read.map_err(|e| format!("{e}\n{yaml}")).unwrap()[0], &plan, "{}", yaml);
        let toml = plan.to_toml();
        let read = Configuration::from_text("a.toml", &toml).and_then(|c| c.plans());
        prop_assert_eq!(&read.map_err(|e| format!("{e}\n{toml}")).unwrap()[0], &plan, "{}", toml);
    }
}
