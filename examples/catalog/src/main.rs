//! `larder-catalog [serve]` serves on `CATALOG_ADDRESS`; `larder-catalog load` serves with a cache and without and says what it is worth.

use std::path::Path;
use std::time::Duration;

use larder::Cache;
use larder_catalog::catalog::Catalog;
use larder_catalog::database::Database;
use larder_catalog::{http, load};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error>;

/// What `LARDER_URL` says; memory if it says nothing.
fn cached() -> Result<(String, Cache), Error> {
    let url = std::env::var("LARDER_URL").unwrap_or_else(|_| "memory://?size=10000".to_owned());
    Ok((url.clone(), Cache::builder().url(&url)?.build()?))
}

async fn serve(address: &str) -> Result<(), Error> {
    let path = std::env::var("CATALOG_DATABASE").unwrap_or_else(|_| "catalog.db".to_owned());
    let database = Database::open(Path::new(&path))?;
    let (_, cache) = cached()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let router = http::router(Catalog::new(cache.clone(), database));
    axum::serve(listener, router)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    cache.close().await;
    Ok(())
}

async fn compare(time: Duration) -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let database = Database::open(&directory.path().join("catalog.db"))?;
    let (url, cache) = cached()?;
    let without = Cache::builder().url("off://")?.build()?;
    println!(
        "{:<28} {:>9} {:>11} {:>10} {:>10}",
        "cache", "requests", "per second", "median", "99 %"
    );
    for (name, cache) in [("none", without), (scheme(&url), cache)] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let router = http::router(Catalog::new(cache, database.clone()));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let report = load::run(&base, 32, time).await?;
        server.abort();
        println!(
            "{name:<28} {:>9} {:>11.0} {:>10.2?} {:>10.2?}",
            report.requests, report.throughput, report.median, report.p99
        );
    }
    Ok(())
}

/// The kind of store alone: a URL may hold a password.
fn scheme(url: &str) -> &str {
    url.split("://").next().unwrap_or("?")
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::var("CATALOG_ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let seconds = |word: Option<String>| word.map_or(Ok(5), |word| word.parse());
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        None | Some("serve") => serve(&address).await,
        Some("load") => compare(Duration::from_secs(seconds(arguments.next())?)).await,
        Some(other) => {
            Err(format!("no such command: `{other}`; `serve` and `load [seconds]` are").into())
        }
    }
}
