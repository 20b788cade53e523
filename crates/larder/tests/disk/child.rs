//! Other processes: the test binary runs itself again, and its test `child` plays a role.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use larder::store::{Acquired, Removal, Store, Token};

use super::{Key, drive, open};

/// What a child says begins so; the test harness says other things too.
const SAYS: &str = "@@ ";

/// A process that plays a role, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Process {
    /// Starts one that uses the store of a URL.
    pub(crate) fn start(role: &str, url: &str) -> Self {
        Self::start_by(
            &mut Command::new(std::env::current_exe().unwrap()),
            role,
            url,
        )
    }

    /// Starts one by a shell command that ends with running the test binary as `"$0"` with `"$@"`.
    pub(crate) fn start_in_shell(script: &str, role: &str, url: &str) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap());
        Self::start_by(&mut shell, role, url)
    }

    fn start_by(command: &mut Command, role: &str, url: &str) -> Self {
        let mut child = command
            .args(["child", "--exact", "--nocapture"])
            .env("LARDER_TEST_ROLE", role)
            .env("LARDER_TEST_STORE", url)
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

    /// Stops it in the middle of whatever it does.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
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

/// Says it to who started this process.
pub(crate) fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{SAYS}{what}").unwrap();
    out.flush().unwrap();
}

/// Plays the role that the environment names.
pub(crate) fn play() {
    let (Ok(role), Ok(url)) = (
        std::env::var("LARDER_TEST_ROLE"),
        std::env::var("LARDER_TEST_STORE"),
    ) else {
        return;
    };
    let store = open(&url, "").unwrap();
    match role.as_str() {
        "write" => {
            end_with_parent();
            write_for_ever(&*store);
        }
        "count" => (0..250).for_each(|_| {
            drive(store.counters().unwrap().add("n", 1, None)).unwrap();
        }),
        "obey" => obey(&*store),
        other => panic!("no role `{other}`"),
    }
}

/// A parent that was killed takes its children with it: their input ends.
fn end_with_parent() {
    std::thread::spawn(|| {
        for line in std::io::stdin().lines() {
            drop(line);
        }
        std::process::exit(1);
    });
}

/// How many keys writers write.
pub(crate) const KEYS: u64 = 60;

/// An entry that can be told from every half of it.
pub(crate) fn entry(seed: u64) -> Vec<u8> {
    let length = 8 + (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 120_000;
    let mut bytes = seed.to_be_bytes().to_vec();
    let mut state = seed;
    while (bytes.len() as u64) < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.push((state >> 56) as u8);
    }
    bytes
}

/// Panics for an entry that is not whole.
#[track_caller]
pub(crate) fn check(bytes: &[u8]) {
    let seed = u64::from_be_bytes(*bytes.first_chunk().expect("a piece of an entry"));
    assert!(entry(seed) == bytes, "an entry that nobody wrote");
}

fn write_for_ever(store: &dyn Store) {
    let mut seed = u64::from(std::process::id()) << 32;
    loop {
        seed += 1;
        let key = format!("k{}", seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % KEYS);
        let key = Key(store, &key);
        // By lease, plainly, and removed: all that changes a file.
        let done = drive(async {
            match seed % 8 {
                0 => store.remove(&Removal::Keys(&[key.1])).await.map(drop),
                1 | 2 => {
                    let found = key.ask(larder::store::Ask::EntryAndLease).await?;
                    let lease = found.lease.expect("a lease was asked for");
                    key.fill(&entry(seed), &lease).await.map(drop)
                }
                _ => key.put(&entry(seed)).await.map(drop),
            }
        });
        if let Err(error) = done {
            say(&format!("error {error}"));
            return;
        }
        if seed % 16 == 0 {
            say("wrote");
        }
    }
}

fn obey(store: &dyn Store) {
    let mut token: Option<Token> = None;
    let locks = store.locks().unwrap();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let said = drive(async {
            match words[..] {
                ["lease", key] => {
                    token = Some(Key(store, key).lease().await);
                    "leased".to_owned()
                }
                ["fill", key, text] => {
                    let token = token.as_ref().expect("no lease yet");
                    let filled = Key(store, key).fill(text.as_bytes(), token).await;
                    format!("{}", filled.unwrap())
                }
                ["get", key] => {
                    let bytes = Key(store, key).bytes().await.unwrap();
                    bytes.map_or("nothing".to_owned(), |b| String::from_utf8(b).unwrap())
                }
                ["put", key, text] => {
                    format!("{}", Key(store, key).put(text.as_bytes()).await.is_ok())
                }
                ["large", key, size] => {
                    let bytes = vec![1; size.parse().unwrap()];
                    match Key(store, key).put(&bytes).await {
                        Ok(_) => "stored".to_owned(),
                        Err(error) => format!("{:?} {error}", error.kind()),
                    }
                }
                ["lock", name, owner] => {
                    match locks.acquire(name, owner, super::MINUTE).await.unwrap() {
                        Acquired::Held { fence } => format!("held {fence}"),
                        Acquired::Taken { .. } => "taken".to_owned(),
                    }
                }
                _ => panic!("no order `{line}`"),
            }
        });
        say(&said);
    }
}
