//! The cache forgets when the database has committed, and not before.

use std::sync::Mutex;

use larder::{Error, ErrorKind, cached, deferred, invalidates};

/// What is committed, and what is not yet.
static DATABASE: Mutex<(&str, &str)> = Mutex::new(("Ada", "Ada"));

#[cached(key = "user:{id}", ttl = "1h")]
async fn user(id: u64) -> Result<String, Error> {
    let _ = id;
    Ok(DATABASE.lock().expect("a row").0.to_owned())
}

#[invalidates(user(id = id))]
async fn rename(id: u64, name: &'static str) -> Result<(), Error> {
    let _ = id;
    DATABASE.lock().expect("a row").1 = name;
    Ok(())
}

async fn commit(works: Result<(), Error>) -> Result<(), Error> {
    let mut row = DATABASE.lock().expect("a row");
    row.0 = row.1;
    works
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    assert_eq!(user(7).await?, "Ada");

    let pending = deferred();
    pending.wrap(rename(7, "Grace")).await?;
    println!("before the commit others see {}", user(7).await?);
    assert!(user::peek(7).await?.is_some(), "the entry stays");
    commit(Ok(())).await?;
    pending.commit().await?;
    println!("after it they see {}", user(7).await?);
    assert_eq!(user(7).await?, "Grace");

    // The connection breaks in the commit: did it take place? The entry goes, to be safe.
    let request = async {
        let pending = deferred();
        pending.wrap(rename(7, "Edsger")).await?;
        commit(Err(Error::new(ErrorKind::Source, "commit", "lost"))).await?;
        pending.commit().await
    };
    println!(
        "the request failed: {}",
        request.await.expect_err("it was lost")
    );
    println!("and they see {}", user(7).await?);
    assert_eq!(user(7).await?, "Edsger");
    Ok(())
}
