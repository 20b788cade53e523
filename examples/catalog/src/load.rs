//! A load generator: how much is served, and how fast, with a cache and without.

use std::time::{Duration, Instant};

use axum::http::Method;

use crate::client::Client;
use crate::database::{CATEGORIES, PRODUCTS};

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Requests that were answered.
    pub requests: u64,
    /// Requests a second.
    pub throughput: f64,
    /// Half of the requests took at most this long.
    pub median: Duration,
    /// 99 of 100 took at most this long.
    pub p99: Duration,
}

/// Asks for `time`, so many clients at once: 19 of 20 requests for a product, 1 for a list; few are asked for often, as in a shop.
///
/// # Errors
///
/// When a request fails or is answered with an error.
pub async fn run(base: &str, clients: u64, time: Duration) -> Result<Report, String> {
    let client = Client::default();
    let until = Instant::now() + time;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=clients {
        let (client, base) = (client.clone(), base.to_owned());
        let mut random = Random::new(number);
        tasks.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                let url = format!("{base}{}", random.path());
                let asked = Instant::now();
                ask(&client, &url).await?;
                took.push(asked.elapsed());
            }
            Ok::<_, String>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        took.extend(ended.map_err(|error| error.to_string())??);
    }
    let elapsed = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied();
    Ok(Report {
        requests: took.len() as u64,
        throughput: took.len() as f64 / elapsed,
        median: at(0.5).unwrap_or_default(),
        p99: at(0.99).unwrap_or_default(),
    })
}

async fn ask(client: &Client, url: &str) -> Result<(), String> {
    let answer = client.ask(Method::GET, url, String::new()).await?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("GET {url}: {status}")),
    }
}

/// xorshift64*: the same requests in each run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    }

    /// Of four random products the one with the smallest number: a tenth of all products get a third of the requests.
    fn path(&mut self) -> String {
        if self.next().is_multiple_of(20) {
            let category = CATEGORIES[self.next() as usize % CATEGORIES.len()];
            return format!("/categories/{category}");
        }
        let products = u64::from(PRODUCTS);
        let draw = [(); 4].map(|()| self.next() % products);
        let number = draw.into_iter().min().unwrap_or(0);
        format!("/products/p{number}")
    }
}
