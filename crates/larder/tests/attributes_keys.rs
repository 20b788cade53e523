//! Templates in attributes: fields, transforms, the user's own functions, context values.

#![cfg(feature = "macros")]

use std::fmt;

use larder::cached;

#[derive(Clone, Debug, PartialEq)]
struct User {
    id: u64,
    name: String,
    place: (String, u32),
}

struct Shown(u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

mod keys {
    pub(crate) fn slug(text: &str) -> String {
        text.replace(' ', "-")
    }

    pub(crate) fn double(number: &u64) -> u64 {
        number * 2
    }
}

fn ada() -> User {
    User {
        id: 7,
        name: "Ada Lovelace".to_owned(),
        place: ("London: W1".to_owned(), 1815),
    }
}

#[test]
fn fields_and_elements_of_tuples() {
    #[cached(
        key = "field:{user.id}:{user.place.0}:{user.place.1}:{pair.0}",
        ttl = "10m"
    )]
    fn of(user: &User, pair: (u64, u64)) -> u64 {
        user.id + pair.1
    }
    assert_eq!(of::key(&ada(), (1, 2)), "field:7:London%3A%20W1:1815:1");
}

#[test]
fn transforms() {
    #[cached(
        key = "t:{user.name:lower}:{user.name:upper}:{list:len}:{option:?}:{user.name:lower:hash}",
        ttl = "10m"
    )]
    fn of(user: User, list: &[u64], option: Option<u8>) -> usize {
        let _ = (user, option);
        list.len()
    }
    let key = of::key(ada(), &[1, 2], Some(3)).to_string();
    assert!(
        key.starts_with("t:ada%20lovelace:ADA%20LOVELACE:2:Some(3):"),
        "{key}"
    );
    assert_eq!(key.rsplit(':').next().unwrap().len(), 32);
}

#[test]
fn functions_of_the_user() {
    #[cached(
        key = "own:{name:keys::slug}:{user.name:keys::slug:upper}:{id:self::keys::double}",
        ttl = "10m"
    )]
    fn of(name: &str, user: &User, id: u64) -> usize {
        let _ = (user, id);
        name.len()
    }
    assert_eq!(of::key("a b", &ada(), 4), "own:a-b:ADA-LOVELACE:8");
}

#[test]
fn whatever_displays_can_be_shown() {
    #[cached(key = "shown:{a}:{b}", ttl = "10m")]
    fn by_template(a: Shown, b: &Shown) -> u64 {
        a.0 + b.0
    }
    #[cached(ttl = "10m")]
    fn by_itself(a: Shown, b: &Shown) -> u64 {
        a.0 + b.0
    }
    assert_eq!(by_template::key(Shown(1), &Shown(2)), "shown:<1>:<2>");
    assert_eq!(
        by_itself::key(Shown(1), &Shown(2)),
        "attributes_keys::whatever_displays_can_be_shown::by_itself(\"<1>\",\"<2>\")"
    );
}

#[test]
fn a_value_cannot_pass_for_another_part() {
    #[cached(key = "search:{query}:page:{page}", ttl = "10m")]
    fn search(query: &str, page: u32) -> String {
        format!("{query} {page}")
    }
    assert_eq!(search("a", 1), "a 1");
    assert_eq!(search("a:page:1", 1), "a:page:1 1");
    assert_eq!(search::key("a:page:1", 1), "search:a%3Apage%3A1:page:1");
}

#[test]
fn context_values() {
    #[cached(key = "client:{@client}:{id}", ttl = "10m")]
    fn of(id: u64) -> u64 {
        id
    }
    assert_eq!(of::key(7), "client:%none:7");
    let inside = larder::scope().with("client", "acme").run(|| of::key(7));
    assert_eq!(inside, "client:acme:7");
}

#[test]
fn braces_and_no_placeholders() {
    #[cached(key = "literal:{{id}}", ttl = "10m")]
    fn of() -> u64 {
        7
    }
    assert_eq!(of::key(), "literal:{id}");
}

#[cfg(feature = "jwt")]
#[test]
fn a_claim_of_a_token() {
    #[cached(key = "session:{token:jwt(sub)}", ttl = "10m")]
    fn session(token: &str) -> usize {
        token.len()
    }
    // {"sub":"ada"}
    assert_eq!(session::key("e30.eyJzdWIiOiJhZGEifQ.x"), "session:ada");
}
