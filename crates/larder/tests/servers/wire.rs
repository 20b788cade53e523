//! A wire that can be watched, cut and soiled: between a client and a real server.

#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Passes bytes on, both ways. Ends with this.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: AtomicU16,
    over: AtomicBool,
    /// How many times the direction turned from answers to questions: round trips, when one asks at a time.
    turns: AtomicU64,
    connections: AtomicUsize,
    /// Bytes of answers that still pass; then the connection is cut.
    budget: AtomicU64,
    /// Answers begin with nonsense.
    garbage: AtomicBool,
    epoch: AtomicU64,
}

const ENDLESS: u64 = u64::MAX;

impl Proxy {
    /// In front of a server on this port of 127.0.0.1.
    pub(crate) fn before(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(target),
            over: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            budget: AtomicU64::new(ENDLESS),
            garbage: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                accepting.connections.fetch_add(1, Ordering::Relaxed);
                let target = accepting.target.load(Ordering::Relaxed);
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)) else {
                    continue;
                };
                join(client, server, &accepting);
            }
        });
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Round trips so far, when one asks at a time.
    pub(crate) fn round_trips(&self) -> u64 {
        self.shared.turns.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Cuts connections once so many more bytes of answers have passed.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.shared.budget.store(bytes, Ordering::SeqCst);
    }

    /// Lets everything pass again.
    pub(crate) fn heal(&self) {
        self.shared.budget.store(ENDLESS, Ordering::SeqCst);
        self.shared.garbage.store(false, Ordering::SeqCst);
    }

    /// Answers nonsense from now on.
    pub(crate) fn soil(&self) {
        self.shared.garbage.store(true, Ordering::SeqCst);
    }

    /// Cuts what is connected now.
    pub(crate) fn cut(&self) {
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let asked = Arc::new(AtomicBool::new(false));
    let epoch = shared.epoch.load(Ordering::SeqCst);
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    }
    let both = (client.try_clone(), server.try_clone());
    let (Ok(from_client), Ok(to_client)) = (both.0, client.try_clone()) else {
        return;
    };
    let (Ok(from_server), to_server) = (both.1, server) else {
        return;
    };
    let (one, other) = (Arc::clone(shared), Arc::clone(shared));
    let turned = Arc::clone(&asked);
    thread::spawn(move || {
        pump(from_client, to_server, &one, epoch, |_, shared| {
            if !asked.swap(true, Ordering::SeqCst) {
                shared.turns.fetch_add(1, Ordering::SeqCst);
            }
            true
        });
    });
    thread::spawn(move || {
        pump(from_server, to_client, &other, epoch, |bytes, shared| {
            turned.store(false, Ordering::SeqCst);
            if shared.garbage.load(Ordering::SeqCst) {
                let nonsense = b"\x00\xFF*99999999999999999999\r\n$-7\r\n%~_hello\r\n";
                bytes.splice(..0, *nonsense);
            }
            let budget = shared.budget.load(Ordering::SeqCst);
            if budget == ENDLESS {
                return true;
            }
            let passes = (bytes.len() as u64).min(budget);
            bytes.truncate(passes as usize);
            shared.budget.store(budget - passes, Ordering::SeqCst);
            passes < budget
        });
    });
}

/// Passes bytes on until an end, an error, a cut, or `through` says so.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    shared: &Shared,
    epoch: u64,
    through: impl Fn(&mut Vec<u8>, &Shared) -> bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if shared.epoch.load(Ordering::SeqCst) != epoch {
            break;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let mut bytes = buffer[..length].to_vec();
                let goes_on = through(&mut bytes, shared);
                if to.write_all(&bytes).is_err() || !goes_on {
                    break;
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
