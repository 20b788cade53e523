//! Another process: the test binary runs itself again, and its test `child` keeps a value warm.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use larder::{Cache, Event, background};

/// What a child says begins so; the test harness says other things too.
const SAYS: &str = "@@ ";
const STORE: &str = "LARDER_TEST_STORE";

/// A process that keeps `rates` warm, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Process {
    pub(crate) fn start(url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(STORE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, said)) = line.split_once(SAYS) {
                    drop(sender.send(said.to_owned()));
                }
            }
        });
        Self {
            orders: child.stdin.take(),
            child,
            said,
        }
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// What it says next.
    #[track_caller]
    pub(crate) fn hear(&self) -> String {
        let said = self.said.recv_timeout(Duration::from_secs(60));
        said.expect("the other process says nothing")
    }

    /// Tells it what to do, and hears what came of it.
    #[track_caller]
    pub(crate) fn order(&self, order: &str) -> String {
        writeln!(self.orders.as_ref().unwrap(), "{order}").unwrap();
        self.hear()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) {
        drop(self.orders.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{SAYS}{what}").unwrap();
    out.flush().unwrap();
}

#[background(cache = cache, key = "rates", every = "100ms", ttl = "1m", run_now)]
fn rates(cache: &Cache) -> String {
    format!("{} {}", std::process::id(), cache.stats().loads)
}

/// Keeps a value warm until its input ends. A process without an async runtime.
pub(crate) fn play() {
    let Ok(url) = std::env::var(STORE) else {
        return;
    };
    let tell = |event: &Event<'_>| match event {
        Event::Writing { .. } => say("writing"),
        Event::StandingBy { .. } => say("standing by"),
        _ => {}
    };
    let builder = Cache::builder().url(&url).unwrap().observer(tell);
    let cache = builder.build().unwrap();
    rates::start(&cache).unwrap();
    for order in std::io::stdin().lines().map_while(Result::ok) {
        match order.as_str() {
            "read" => say(&rates(&cache)),
            "loads" => say(&cache.stats().loads.to_string()),
            "runs" => match rates::status(&cache) {
                Some(status) => say(&format!("{} {:?}", status.runs, status.phase)),
                None => say("none"),
            },
            "end" => {
                larder::background::shutdown().within("20s").wait().unwrap();
                say("ended");
            }
            other => panic!("no order `{other}`"),
        }
    }
}
