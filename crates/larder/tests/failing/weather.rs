//! A wire to a server with weather on it: slow, cut at random bytes, soiled, or a hole.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to bytes on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weather {
    Clear,
    /// Answers come so much later.
    Slow(Duration),
    /// After some random number of bytes, in either direction, the connection is cut; again and again.
    Cut,
    /// Instead of answers comes noise, also later, on every connection that has seen any.
    Noise,
    /// As noise, by a server for something else.
    Web,
    /// Nothing arrives, and nobody is told.
    Hole,
    /// As a hole, once so many questions have passed.
    HoleAfter(usize),
}

/// Passes bytes on, both ways. Ends with this.
pub(crate) struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    over: AtomicBool,
    state: Mutex<State>,
}

struct State {
    weather: Weather,
    random: u64,
    /// Until the next cut.
    left: usize,
}

impl State {
    fn random(&mut self) -> u64 {
        // Marsaglia, "Xorshift RNGs", 2003.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

impl Wire {
    pub(crate) fn to(server: u16, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            server,
            over: AtomicBool::new(false),
            state: Mutex::new(State {
                weather: Weather::Clear,
                random: seed | 1 << 40,
                left: 0,
            }),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, accepting.server)) else {
                    continue;
                };
                let soiled = Arc::new(AtomicBool::new(false));
                let (c, s) = (clone(&client), clone(&server));
                let (one, two) = (Arc::clone(&accepting), Arc::clone(&accepting));
                let clean = Arc::clone(&soiled);
                thread::spawn(move || pass(client, server, &one, Towards::Server, &clean));
                thread::spawn(move || pass(s, c, &two, Towards::Client, &soiled));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn turn(&self, weather: Weather) {
        let mut state = self.shared.state.lock().unwrap();
        state.weather = weather;
        state.left = match weather {
            Weather::HoleAfter(questions) => questions,
            _ => (state.random() % 400) as usize,
        };
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("a connection");
    stream.try_clone().expect("a second handle of a connection")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Server,
    Client,
}

/// What becomes of some bytes.
enum Fate {
    Pass(Duration),
    Become(Vec<u8>),
    /// These pass, then the connection ends.
    End(usize),
    Vanish,
}

impl Shared {
    fn fate(&self, count: usize, towards: Towards, soiled: &AtomicBool) -> Fate {
        let mut state = self.state.lock().unwrap();
        let answer = towards == Towards::Client;
        match state.weather {
            Weather::Noise if answer => {
                soiled.store(true, Ordering::Relaxed);
                Fate::Become((0..count.max(16)).map(|_| state.random() as u8).collect())
            }
            Weather::Web if answer => {
                soiled.store(true, Ordering::Relaxed);
                Fate::Become(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec())
            }
            _ if answer && soiled.load(Ordering::Relaxed) => {
                Fate::Become((0..count.max(16)).map(|_| state.random() as u8).collect())
            }
            Weather::Slow(by) if answer => Fate::Pass(by),
            Weather::Hole => Fate::Vanish,
            Weather::HoleAfter(_) if answer => Fate::Pass(Duration::ZERO),
            Weather::HoleAfter(_) => match state.left.checked_sub(1) {
                Some(left) => {
                    state.left = left;
                    Fate::Pass(Duration::ZERO)
                }
                None => Fate::Vanish,
            },
            Weather::Cut if state.left < count => {
                let end = state.left;
                state.left = (state.random() % 1_500) as usize;
                Fate::End(end)
            }
            Weather::Cut => {
                state.left -= count;
                Fate::Pass(Duration::ZERO)
            }
            _ => Fate::Pass(Duration::ZERO),
        }
    }
}

fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    shared: &Shared,
    towards: Towards,
    soiled: &AtomicBool,
) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let sent = match shared.fate(count, towards, soiled) {
            Fate::Pass(after) => {
                thread::sleep(after);
                to.write_all(&buffer[..count])
            }
            Fate::Become(bytes) => to.write_all(&bytes),
            Fate::Vanish => Ok(()),
            Fate::End(count) => {
                let _ = to.write_all(&buffer[..count]);
                break;
            }
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
