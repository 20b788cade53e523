//! What a cache tells: which keys were read, counts, events, and why the next call would hit or miss.

use std::sync::mpsc;

use larder::{Cache, Event, Next, Source, cached, detect_async};

#[cached(key = "user:{id}", ttl = "10m", tags = ["users"])]
async fn user(id: u64) -> Result<String, String> {
    let name = ["Ada", "Alan"].get(id as usize);
    Ok((*name.ok_or("nobody")?).to_owned())
}

#[cached(key = "team:{lead}", ttl = "1m")]
async fn team(lead: u64) -> Result<Vec<String>, String> {
    Ok(vec![user(lead).await?, user(lead + 1).await?])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (teller, told) = mpsc::channel();
    let observer = move |event: &Event<'_>| drop(teller.send(event.to_string()));
    let cache = Cache::builder()
        .name("default")
        .observer(observer)
        .build()?;
    larder::set_default(cache.clone())?;
    user(0).await?;

    println!("detect: what did `team(0)` read?");
    let (answer, reads) = detect_async(team(0)).await;
    assert_eq!(answer?, ["Ada", "Alan"]);
    for read in &reads {
        println!("  {}  {:?}", read.key, read.source);
    }
    let sources: Vec<Source> = reads.iter().map(|read| read.source).collect();
    assert_eq!(sources, [Source::Fresh, Source::Loaded, Source::Loaded]);

    println!("\nstats: how did `user` do?");
    assert!(user(2).await.is_err());
    let stats = user::stats();
    let (hits, misses, failures) = (stats.hits(), stats.misses, stats.load_failures);
    println!("  {hits} hits, {misses} misses, {failures} failed loads");
    assert_eq!((hits, misses, failures), (1, 3, 1));

    println!("\nevents: what happened?");
    let events: Vec<String> = told.try_iter().collect();
    events[..4].iter().for_each(|event| println!("  {event}"));
    println!("  .. and {} more", events.len() - 4);
    assert_eq!(events[0], "miss `user:0`");

    println!("\nexplain: what would `user(0)` do now?");
    let explain = user::explain(0).await?.to_string();
    explain.lines().for_each(|line| println!("  {line}"));

    cache.delete_tags(["users"]).await?;
    let explain = user::explain(0).await?;
    println!("  after delete_tags([\"users\"]): {}", explain.why());
    assert_eq!(explain.next, Next::Load);
    Ok(())
}
