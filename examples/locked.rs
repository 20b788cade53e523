//! Ten tasks write to one account: one at a time, and who comes too late is told by its number.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::guard::fence;
use larder::{Reason, Refused, locked};

/// The balance, and the largest number that was seen: `UPDATE .. SET fence = $1 WHERE fence < $1`.
static ACCOUNT: Mutex<(u64, u64)> = Mutex::new((0, 0));
static INSIDE: AtomicU32 = AtomicU32::new(0);

fn read() -> u64 {
    ACCOUNT.lock().expect("the account").0
}

fn write(balance: u64, fence: u64) -> Result<(), &'static str> {
    let mut account = ACCOUNT.lock().expect("the account");
    if fence <= account.1 {
        return Err("somebody else has written since");
    }
    *account = (balance, fence);
    Ok(())
}

/// Read, think, write: two of them at once would lose money.
#[locked(ttl = "10s", wait = "30s", key = "account:7")]
async fn deposit(amount: u64) -> Result<u64, Refused> {
    assert_eq!(INSIDE.fetch_add(1, Ordering::SeqCst), 0);
    let fence = fence().expect("a lock has a number");
    let balance = read();
    tokio::task::yield_now().await;
    write(balance + amount, fence).expect("in order");
    INSIDE.fetch_sub(1, Ordering::SeqCst);
    Ok(fence)
}

/// The same lock, and no patience.
#[locked(ttl = "10s", key = "account:7")]
fn close(then: impl FnOnce()) -> Result<(), Refused> {
    then();
    Ok(())
}

#[tokio::main]
async fn main() {
    let tasks: Vec<_> = (0..10).map(|_| tokio::spawn(deposit(10))).collect();
    let mut first = u64::MAX;
    for task in tasks {
        first = first.min(task.await.expect("a task").expect("half a minute"));
    }
    println!("ten deposits of 10, one at a time: {}", read());
    assert_eq!(read(), 100);
    let late = write(0, first).expect_err("an old number");
    println!("a late write with the number {first}: {late}");
    let twice = || {
        let refused = close(|| {}).expect_err("it is held");
        println!("a second one: {refused}");
        assert_eq!(refused.reason(), Reason::Locked);
    };
    close(twice).expect("nobody holds it");
}
