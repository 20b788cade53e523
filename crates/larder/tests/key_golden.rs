//! The text of keys. What stands here is kept by stores that outlive a release: it must not change.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZero;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use larder::__private::{KeyBuf, auto_part, key_part, key_shown, transform};
use larder::{Key, KeyPart, PartWriter, Template, escape};

macro_rules! part {
    ($value:expr) => {
        part!($value, None)
    };
    ($value:expr, $stop:expr) => {{
        let mut key = KeyBuf::new();
        key_part!(key, $stop, $value);
        key.as_str().to_owned()
    }};
}

macro_rules! auto {
    ($value:expr) => {{
        let mut key = KeyBuf::new();
        auto_part!(key, $value);
        key.as_str().to_owned()
    }};
}

/// Neither `KeyPart` nor anything but `Display`.
struct Shown(&'static str);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "<{}:{}>", self.0, self.0)
    }
}

/// Only `Debug`.
#[derive(Debug)]
#[allow(dead_code)]
struct Point {
    x: i32,
}

struct Place(&'static str, &'static str);

impl KeyPart for Place {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.list([self.0, self.1]);
    }
}

#[test]
fn numbers_and_truths() {
    assert_eq!(part!(0_u8), "0");
    assert_eq!(part!(7_u64), "7");
    assert_eq!(part!(12_345_678_u32), "12345678");
    assert_eq!(part!(123_456_789_usize), "123456789");
    assert_eq!(part!(u64::MAX), "18446744073709551615");
    assert_eq!(part!(u128::MAX), "340282366920938463463374607431768211455");
    assert_eq!(part!(-7_i8), "-7");
    assert_eq!(part!(i64::MIN), "-9223372036854775808");
    assert_eq!(part!(i128::MIN), "-170141183460469231731687303715884105728");
    assert_eq!(part!(NonZero::new(5_u16).unwrap()), "5");
    assert_eq!(part!(1.0_f64), "1.0");
    assert_eq!(part!(-0.5_f32), "-0.5");
    assert_eq!(part!(1e300_f64), "1e300");
    assert_eq!(part!(true), "true");
    assert_eq!(part!(Duration::from_millis(1500)), "1.5s");
    assert_eq!(part!(Duration::from_secs(90)), "90s");
}

#[test]
fn texts() {
    assert_eq!(part!("plain-text_1.0/~"), "plain-text_1.0/~");
    assert_eq!(part!(""), "");
    assert_eq!(part!("a:b%c*d?e[f]g\\h"), "a%3Ab%25c%2Ad%3Fe%5Bf%5Dg%5Ch");
    assert_eq!(part!("a b\tc\nd\u{7f}\0"), "a%20b%09c%0Ad%7F%00");
    assert_eq!(part!("é€😀"), "é€😀");
    assert_eq!(part!("a\u{a0}b\u{2003}c\u{85}"), "a%C2%A0b%E2%80%83c%C2%85");
    assert_eq!(part!('c'), "c");
    assert_eq!(part!(':'), "%3A");
    assert_eq!(part!(String::from("x y")), "x%20y");
    assert_eq!(part!(Cow::Borrowed("x")), "x");
    assert_eq!(part!(Arc::<str>::from("x")), "x");
    assert_eq!(part!(&&Rc::new(Box::new("x"))), "x");
    assert_eq!(part!(Path::new("/etc/a b")), "/etc/a%20b");
    assert_eq!(part!(OsString::from("os")), "os");
}

#[test]
fn the_byte_that_ends_a_value_is_escaped_in_it() {
    assert_eq!(part!("a-b", Some(b'-')), "a%2Db");
    assert_eq!(part!("a-b", Some(b':')), "a-b");
    assert_eq!(part!(-5, Some(b'-')), "%2D5");
    assert_eq!(part!(1203, Some(b'0')), "12%303");
    assert_eq!(part!(-1203, Some(b'0')), "-12%303");
    assert_eq!(part!(true, Some(b'e')), "tru%65");
    assert_eq!(part!("caé", Some("é".as_bytes()[0])), "ca%C3%A9");
    assert_eq!(part!(["a", "b,c"], Some(b',')), "a;b%2Cc");
}

