//! What the key of a call is: templates, transforms, escapes, automatic keys, templates made at run time.

use larder::{KeyPart, Template, cached, scope};

struct Order {
    id: u64,
    place: (f64, f64),
}

fn rounded(place: &(f64, f64)) -> String {
    format!("{:.1}/{:.1}", place.0, place.1)
}

#[cached(key = "user:{org}:{id}", ttl = "1h")]
fn user(org: &str, id: u64) -> String {
    format!("user {id} of {org}")
}

#[cached(key = "search:{words:lower}:{page}", ttl = "1h")]
fn search(words: &str, page: Option<u32>) -> String {
    format!("page {page:?} of what has {words}")
}

#[cached(key = "route:{order.id}:{order.place:self::rounded}", ttl = "1h")]
fn route(order: &Order) -> u64 {
    order.id
}

#[cached(key = "thumbnail:{image:hash}:{image:len}", ttl = "1h", version = 2)]
fn thumbnail(image: &str) -> String {
    image.chars().take(1).collect()
}

#[cached(key = "menu:{@tenant}:{day}", ttl = "1h")]
fn menu(day: &str) -> String {
    format!("soup on {day}")
}

#[cached(ttl = "1h", skip = [trace])]
fn total(years: &[u16], paid: Option<bool>, trace: &str) -> String {
    format!("{years:?} {paid:?} {trace}")
}

/// Calls, and shows under which key the value is kept then.
macro_rules! show {
    ($function:ident($($argument:expr),*) => $expected:literal) => {{
        $function($($argument),*);
        let key = $function::key($($argument),*);
        let arguments = stringify!($($argument),*);
        println!("{:<42}{key}", format!("{}({arguments})", stringify!($function)));
        assert_eq!(key, $expected);
        assert!(larder::cache().blocking().exists(key)?);
    }};
}

fn main() -> larder::Result<()> {
    show!(user("acme", 7) => "user:acme:7");
    // What separates in the template is escaped in a value: two calls never share a key.
    show!(user("acme:7", 7) => "user:acme%3A7:7");
    show!(search("Two Words", Some(1)) => "search:two%20words:1");
    show!(search("none", None) => "search:none:%none");
    let order = Order {
        id: 7,
        place: (52.52, 13.405),
    };
    show!(route(&order) => "route:7:52.5/13.4");
    show!(thumbnail("abc") => "v2:thumbnail:ba7816bf8f01cfea414140de5dae2223:3");
    scope().with("tenant", "acme").run(|| {
        show!(menu("monday") => "menu:acme:monday");
        Ok::<_, larder::Error>(())
    })?;
    show!(total(&[2024, 2025], None, "x") => "keys::total([2024u16,2025u16],None)");

    let template = Template::parse("user:{org}:{id}")?;
    let key = template.render([("org", &"acme" as &dyn KeyPart), ("id", &7)])?;
    println!("\na template made at run time: {key}");
    assert_eq!(key, user::key("acme", 7));

    let error = Template::parse("user:{org}{id}").expect_err("nothing keeps the two apart");
    println!("and one that is refused: {error}");
    Ok(())
}
