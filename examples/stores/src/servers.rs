//! Servers for one run, where their programs are installed.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that ends with this value.
pub(crate) struct Server {
    pub(crate) port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn redis() -> Option<Server> {
    start("redis-server", |port| {
        [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        .map(str::to_owned)
        .to_vec()
    })
}

pub(crate) fn memcached() -> Option<Server> {
    start("memcached", |port| {
        ["-p", &port, "-l", "127.0.0.1", "-u", "nobody"]
            .map(str::to_owned)
            .to_vec()
    })
}

fn start(program: &str, arguments: impl Fn(String) -> Vec<String>) -> Option<Server> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    let port = listener.local_addr().ok()?.port();
    drop(listener);
    let started = Command::new(program)
        .args(arguments(port.to_string()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        println!("({program} is not installed and is left out)");
        return None;
    };
    let server = Server { port, child };
    let patience = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < patience, "{program} does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(server)
}
