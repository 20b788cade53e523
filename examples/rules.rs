//! What a cache forgets when something happens: rules as text, rules in code, events from elsewhere.

use larder::rules::{Forget, Happening, Rule};
use larder::{Cache, KeyPart};

struct UserRenamed {
    id: u64,
    org: String,
}

impl Happening for UserRenamed {
    const NAME: &'static str = "user.renamed";

    fn fields(&self) -> Vec<(&str, &dyn KeyPart)> {
        vec![("id", &self.id), ("org", &self.org)]
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), larder::Error> {
    let cache = Cache::builder().build()?;
    for rule in Rule::read(
        "
        # what a user's name stands in
        user.renamed -> user:{id}
        user.renamed -> pattern search:{org}:*
    ",
    )? {
        println!("{rule}");
        cache.rules().add(rule);
    }
    cache
        .rules()
        .on(|event: &UserRenamed| [Forget::tag("org:{org}").with("org", event.org.clone())]);

    for key in ["user:7", "user:8", "search:acme:a", "search:other:a"] {
        cache.set(key, "Ada").ttl("1h").await?;
    }
    cache
        .set("members", "Ada, Eve")
        .ttl("1h")
        .tags(["org:acme"])
        .await?;

    let renamed = UserRenamed {
        id: 7,
        org: "acme".to_owned(),
    };
    let happened = cache.happened(&renamed).await?;
    println!(
        "{} rules, {} entries forgotten",
        happened.rules, happened.forgotten
    );
    assert_eq!((happened.rules, happened.forgotten), (3, 2));
    assert!(!cache.exists("members").await?, "under the tag");

    // From a queue. A value cannot widen a pattern.
    let fields = [("id", "*"), ("org", "*")];
    let happened = cache.happened_named("user.renamed", fields).await?;
    assert_eq!(happened.forgotten, 0);

    let error = cache
        .happened_named("user.renamed", [("di", "8"), ("org", "acme")])
        .await
        .unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("no field `id`"));
    let mut left = cache.scan("*").await?;
    left.sort();
    assert_eq!(left, ["search:other:a", "user:8"]);
    Ok(())
}
