//! Variables on top of files and URLs, and what stands out in the whole.

#![cfg(all(feature = "yaml", feature = "toml"))]

mod shelf;

use std::time::Duration;

use larder::Policy;
use larder::config::{Configuration, Plan};

const FILE: &str = r"
defaults: {ttl: 10m}
caches:
  default:
    url: shelf://file?shelves=3
    prefix: 'file:'
    memory_ttl: 1m
  user-data:
    levels: [shelf://a, 'shelf://b?timeout=3s']
    routes: {'s:': shelf://c}
    strict: true
";

fn over(text: &str, variables: &[(&str, &str)]) -> larder::Result<Configuration> {
    shelf::known();
    let variables = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    let below = match text {
        "" => Configuration::default(),
        text => Configuration::from_text("a.yaml", text).unwrap(),
    };
    below.with_variables(variables)
}

fn plans(text: &str, variables: &[(&str, &str)]) -> Vec<Plan> {
    over(text, variables).unwrap().plans().unwrap()
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    let refused = over(text, variables).and_then(|configuration| configuration.plans());
    refused.unwrap_err().to_string()
}

#[test]
fn a_variable_counts_more_than_the_file() {
    let plans = plans(
        FILE,
        &[
            ("LARDER_TTL", "5m"),
            ("LARDER_PREFIX", "env:"),
            ("LARDER_USER_DATA_STRICT", "0"),
            ("LARDER_USER_DATA_TIMEOUT", "1s"),
            ("LARDER_DEFAULT_STALE", "1h"),
            ("OTHERS_TTL", "nonsense"),
        ],
    );
    let [default, users] = &plans[..] else {
        panic!("{plans:?}")
    };
    assert_eq!(default.defaults, Policy::new().ttl("5m").stale("1h"));
    assert_eq!(default.prefix, "env:");
    assert_eq!(default.levels[0].place(), "shelf://file");
    assert_eq!(
        users.defaults,
        Policy::new().ttl("10m"),
        "the file's default"
    );
    assert!(!users.strict);
    let all = users.levels.iter().chain(&users.routes[0].levels);
    for level in all {
        assert_eq!(
            level.limits.timeout,
            Some(Duration::from_secs(1)),
            "of each level"
        );
    }
}

#[test]
fn a_url_replaces_the_places_and_leaves_the_other_settings() {
    let variables = [
        ("LARDER_URL", "shelf://env?ttl=1m&prefix=url:"),
        ("LARDER_TTL", "2m"),
        ("LARDER_USER_DATA_URL", "memory://"),
    ];
    let plans = plans(FILE, &variables);
    let [default, users] = &plans[..] else {
        panic!("{plans:?}")
    };
    assert_eq!(
        default.to_url().unwrap(),
        "memory://?prefix=url:&ttl=2m&memory_ttl=1m shelf://env?ttl_cap=2m"
    );
    assert!(users.levels.is_empty() && users.routes.is_empty());
    assert!(users.strict);
}

#[test]
fn variables_alone_make_caches() {
    assert!(plans("", &[]).is_empty());
    assert!(plans("", &[("LARDER_URL", ""), ("LARDER_TTL", "")]).is_empty());
    let one = plans("", &[("LARDER_TTL", "1m")]);
    assert_eq!(one[0].to_url().unwrap(), "memory://?ttl=1m");
    let both = plans(
        "",
        &[
            ("LARDER_PICTURES_URL", "shelf://p"),
            ("LARDER_PICTURES_TTL", "1m"),
            ("LARDER_URL", "memory://?size=3"),
        ],
    );
    let names: Vec<_> = both.iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(names, ["pictures", "default"]);
    assert_eq!(both[0].defaults, Policy::new().ttl("1m"));
}

#[test]
fn larder_off_switches_every_cache_off() {
    assert!(
        plans(FILE, &[("LARDER_OFF", "1")])
            .iter()
            .all(|plan| plan.off)
    );
    assert!(
        plans(FILE, &[("LARDER_OFF", "0")])
            .iter()
            .all(|plan| !plan.off)
    );
    let one: Vec<_> = plans(FILE, &[("LARDER_USER_DATA_OFF", "1")])
        .iter()
        .map(|plan| plan.off)
        .collect();
    assert_eq!(one, [false, true]);
    assert!(plans("", &[("LARDER_OFF", "true")])[0].off);
}

#[test]
fn a_cache_that_is_off_opens_nothing() {
    shelf::known();
    let text = "caches: {a: 'shelf://never-opened', b: 'shelf://opened-once'}";
    let configuration = over(text, &[("LARDER_A_OFF", "1")]).unwrap();
    let caches = configuration.build().unwrap();
    assert_eq!(caches[0].switched_off(), larder::Operations::ALL);
    assert!(shelf::opened("never-opened").is_none());
    assert_eq!(shelf::opened("opened-once").unwrap().times, 1);
}

#[test]
fn what_is_wrong_in_a_variable_is_told_with_its_name() {
    for (variables, told) in [
        (
            &[("LARDER_TTL", "10")][..],
            "config: LARDER_TTL: `ttl=10`: a duration needs a unit: `10s`, `10m`, `10h`, `10d` (also `w`, `ms`, `us`, `ns`)",
        ),
        (
            &[("LARDER_URL", "shlef://a")],
            "config: LARDER_URL: unknown scheme `shlef` (did you mean `shelf`?)",
        ),
        (
            &[("LARDER_URL", "shelf://a?name=x")],
            "config: LARDER_URL: `name` stands in no URL here: the key or the variable names the cache",
        ),
        (
            &[("LARDER_SOFT", "20m")],
            "config: LARDER_SOFT: `soft` must be shorter than `ttl`: after `soft` a call reloads, after `ttl` the value is gone; use `fail_safe` to keep it longer",
        ),
        (
            &[("LARDER_TLL", "1m")],
            "config: LARDER_TLL: this variable means nothing (did you mean `LARDER_TTL`?)",
        ),
        (
            &[("LARDER_USERDATA_TTL", "1m")],
            "config: LARDER_USERDATA_TTL: this variable means nothing (did you mean `LARDER_USER_DATA_TTL`?)",
        ),
        (
            &[("LARDER_USER_DAT_URL", "memory://")],
            "config: LARDER_USER_DAT_URL: this variable means nothing (did you mean `LARDER_USER_DATA_URL`?)",
        ),
        (
            &[("LARDER_OF", "1")],
            "config: LARDER_OF: this variable means nothing (did you mean `LARDER_OFF`?)",
        ),
        (
            &[("LARDER_OFF", "yes")],
            "config: LARDER_OFF: `off=yes`: expected `1` or `0`",
        ),
        (
            &[("LARDER_CONFG", "x.yaml")],
            "config: LARDER_CONFG: this variable means nothing (did you mean `LARDER_CONFIG`?)",
        ),
    ] {
        assert_eq!(refusal(FILE, variables), told, "{variables:?}");
    }
    let two = "caches: {a-b: , a_b: }";
    assert_eq!(
        refusal(two, &[("LARDER_A_B_TTL", "1m")]),
        "config: LARDER_A_B_TTL: this can mean the cache `a-b` or the cache `a_b`: give one of them another name"
    );
    let memory = "caches: {memory: }";
    assert_eq!(
        refusal(memory, &[("LARDER_MEMORY_TTL", "1m")]),
        "config: LARDER_MEMORY_TTL: this can mean the cache `default` or the cache `memory`: give one of them another name"
    );
}

#[test]
fn variables_of_others_and_secrets_are_no_mistakes() {
    let text = "url: shelf://a?key_env=LARDER_TTX\nsign_key_env: LARDER_TTO\nold_keys: '2025=env:LARDER_TTU,file:x'\n";
    let secrets = [
        ("LARDER_TTX", "x"),
        ("LARDER_TTO", "x"),
        ("LARDER_TTU", "x"),
        ("LARDER_SEED", "7"),
    ];
    let quiet = over(text, &secrets).unwrap();
    let about_variables = |configuration: &Configuration| {
        let mut advice = configuration.advice().unwrap();
        advice.retain(|advice| advice.id == "unknown-variable");
        advice
    };
    assert!(about_variables(&quiet).is_empty());
    let kubernetes = over(text, &[("LARDER_PORT_6379_TCP_ADDR", "10.0.0.1")]).unwrap();
    assert_eq!(
        about_variables(&kubernetes)[0].to_string(),
        "the variable `LARDER_PORT_6379_TCP_ADDR` means nothing: unset it, or give it the name of a setting [unknown-variable]"
    );
}

fn ids(url: &str) -> Vec<&'static str> {
    shelf::known();
    let advice = Configuration::from_url(url).unwrap().advice().unwrap();
    advice.into_iter().map(|advice| advice.id).collect()
}

#[test]
fn a_configuration_without_risks_gets_no_advice() {
    assert_eq!(ids("memory://?ttl=10m"), [""; 0]);
    assert_eq!(ids("shelf://a?prefix=p:&ttl=10m&stale=1h"), [""; 0]);
    assert_eq!(
        ids("shelf://a?prefix=p:&ttl=10m&fail_safe=1h&memory_ttl=10s"),
        [""; 0]
    );
    assert_eq!(ids("off://"), [""; 0]);
    assert_eq!(
        ids("shelf://a?off=1&strict=1"),
        [""; 0],
        "what is off has no risks"
    );
}

#[test]
fn each_risk_is_named() {
    const FINE: &str = "prefix=p:&ttl=10m&fail_safe=1h";
    for (url, id) in [
        ("shelf://a?ttl=10m&fail_safe=1h".to_owned(), "no-prefix"),
        ("memory://?ttl=forever".to_owned(), "forever"),
        (
            "shelf://a?prefix=p:&failover=1&ttl=forever".to_owned(),
            "no-ttl-anywhere",
        ),
        ("shelf://a?prefix=p:&ttl=10m".to_owned(), "no-fallback"),
        (
            "shelf://a?prefix=p:&fail_safe=1h".to_owned(),
            "defaults-without-ttl",
        ),
        (
            "shelf://a?prefix=p:&ttl=10m&stale=1h&strict=1".to_owned(),
            "strict-without-fallback",
        ),
        (format!("memory:// shelf://a?{FINE}"), "deaf-memory"),
        (
            format!("shelf://a?memory_ttl=11m&{FINE}"),
            "long-deaf-memory",
        ),
        (
            format!("shelf://a?compress=zstd&compress_above=64b&{FINE}"),
            "tiny-compressed",
        ),
        (format!("shelf://a?breaker=0&{FINE}"), "no-breaker"),
        (format!("shelf://a?timeout=2m&{FINE}"), "slow-store"),
    ] {
        assert_eq!(ids(&url), [id], "{url}");
    }
    assert_eq!(
        ids(&format!("shelf://a?client_side=1&{FINE}")),
        [""; 0],
        "it hears"
    );
    assert_eq!(
        ids("shelf://a?ttl_cap=1h&prefix=p:&failover=1&ttl=forever"),
        [""; 0]
    );
}

#[test]
#[cfg(feature = "redis")]
fn an_open_connection_to_another_machine_is_named() {
    const FINE: &str = "prefix=p:&ttl=10m&fail_safe=1h";
    for host in ["cache.example", "10.0.0.1:6379", "localhost,10.0.0.1"] {
        assert_eq!(ids(&format!("redis://{host}/0?{FINE}")), ["open-wire"]);
        assert_eq!(
            ids(&format!("redis://{host}/0?{FINE}&sign_key_env=KEY")),
            [""; 0]
        );
        assert_eq!(ids(&format!("rediss://{host}/0?{FINE}")), [""; 0]);
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:6379"] {
        assert_eq!(ids(&format!("redis://{host}/0?{FINE}")), [""; 0]);
    }
}