#[test]
fn no_value_and_lists() {
    assert_eq!(part!(None::<u64>), "%none");
    assert_eq!(part!(Some(7)), "7");
    assert_eq!(part!(Some("%none")), "%25none");
    assert_eq!(part!(Some(None::<u64>)), "%some%none");
    assert_eq!(part!(Vec::<u64>::new()), "%empty");
    assert_eq!(part!([1, 2, 3]), "1,2,3");
    assert_eq!(part!(vec!["a,b", "c:d", ""]), "a%2Cb,c%3Ad,");
    assert_eq!(part!([Some(1), None]), "1,%some%none");
    assert_eq!(part!(vec![vec![1, 2], vec![]]), "%(1,2%),%(%empty%)");
    assert_eq!(part!(BTreeSet::from([2, 1])), "1,2");
    assert_eq!(part!(VecDeque::from([2, 1])), "2,1");
    assert_eq!(part!(&[1_u8, 2][..]), "1,2");
}

#[test]
fn what_can_be_shown_stands_escaped() {
    assert_eq!(part!(Shown("a")), "<a%3Aa>");
    assert_eq!(part!(&Shown("a")), "<a%3Aa>");
    assert_eq!(part!(Ipv6Addr::LOCALHOST), "%3A%3A1");
    assert_eq!(part!(Place("de", "a,b")), "de,a%2Cb");
    assert_eq!(
        part!(vec![Place("de", "x"), Place("", "")]),
        "%(de,x%),%(,%)"
    );
}

#[test]
fn transforms() {
    assert_eq!(part!(transform::lower(key_shown!("ÀB c"))), "àb%20c");
    assert_eq!(part!(transform::upper(key_shown!("straße"))), "STRASSE");
    assert_eq!(part!(transform::lower(key_shown!(Shown("A")))), "<a%3Aa>");
    assert_eq!(part!(transform::lower(key_shown!(["A", "B,"]))), "a,b%2C");
    assert_eq!(
        part!(transform::upper(transform::lower(key_shown!("aB")))),
        "AB"
    );
    assert_eq!(part!(transform::lower(key_shown!(None::<&str>))), "%none");
    assert_eq!(
        part!(transform::debug(&Point { x: -1 })),
        "Point%20{%20x%3A%20-1%20}"
    );
    assert_eq!(part!(transform::len("héllo")), "6");
    assert_eq!(part!(transform::len(&vec![1, 2, 3])), "3");
    assert_eq!(part!(transform::len(&HashMap::from([(1, 2)]))), "1");
    assert_eq!(part!(transform::len(&&HashSet::from([1, 2]))), "2");
    assert_eq!(transform::text(transform::lower(key_shown!("A:B"))), "a:b");
}

#[test]
fn a_hash_is_the_first_half_of_sha_256_of_the_text() {
    let secret = "ba7816bf8f01cfea414140de5dae2223";
    assert_eq!(part!(transform::hash(key_shown!("abc"))), secret);
    assert_eq!(
        part!(transform::hash(transform::lower(key_shown!("ABC")))),
        secret
    );
    assert_eq!(
        part!(transform::upper(transform::hash(key_shown!("abc")))),
        secret.to_uppercase()
    );
    assert_eq!(part!(transform::hash(key_shown!(Some("abc")))), secret);
    assert_eq!(part!(transform::hash(key_shown!(None::<&str>))), "%none");
    assert_eq!(
        part!(transform::hash(key_shown!(""))),
        "e3b0c44298fc1c149afbf4c8996fb924"
    );
    let list = part!(transform::hash(key_shown!(["a", "b"])));
    assert_eq!(list, part!(transform::hash(key_shown!("a,b"))));
    assert_ne!(list, part!(transform::hash(key_shown!(["a,b"]))));
}

