//! What the tests of stores on disks share.
#![allow(dead_code)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder::conformance::{Expect, Power, Subject};
use larder::runtime::{BoxFuture, Runtime, SystemRuntime};
use larder::store::{
    self, Address, Ask, Condition, Fill, Found, Opening, Read, Store, Token, Write,
};

pub(crate) mod child;
pub(crate) mod model;

/// A directory that goes with its test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "larder-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test may have taken rights away.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            drop(std::fs::set_permissions(
                &self.0,
                std::fs::Permissions::from_mode(0o700),
            ));
        }
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Opens the store of a URL within a name space.
pub(crate) fn open(url: &str, prefix: &str) -> larder::Result<Arc<dyn Store>> {
    let mut address = Address::parse(url)?;
    let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
    let opened = store::open(&mut Opening {
        address: &mut address,
        prefix,
        runtime: &runtime,
    })?;
    address.finish()?;
    Ok(opened)
}

/// A store for the conformance suite: each handle is opened anew from one URL.
pub(crate) struct Opened(pub(crate) String);

impl Subject for Opened {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        Box::pin(async move { open(&self.0, prefix) })
    }

    fn expect(&self) -> Expect {
        let expect = Expect::everything().unsupported(Power::Invalidations);
        match self.0.starts_with("file:") {
            true => expect.unsupported(Power::Bits),
            false => expect,
        }
    }
}

/// Drives a future with tasks and timers at hand.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Drives a future as a sync cached function does: on a thread that parks.
pub(crate) fn parked<T>(future: impl Future<Output = T>) -> T {
    let cache = larder::Cache::builder().build().unwrap();
    let mut future = Some(future);
    let mut output = None;
    // The source of a sync load runs on the thread that drives the load.
    let loaded: larder::Result<u64> = cache
        .blocking()
        .get_or_load("k", || {
            output = Some(drive(future.take().unwrap()));
            Ok::<_, std::io::Error>(1)
        })
        .ttl("1m")
        .wait();
    loaded.unwrap();
    output.unwrap()
}

/// Polls with a waker that unparks.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    since.as_millis() as u64
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Operations on one key, without their options.
pub(crate) struct Key<'a>(pub(crate) &'a dyn Store, pub(crate) &'a str);

impl Key<'_> {
    pub(crate) async fn ask(&self, ask: Ask) -> larder::Result<Found> {
        let read = Read {
            key: self.1,
            ask,
            tags: &[],
            lease: MINUTE,
            life: Some(MINUTE),
            now: now(),
        };
        Ok(self.0.read(&[read]).await?.remove(0))
    }

    pub(crate) async fn bytes(&self) -> larder::Result<Option<Vec<u8>>> {
        Ok(self.ask(Ask::Entry).await?.bytes)
    }

    pub(crate) async fn lease(&self) -> Token {
        let found = self.ask(Ask::EntryAndLease).await.unwrap();
        found.lease.expect("a lease was asked for")
    }

    pub(crate) async fn fill(&self, bytes: &[u8], lease: &Token) -> larder::Result<bool> {
        let fill = Fill {
            key: self.1,
            bytes,
            life: Some(MINUTE),
            lease,
        };
        Ok(self.0.fill(&[fill]).await?[0])
    }

    pub(crate) async fn put(&self, bytes: &[u8]) -> larder::Result<bool> {
        self.put_for(bytes, Some(MINUTE)).await
    }

    pub(crate) async fn put_for(
        &self,
        bytes: &[u8],
        life: Option<Duration>,
    ) -> larder::Result<bool> {
        let write = Write {
            key: self.1,
            bytes,
            life,
            condition: Condition::Always,
        };
        Ok(self.0.write(&[write]).await?[0])
    }
}

/// All keys of a store.
pub(crate) async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store
            .scan(&larder::store::Scan {
                prefix,
                pattern: "*",
                cursor: cursor.as_deref(),
                limit: 500,
            })
            .await
            .unwrap();
        all.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            all.sort();
            return all;
        }
    }
}

/// How many threads of this process are called so.
#[cfg(target_os = "linux")]
pub(crate) fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim_end().starts_with(name))
        .count()
}
