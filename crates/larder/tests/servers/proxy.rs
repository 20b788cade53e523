//! A proxy that counts round trips and cuts connections.

#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Stands between a client and a server on this machine.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    server: u16,
    trips: AtomicU64,
    /// Whether the last bytes went to the server.
    is_asking: AtomicBool,
    /// How many bytes may still pass; `u64::MAX` is all.
    left: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State {
            server,
            left: AtomicU64::new(u64::MAX),
            ..State::default()
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server)) else {
                    continue;
                };
                pass(&client, &server, &shared, true);
                pass(&server, &client, &shared, false);
            }
        });
        Self { port, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How often something went to the server after something came from it.
    pub(crate) fn trips(&self) -> u64 {
        self.state.trips.load(Ordering::SeqCst)
    }

    /// Cuts the connection on which byte number `bytes` from now, in either direction, would pass; all pass after that.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn pass(from: &TcpStream, to: &TcpStream, state: &Arc<State>, asks: bool) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle of a connection");
    let (mut from, mut to, state) = (clone(from), clone(to), Arc::clone(state));
    from.set_nodelay(true).expect("a connection");
    to.set_nodelay(true).expect("a connection");
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if state.is_asking.swap(asks, Ordering::SeqCst) != asks && asks {
                state.trips.fetch_add(1, Ordering::SeqCst);
            }
            let left = state.left.load(Ordering::SeqCst);
            if left < count as u64 {
                let _ = to.write_all(&buffer[..left as usize]);
                state.left.store(u64::MAX, Ordering::SeqCst);
                break;
            }
            if left != u64::MAX {
                state.left.fetch_sub(count as u64, Ordering::SeqCst);
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
