//! Two accounts in the cache: money moves or it does not, and nobody sees it in between.

use larder::transaction::Mode;
use larder::{Cache, Error, ErrorKind, transactional};

async fn balance(cache: &Cache, account: &str) -> Result<i64, Error> {
    Ok(cache.get::<i64>(account).await?.unwrap_or_default())
}

/// Read, check, write: a lock for each account, and an error drops all of it.
#[transactional(mode = "locked", timeout = "10s", cache = cache)]
async fn transfer(cache: &Cache, amount: i64) -> Result<(), Error> {
    let from = balance(cache, "ada").await?;
    let to = balance(cache, "bob").await?;
    cache.set("ada", &(from - amount)).ttl("1d").await?;
    cache.set("bob", &(to + amount)).ttl("1d").await?;
    tokio::task::yield_now().await;
    if balance(cache, "ada").await? < 0 {
        return Err(Error::new(ErrorKind::Source, "transfer", "not that much"));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let cache = Cache::builder().build()?;
    cache.set("ada", &100_i64).ttl("1d").await?;

    let all: Vec<_> = (0..12)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { transfer(&cache, 10).await })
        })
        .collect();
    let mut refused = 0;
    for one in all {
        refused += u32::from(one.await.expect("a task").is_err());
    }
    println!("12 transfers of 10 out of 100: {refused} were refused");
    assert_eq!(refused, 2);
    assert_eq!(balance(&cache, "ada").await?, 0);
    assert_eq!(balance(&cache, "bob").await?, 100);

    // Only tried: seen inside, and by nobody else.
    let tried = cache.transaction(Mode::Fast, |tx| {
        let cache = &cache;
        async move {
            cache.increment("bob", 900).await?;
            tx.roll_back();
            balance(cache, "bob").await
        }
    });
    println!("bob would have {}", tried.await?);
    assert_eq!(balance(&cache, "bob").await?, 100);
    let stats = cache.stats();
    println!(
        "{} committed, {} rolled back",
        stats.committed, stats.rolled_back
    );
    assert_eq!((stats.committed, stats.rolled_back), (10, 3));
    Ok(())
}
