//! Real servers for tests: each on a free loopback port, with a directory of its own, gone when the test is gone.
//!
//! ```ignore
//! #[path = "servers/mod.rs"]
//! mod servers;
//! #[path = "servers/redis.rs"]
//! mod redis_server;
//! ```

// Every test file takes a part of this.
#![allow(dead_code)]

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that tests need, and what brings it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// What is run.
    pub(crate) name: &'static str,
    /// The Debian package, or a sentence that says how to install it.
    pub(crate) package: &'static str,
}

impl Program {
    /// A command that runs it.
    pub(crate) fn command(self) -> Command {
        Command::new(self.name)
    }

    /// Runs it to its end and gives what it printed.
    pub(crate) fn output(self, arguments: &[&str]) -> String {
        let ran = self.command().args(arguments).output();
        let ran = ran.unwrap_or_else(|error| self.missing(&error));
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(
            ran.status.success(),
            "`{} {}` failed: {printed}{}",
            self.name,
            arguments.join(" "),
            String::from_utf8_lossy(&ran.stderr)
        );
        printed
    }

    fn missing(self, error: &std::io::Error) -> ! {
        panic!(
            "`{}` cannot be run ({error}): `cargo xtask test` installs what the tests need, or install `{}`",
            self.name, self.package
        )
    }
}

/// Where and with what a server is started.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// On 127.0.0.1.
    pub(crate) port: u16,
    /// For its files; removed with the server.
    pub(crate) directory: PathBuf,
}

type Arguments = Box<dyn Fn(&Place) -> Vec<String> + Send + Sync>;
type Ready = Box<dyn Fn(&Place) -> bool + Send + Sync>;

/// A server that runs while this lives.
pub(crate) struct Server {
    program: Program,
    arguments: Arguments,
    ready: Ready,
    place: Place,
    running: Option<Running>,
}

impl Server {
    /// Starts a server on a free port and waits until `ready` says so.
    ///
    /// # Panics
    /// When the program is not installed (with what installs it) or does not come up.
    pub(crate) fn start(
        program: Program,
        arguments: impl Fn(&Place) -> Vec<String> + Send + Sync + 'static,
        ready: impl Fn(&Place) -> bool + Send + Sync + 'static,
    ) -> Self {
        let mut server = Self {
            program,
            arguments: Box::new(arguments),
            ready: Box::new(ready),
            place: Place {
                port: 0,
                directory: new_directory(),
            },
            running: None,
        };
        // Between finding a port and the server's taking it, somebody else may be faster.
        for _ in 0..5 {
            server.place.port = free_port();
            if server.run().is_ok() {
                return server;
            }
        }
        panic!("`{}` does not start: {}", program.name, server.log());
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.place.port
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.place.port)
    }

    /// What it printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.place.directory.join("log")).unwrap_or_default()
    }

    /// Stops it in its tracks: connections stay open and nothing answers (SIGSTOP).
    ///
    /// A thread stops when it is next run, on a busy machine later than the signal: waits for all of them.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        let id = self.id();
        eventually("the server stops", || has_stopped(id));
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends it without warning (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it on the same port again, with the same directory.
    pub(crate) fn start_again(&mut self) {
        self.running = None;
        let deadline = Instant::now() + PATIENCE;
        while self.run().is_err() {
            assert!(
                Instant::now() < deadline,
                "`{}` does not start again: {}",
                self.program.name,
                self.log()
            );
        }
    }

    /// Whether its process is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        let running = self.running.as_mut();
        running.is_some_and(|running| matches!(running.server.try_wait(), Ok(None)))
    }

    fn signal(&self, name: &str) {
        shell(&format!("kill -{name} {}", self.id()));
    }

    fn id(&self) -> u32 {
        let running = self.running.as_ref();
        running
            .expect("a server that runs can be signalled")
            .server
            .id()
    }

    fn run(&mut self) -> Result<(), ()> {
        let log = fs::File::create(self.place.directory.join("log")).expect("a log file");
        let errors = log.try_clone().expect("a second handle of the log file");
        let server = self
            .program
            .command()
            .args((self.arguments)(&self.place))
            .current_dir(&self.place.directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let server = server.unwrap_or_else(|error| self.program.missing(&error));
        let mut running = Running::new(server);
        let deadline = Instant::now() + PATIENCE;
        while !(self.ready)(&self.place) {
            let ended = !matches!(running.server.try_wait(), Ok(None));
            if ended || Instant::now() > deadline {
                return Err(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Somebody else's server may have answered on that port.
        if !matches!(running.server.try_wait(), Ok(None)) {
            return Err(());
        }
        self.running = Some(running);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running = None;
        if std::thread::panicking() {
            eprintln!(
                "--- log of {} ---\n{}",
                self.program.name,
                tail(&self.log())
            );
        }
        let _ = fs::remove_dir_all(&self.place.directory);
    }
}

/// A process, and another that ends it when ours is gone, however that came: it waits for the end of a pipe that only we hold open.
struct Running {
    server: Child,
    watcher: Child,
}

impl Running {
    fn new(server: Child) -> Self {
        let watcher = Command::new("sh")
            .args(["-c", &format!("read line; kill -KILL {}", server.id())])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` runs");
        Self { server, watcher }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The watcher first: once the server is reaped, its number may be another's.
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A directory that nobody else uses.
pub(crate) fn new_directory() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "larder-{}-{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let directory = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for a test");
    directory
}

/// A port on 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Whether something accepts connections there.
pub(crate) fn accepts(place: &Place) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, place.port)).is_ok()
}

/// Polls a condition until it holds.
///
/// # Panics
/// When it does not hold in time.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether no thread of this process runs any more, as Linux tells it; elsewhere as `ps` does, for the process as a whole.
fn has_stopped(id: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
        let mut ps = Command::new("ps");
        let told = ps.args(["-o", "state=", "-p", &id.to_string()]).output();
        return told.expect("`ps` runs").stdout.first() == Some(&b'T');
    };
    threads.flatten().all(|thread| {
        let told = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // `1234 (any name) T …`; a thread that has ended says nothing.
        let state = told.rsplit_once(") ").map_or("T", |(_, rest)| rest);
        state.starts_with(['T', 'Z', 'X'])
    })
}

/// A path as text.
pub(crate) fn text(path: &Path) -> String {
    path.to_str()
        .expect("temporary directories have plain names")
        .to_owned()
}

fn shell(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status();
    assert!(status.is_ok_and(|s| s.success()), "`{command}` failed");
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(4_000);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at));
    &text[start.unwrap_or(0)..]
}