#[cfg(feature = "jwt")]
#[test]
fn a_claim_of_a_token() {
    // {"sub":"user:7","n":42,"admin":true,"roles":["a"],"https://a.b/c":"d"}
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyOjciLCJuIjo0MiwiYWRtaW4iOnRydWUsInJvbGVzIjpbImEiXSwiaHR0cHM6Ly9hLmIvYyI6ImQifQ.c2ln";
    let claim = |name| part!(transform::jwt(key_shown!(token), name));
    assert_eq!(claim("sub"), "user%3A7");
    assert_eq!(claim("n"), "42");
    assert_eq!(claim("admin"), "true");
    assert_eq!(claim("https://a.b/c"), "d");
    let hash = part!(transform::hash(key_shown!(token)));
    assert_eq!(claim("roles"), format!("%jwt.{hash}"));
    assert_eq!(claim("nobody"), format!("%jwt.{hash}"));
    for broken in ["", "a", "a.b", "a.b.c", "a.e30.c.d", "a.bm90IGpzb24.c"] {
        let shown = part!(transform::jwt(key_shown!(broken), "sub"));
        assert_eq!(
            shown,
            format!("%jwt.{}", part!(transform::hash(key_shown!(broken))))
        );
    }
    assert_eq!(
        part!(transform::jwt(key_shown!(None::<&str>), "sub")),
        "%none"
    );
    let template = Template::parse("session:{token:jwt(sub):upper}").unwrap();
    assert_eq!(
        template
            .render([("token", &token as &dyn KeyPart)])
            .unwrap(),
        "session:USER%3A7"
    );
}

