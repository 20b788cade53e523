//! The service as its users meet it: as a process, over HTTP.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use axum::http::{Method, StatusCode};
use larder_catalog::client::Client;
use larder_catalog::http::FROM;
use serde_json::{Value, json};

#[allow(dead_code, reason = "not all servers are needed here")]
#[path = "../../stores/src/servers.rs"]
mod servers;

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A running service.
struct Service {
    _process: Process,
    base: String,
    client: Client,
}

/// What was answered: status, where it came from, and what.
type Answer = (StatusCode, String, Value);

impl Service {
    fn start(directory: &std::path::Path, url: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder-catalog"));
        command
            .current_dir(directory)
            .env("CATALOG_ADDRESS", "127.0.0.1:0")
            .env_remove("CATALOG_DATABASE")
            .env_remove("LARDER_URL")
            .stdout(Stdio::piped());
        if let Some(url) = url {
            command.env("LARDER_URL", url);
        }
        let mut process = Process(command.spawn().unwrap());
        let mut line = String::new();
        let stdout = process.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let base = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self {
            _process: process,
            base,
            client: Client::default(),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}{path}", self.base);
        let body = body.map_or_else(String::new, |body| body.to_string());
        let answer = self.client.ask(method, &url, body).await.unwrap();
        let from = answer.headers().get(FROM);
        let from = from.map_or("", |from| from.to_str().unwrap());
        // How old it is depends on how fast the test runs.
        let from = from.split_once("; age=").map_or(from, |(from, age)| {
            age.parse::<u64>().unwrap();
            from
        });
        let text = std::str::from_utf8(answer.body()).unwrap();
        let body = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        (answer.status(), from.to_owned(), body)
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }
}

/// All that the PyFly document does with its catalogue, and what it leaves out.
async fn everything(url: Option<&str>, tier: &str) {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(directory.path(), url);
    let fresh = format!("fresh; tier={tier}");
    let (status, ..) = service.get("/health").await;
    assert_eq!(status, StatusCode::NO_CONTENT);

    // Loaded once, then served.
    let (status, from, lens) = service.get("/products/p17").await;
    assert_eq!((status, from.as_str()), (StatusCode::OK, "loaded"));
    let (_, from, again) = service.get("/products/p17").await;
    assert_eq!(again, lens);
    assert!(from.starts_with("fresh"), "{from}");
    let (_, from, shoes) = service.get("/categories/shoes").await;
    assert_eq!(
        (shoes.as_array().unwrap().len(), from.as_str()),
        (500, "loaded")
    );

    // What is created is served without a query, and listed.
    let widget =
        json!({"id": "p1w", "name": "Widget", "price": 2999, "category": "shoes", "stock": 3});
    let (status, _, made) = service
        .ask(Method::POST, "/products", Some(widget.clone()))
        .await;
    assert_eq!((status, &made), (StatusCode::CREATED, &widget));
    assert_eq!(
        service.get("/products/p1w").await,
        (StatusCode::OK, fresh.clone(), widget.clone())
    );
    let (_, from, shoes) = service.get("/categories/shoes").await;
    assert_eq!(
        (shoes.as_array().unwrap().len(), from.as_str()),
        (501, "loaded")
    );
    let (status, _, why) = service.ask(Method::POST, "/products", Some(widget)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(why, "there is a product `p1w` already");
    let (status, ..) = service.get("/products/p1w").await;
    assert_eq!(
        status,
        StatusCode::OK,
        "what could not be created harms nothing"
    );

    // What is updated is served at once.
    let (status, _, now) = service
        .ask(Method::PUT, "/products/p1w", Some(json!({"price": 2499})))
        .await;
    assert_eq!(
        (status, &now["price"], &now["stock"]),
        (StatusCode::OK, &json!(2499), &json!(3))
    );
    assert_eq!(
        service.get("/products/p1w").await,
        (StatusCode::OK, fresh, now)
    );
    let (status, ..) = service
        .ask(Method::PUT, "/products/none", Some(json!({"price": 1})))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, ..) = service
        .ask(Method::PUT, "/products/p1w", Some(json!({"prize": 1})))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);

    // What is deleted is not served.
    let (status, ..) = service.ask(Method::DELETE, "/products/p1w", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, from, why) = service.get("/products/p1w").await;
    assert_eq!((status, from.as_str()), (StatusCode::NOT_FOUND, "loaded"));
    assert_eq!(why, "there is no product `p1w`");
    let (status, ..) = service.ask(Method::DELETE, "/products/p1w", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    // And once all is cleared, nothing is.
    let (status, ..) = service.ask(Method::DELETE, "/products", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(service.get("/products/p17").await.0, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/categories/shoes").await.2, json!([]));
}

#[tokio::test]
async fn a_catalogue_in_memory() {
    everything(None, "memory").await;
}

#[tokio::test]
async fn a_catalogue_on_redis() {
    let redis =
        servers::redis().expect("redis-server has to be installed: cargo xtask test does it");
    everything(
        Some(&format!("redis://127.0.0.1:{}/0?timeout=20s", redis.port)),
        "redis",
    )
    .await;
}

#[tokio::test]
async fn without_a_cache_it_works_and_names_none() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(directory.path(), Some("off://"));
    for _ in 0..2 {
        let (status, from, _) = service.get("/products/p17").await;
        assert_eq!((status, from.as_str()), (StatusCode::OK, ""));
    }
}

#[tokio::test]
async fn two_services_share_a_store_and_outlive_it() {
    let directory = tempfile::tempdir().unwrap();
    let redis =
        servers::redis().expect("redis-server has to be installed: cargo xtask test does it");
    let url = format!("redis://127.0.0.1:{}/0?timeout=20s", redis.port);
    let start = || Service::start(directory.path(), Some(&url));
    let (first, second) = (start(), start());
    let (_, from, was) = first.get("/products/p3").await;
    assert_eq!(from, "loaded");
    assert_eq!(
        second.get("/products/p3").await,
        (StatusCode::OK, "fresh; tier=redis".to_owned(), was)
    );
    let (_, _, now) = second
        .ask(Method::PUT, "/products/p3", Some(json!({"stock": 7})))
        .await;
    let (_, _, seen) = first.get("/products/p3").await;
    assert_eq!((&seen, &seen["stock"]), (&now, &json!(7)));

    drop(redis);
    let (status, _, still) = first.get("/products/p3").await;
    assert_eq!((status, still), (StatusCode::OK, now));
    let (status, _, _) = first.get("/categories/tools").await;
    assert_eq!(status, StatusCode::OK);
    let (status, ..) = first.get("/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn load_is_measured_with_a_cache_and_without() {
    let output = Command::new(env!("CARGO_BIN_EXE_larder-catalog"))
        .args(["load", "2"])
        .env_remove("LARDER_URL")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let words: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(words, ["cache", "none", "memory"]);
    for line in text.lines().skip(1) {
        let requests: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(requests > 10, "{text}");
    }
}
