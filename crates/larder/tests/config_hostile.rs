//! Configurations that want to do harm: bombs, depth, size, and text at random.

#![cfg(all(feature = "yaml", feature = "toml"))]

mod shelf;

use std::time::{Duration, Instant};

use larder::config::Configuration;
use proptest::prelude::*;

/// On a thread with the stack of a test, so that a recursion without a bound shows.
fn is_refused_soon(name: &str, text: &str) -> String {
    let began = Instant::now();
    let read = Configuration::from_text(name, text).and_then(|c| c.plans().map(drop));
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{name} of {} bytes took {took:?}",
        text.len()
    );
    let error = read.expect_err("this is no configuration").to_string();
    assert!(error.len() < 1_000, "the message is {} long", error.len());
    error
}

#[test]
fn depth_is_refused_however_it_is_written() {
    for depth in [100, 10_000, 100_000] {
        for (name, open, close) in [
            ("a.yaml", "[", "]"),
            ("a.yaml", "{a: ", "}"),
            ("a.yaml", "- ", ""),
            ("a.yaml", "? ", ""),
            ("a.yaml", "!a ", ""),
        ] {
            let text = format!("{}x{}", open.repeat(depth), close.repeat(depth));
            is_refused_soon(name, &text);
        }
        for (before, open, close) in [
            ("a = ", "[", "]"),
            ("a = ", "{a = ", "}"),
            ("", "a.", " = 1"),
            ("", "\"a\".", " = 1"),
            ("[", "a.", "]"),
            ("[[", "'a'.", "]]"),
            ("a = {", "a.", " = 1}"),
        ] {
            let close = match open.contains('.') {
                true => format!("a{close}"),
                false => format!("1{}", close.repeat(depth)),
            };
            let text = format!("{before}{}{close}\n", open.repeat(depth));
            is_refused_soon("a.toml", &text);
        }
    }
}

#[test]
fn depth_over_many_lines_is_refused_too() {
    // Each line is harmless; TOML 1.1 lets inline tables go over lines.
    for key in ["a", "\"a\"", "'a'", "\"\\\"\"", "'\\'"] {
        for before in [
            "",
            "a = \"\"\"\n\"\"\"\n",
            "a = '''\n'''\n",
            "a = \"\\\\\"\n",
        ] {
            for (depth, dots) in [(2_000, 60), (79, 60), (79, 79), (2_000, 12), (15, 79)] {
                let keys = vec![key; dots].join(".");
                let mut text = format!("{before}b = ");
                for _ in 0..depth {
                    text.push_str(&format!("{{\n{keys} = "));
                }
                text.push('1');
                text.push_str(&"}".repeat(depth));
                is_refused_soon("a.toml", &text);
            }
        }
    }
    let mut indented = String::new();
    for depth in 0..1_000 {
        indented.push_str(&format!("{}a:\n", " ".repeat(depth)));
    }
    is_refused_soon("a.yaml", &indented);
}

#[test]
fn bombs_of_anchors_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let names = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{names}]\n"));
    }
    let told = is_refused_soon("a.yaml", &bomb);
    assert!(
        told.contains("larger or deeper than a configuration can be"),
        "{told}"
    );
    let merge = "a: &a {ttl: 1m}\n".to_owned() + &"b: {<<: *a}\n".repeat(10_000);
    is_refused_soon("a.yaml", &merge);
    is_refused_soon("a.yaml", "a: &a [*a]\n");
}

#[test]
fn what_is_too_large_is_not_read() {
    let long = format!("prefix: {}\n", "x".repeat(2 << 20));
    assert_eq!(
        is_refused_soon("a.yaml", &long),
        "config: a.yaml is larger than 1 MiB: this is no configuration"
    );
    let many: String = (0..80_000).map(|n| format!("key{n}: 1\n")).collect();
    is_refused_soon("a.yaml", &many);
    let many: String = (0..80_000).map(|n| format!("key{n} = 1\n")).collect();
    is_refused_soon("a.toml", &many);
    let many: String = (0..20_000).map(|n| format!("key{n}: 1\n")).collect();
    let many = format!("url: shelf://a\n{many}");
    shelf::known();
    assert_eq!(
        is_refused_soon("a.yaml", &many),
        "config: a.yaml:258:1: more than 256 settings stand here"
    );
    is_refused_soon("a.yaml", &format!("{}: 1\n", "k".repeat(900)));
    is_refused_soon("a.toml", &format!("{} = 1\n", "k".repeat(1_000_000)));
    let lists = format!("levels: [{}]\n", "shelf://a, ".repeat(60_000));
    is_refused_soon("a.yaml", &lists);
    let url = format!("memory://?{}", "a=b&".repeat(200_000));
    assert!(Configuration::from_url(&url).is_err());
    let url = "memory:// ".repeat(100_000);
    assert!(Configuration::from_url(&url).is_err());
}

/// Pieces that mean something, so that more than the first character is reached.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "url",
            "levels",
            "routes",
            "caches",
            "defaults",
            "ttl",
            "stale",
            "soft",
            "prefix",
            "memory_ttl",
            "ttl_cap",
            "timeout",
            "shelf://a",
            "memory://",
            "off://",
            "redis://",
            "10m",
            "forever",
            "33%",
            "auto",
            ":",
            ": ",
            " = ",
            "=",
            "&",
            "?",
            "%",
            "%41",
            "\n",
            "\n  ",
            "\n    ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "'",
            "#",
            ",",
            ".",
            "1",
            "-1",
            "true",
            "null",
            "*a",
            "&a ",
            "!t ",
            "|",
            ">",
            "---",
            "@",
            "/",
            "//",
            "[[",
            "]]",
            "\"\"\"",
            "\t",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_makes_it_panic(text in pieces(), value in pieces()) {
        shelf::known();
        for name in ["a.yaml", "a.toml"] {
            if let Ok(configuration) = Configuration::from_text(name, &text) {
                let _ = configuration.plans();
                let _ = configuration.advice();
            }
        }
        if let Ok(configuration) = Configuration::from_url(&text) {
            let _ = configuration.advice();
        }
        let value = value.replace('\0', "");
        for name in ["LARDER_URL", "LARDER_TTL", "LARDER_MEMORY_TTL", "LARDER_OFF", "LARDER_A_URL"] {
            let variables = [(name.to_owned(), value.clone()), (format!("LARDER_{text}"), text.clone())];
            if let Ok(configuration) = Configuration::default().with_variables(variables) {
                let _ = configuration.plans();
            }
        }
    }

    #[test]
    fn a_password_is_in_no_message_and_no_debug(secret in "[a-zA-Z0-9]{12}", wrong in pieces()) {
        shelf::known();
        for url in [
            format!("shelf://user:{secret}@host/{wrong}"),
            format!("shelf://user:{secret}@host{wrong}"),
            format!("shelf://:{secret}/x@host?{wrong}"),
            format!("shelf://:x?{secret}@host?{wrong}"),
            format!("shelf://:{secret}{wrong}@host"),
            format!("shelf://a shelf://:x {secret}@host"),
        ] {
            let told = match Configuration::from_url(&url).and_then(|c| { c.plans()?; Ok(c) }) {
                Ok(configuration) => format!("{configuration:?} {:?} {:?}", configuration.plans(), configuration.advice()),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!told.contains(&secret), "{url}: {told}");
        }
    }
}