#[test]
fn arguments_of_automatic_keys() {
    assert_eq!(auto!(7_u64), "7u64");
    assert_eq!(auto!(-3_i32), "-3i32");
    assert_eq!(auto!(i64::MIN), "-9223372036854775808i64");
    assert_eq!(auto!(usize::MAX), "18446744073709551615usize");
    assert_eq!(
        auto!(i128::MIN),
        "-170141183460469231731687303715884105728i128"
    );
    assert_eq!(auto!(NonZero::new(1_u8).unwrap()), "1u8");
    assert_eq!(auto!(1.5_f32), "1.5f32");
    assert_eq!(auto!(true), "true");
    assert_eq!(auto!(()), "()");
    assert_eq!(auto!('c'), "'c'");
    assert_eq!(auto!('\''), "'%27'");
    assert_eq!(auto!("text"), "\"text\"");
    assert_eq!(auto!("a\"b,c(d)e:f%"), "\"a%22b%2Cc%28d%29e%3Af%25\"");
    assert_eq!(auto!(String::from("é x")), "\"é%20x\"");
    assert_eq!(auto!(None::<u64>), "None");
    assert_eq!(auto!(Some(7_u64)), "Some(7u64)");
    assert_eq!(auto!(Some(None::<u64>)), "Some(None)");
    assert_eq!(auto!(Ok::<u8, &str>(1)), "Ok(1u8)");
    assert_eq!(auto!([1_u8, 2]), "[1u8,2u8]");
    assert_eq!(auto!(b"ab"), "[97u8,98u8]");
    assert_eq!(auto!(Vec::<&str>::new()), "[]");
    assert_eq!(auto!((1_u8, "a")), "(1u8,\"a\")");
    assert_eq!(auto!(BTreeMap::from([("k", 1_u8)])), "[(\"k\",1u8)]");
    assert_eq!(auto!(Duration::from_millis(1_500)), "1s500000000ns");
    assert_eq!(auto!(Path::new("/a b")), "\"/a%20b\"");
    assert_eq!(auto!(&&Arc::new(1_u8)), "1u8");
    assert_eq!(auto!(Shown("a")), "\"<a%3Aa>\"");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_unicode() {
    use std::os::unix::ffi::OsStrExt as _;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xFFb c"));
    assert_eq!(part!(path), "a%FFb%20c");
    assert_eq!(auto!(path), "\"a%FFb%20c\"");
    let other = part!(transform::hash(key_shown!("a%FFb%20c")));
    assert_eq!(part!(transform::hash(key_shown!(path))), other);
    assert_ne!(
        part!(transform::hash(key_shown!(Path::new("a%FFb c")))),
        other
    );
}

#[test]
fn prefixes_and_versions() {
    assert_eq!(KeyBuf::with_prefix("", 0).as_str(), "");
    assert_eq!(KeyBuf::with_prefix("app:", 0).as_str(), "app:");
    assert_eq!(KeyBuf::with_prefix("app:", 2).as_str(), "app:v2:");
    assert_eq!(KeyBuf::with_prefix("", 10).as_str(), "v10:");
}

#[test]
fn templates_at_run_time() {
    let render = |text: &str, values: &[(&str, &dyn KeyPart)]| {
        Template::parse(text).and_then(|template| template.render(values.iter().copied()))
    };
    assert_eq!(render("config", &[]).unwrap(), "config");
    assert_eq!(render("user:{id}", &[("id", &7)]).unwrap(), "user:7");
    assert_eq!(
        render("{a}-{b}-x", &[("a", &"1-2"), ("b", &"3-4")]).unwrap(),
        "1%2D2-3-4-x"
    );
    assert_eq!(
        render("{{{u.id}}}", &[("u.id", &Some("x"))]).unwrap(),
        "{x}"
    );
    assert_eq!(render("{a}:{a:upper}", &[("a", &"x")]).unwrap(), "x:X");
    assert_eq!(
        render("{l}:{l:len}:{t:len}", &[("l", &[1, 2]), ("t", &"é")]).unwrap(),
        "1,2:2:2"
    );
    let secret = render("s:{s:lower:hash}", &[("s", &"ABC")]).unwrap();
    assert_eq!(secret, "s:ba7816bf8f01cfea414140de5dae2223");
    assert_eq!(render("c:{@nobody}", &[]).unwrap(), "c:%none");
}

#[test]
fn errors_of_templates_say_what_to_do() {
    let id: &dyn KeyPart = &7;
    for (text, values, message) in [
        (
            "user:{id",
            vec![],
            "template `user:{id`, byte 5: a `{` that is not closed",
        ),
        ("{id:lowr}", vec![], "did you mean `{id:lower}`?"),
        ("{id:?}", vec![], "`{id:?}` needs a type"),
        ("{id:a::b}", vec![], "`{id:a::b}` names a function"),
        ("user:{id}", vec![], "no value is given for `{id}`"),
        (
            "user:{id}",
            vec![("ids", id)],
            "no `{ids}` in it: did you mean `id`?",
        ),
        (
            "user:{id}",
            vec![("id", id), ("org", id)],
            "no `{org}` in it; it names `id`",
        ),
        (
            "user:{id}",
            vec![("id", id), ("id", id)],
            "`id` is given twice",
        ),
        (
            "{a}:{id}",
            vec![("id", id)],
            "no value is given for `{a}`; there is `id`",
        ),
        (
            "{id:len}",
            vec![("id", id)],
            "`{id:len}` is given a value that has no length",
        ),
    ] {
        let result = Template::parse(text).and_then(|template| template.render(values));
        let error = result.unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn values_by_hand() {
    assert_eq!(escape("a:b*"), "a%3Ab%2A");
    assert_eq!(escape("plain"), "plain");
}

#[test]
fn keys_that_are_too_long_for_a_store() {
    let long = Key::from("user:".to_owned() + &"x".repeat(300));
    assert_eq!(long.bounded(305), long.as_str());
    assert_eq!(
        long.bounded(45),
        "user:xxxxxxx~4c43200e5267ec9f8a10557b4d8cc36b"
    );
    assert_eq!(long.bounded(33), "~4c43200e5267ec9f8a10557b4d8cc36b");
    assert_eq!(long.bounded(32), "4c43200e5267ec9f8a10557b4d8cc36b");
    assert_eq!(long.bounded(8), "4c43200e");
    let accents = Key::from("é".repeat(50));
    assert!(accents.bounded(50).starts_with("éééééééé~"));
    // What looks like a bounded key is not taken for one.
    let forged = Key::from(long.bounded(45).into_owned());
    assert_ne!(forged.bounded(45), long.bounded(45));
    assert_ne!(forged.bounded(250), forged.as_str());
}
