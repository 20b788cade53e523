//! What a cache forgets when something happens: rules as text, rules in code, events from elsewhere.

use larder::rules::{Forget, Happening, Rule};
use larder::{Cache, KeyPart};

struct UserRenamed {
    id: u64,
    org: &'static str,
}

impl Happening for UserRenamed {
    const NAME: &'static str = "user.renamed";

    fn fields(&self) -> Vec<(&str, &dyn KeyPart)> {
        vec![("id", &self.id), ("org", &self.org)]
    }
}

const RULES: &str = "
    # what a user's name stands in
    user.renamed -> user:{id}
    user.renamed -> pattern search:{org}:*
";

fn main() -> Result<(), larder::Error> {
    let cache = Cache::builder().build()?;
    for rule in Rule::read(RULES)? {
        println!("{rule}");
        cache.rules().add(rule);
    }
    let members = |event: &UserRenamed| [Forget::tag("org:{org}").with("org", event.org)];
    cache.rules().on(members);

    let cache = cache.blocking();
    for key in ["user:7", "user:8", "search:acme:a", "search:other:a"] {
        cache.set(key, "Ada").ttl("1h").wait()?;
    }
    let tagged = cache.set("members", "Ada, Eve").tags(["org:acme"]);
    tagged.ttl("1h").wait()?;

    let renamed = UserRenamed { id: 7, org: "acme" };
    let happened = cache.happened(&renamed)?;
    println!("{happened:?}");
    assert_eq!((happened.rules, happened.forgotten), (3, 2));
    assert!(!cache.exists("members")?, "it is under the tag");

    // From a queue. A value does not widen a pattern, and a field that is missing is an error.
    let happened = cache.happened_named("user.renamed", [("id", "*"), ("org", "*")])?;
    assert_eq!(happened.forgotten, 0);
    let broken = cache.happened_named("user.renamed", [("di", "8"), ("org", "acme")]);
    println!("{}", broken.unwrap_err());
    assert!(cache.exists("user:8")?);
    Ok(())
}
