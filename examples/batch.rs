//! A function over many ids is kept id by id: only what is missing is asked for.

use std::collections::HashMap;
use std::sync::Mutex;

use larder::{cached_batch, invalidates};

/// What the database was asked for, call by call.
static ASKED: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());

#[cached_batch(key = "user:{id}", ttl = "10m", absent = "30s", chunk = 2)]
async fn users(ids: &[u64]) -> HashMap<u64, String> {
    ASKED.lock().expect("nobody panics").push(ids.to_vec());
    let known = ids.iter().filter(|id| **id < 100);
    known.map(|id| (*id, format!("user {id}"))).collect()
}

#[invalidates(users(id = id))]
async fn rename(id: u64) {}

#[tokio::main]
async fn main() -> larder::Result<()> {
    users(&[1, 2, 3]).await;
    users(&[3, 2, 1, 4]).await;
    assert_eq!(users(&[1, 404]).await.len(), 1);
    assert_eq!(users(&[404]).await.len(), 0, "known to be absent");
    rename(2).await;
    users(&[1, 2, 3, 4]).await;
    assert_eq!(users::peek(&7).await?, None);

    let asked = ASKED.lock().expect("nobody panics").clone();
    for ids in &asked {
        println!("asked for {ids:?}");
    }
    assert_eq!(asked, [vec![1, 2], vec![3], vec![4], vec![404], vec![2]]);
    Ok(())
}
