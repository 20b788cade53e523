//! What stands around operations: other keys, a limit, a log, and a rule of one's own, in one order.

use std::sync::{Arc, Mutex};

use larder::middleware::{
    Action, Logging, Lowercase, MemoryLimit, Middleware, Operation, Prefix, Step,
};
use larder::{Cache, cached};

/// Serves nothing of a tenant that has left.
struct Without(&'static str);

impl Middleware for Without {
    fn before(&self, operation: &Operation<'_>) -> Step {
        match operation.action == Action::Get && operation.key.contains(self.0) {
            true => Step::LeaveOut,
            false => Step::Proceed,
        }
    }
}

#[cached(cache = cache, key = "Greeting:{tenant}", ttl = "10m")]
fn greeting(cache: &Cache, tenant: &str) -> String {
    let _ = cache;
    format!("Welcome to {tenant}")
}

fn main() -> Result<(), larder::Error> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let logging = Logging::new(move |line| log.lock().unwrap().push(line.to_string()));
    let cache = Cache::builder()
        .middleware(logging)
        .middleware(Lowercase)
        .middleware(Prefix::new("eu:"))
        .middleware(Without(":gone"))
        .middleware(MemoryLimit::new(1..=500)?)
        .build()?;

    for tenant in ["Acme", "Acme", "Gone", "Gone"] {
        println!("{}", greeting(&cache, tenant));
    }
    // The handle reaches the key that the function wrote.
    assert_eq!(greeting::key(&cache, "Acme").as_str(), "eu:greeting:acme");
    assert!(greeting::invalidate(&cache, "Acme")?);

    let lines: Vec<String> = lines
        .lock()
        .unwrap()
        .iter()
        .map(|line| {
            let (what, _) = line.split_once(" in ").unwrap_or((line, ""));
            what.to_owned()
        })
        .collect();
    lines.iter().for_each(|line| println!("  {line}"));
    assert_eq!(lines[0], "get eu:greeting:acme: Miss");
    assert_eq!(lines[3], "get eu:greeting:acme: Hit");
    let left_out = lines.iter().filter(|line| line.ends_with("gone: LeftOut"));
    assert_eq!(left_out.count(), 2, "each read of the one that has left");
    Ok(())
}
