//! memcached: plain, with TLS, with users; and what it says when it is asked directly.

#![allow(dead_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::servers::{Place, Program, Server, accepts, text};

const MEMCACHED: Program = Program {
    name: "memcached",
    package: "memcached",
};
const OPENSSL: Program = Program {
    name: "openssl",
    package: "openssl",
};

/// A server with 64 MB.
pub(crate) fn alone() -> Server {
    with(&[])
}

/// A server with more options.
pub(crate) fn with(options: &[&str]) -> Server {
    let options: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
    let arguments = move |place: &Place| {
        let mut all = plain(place);
        all.extend(options.clone());
        all
    };
    Server::start(MEMCACHED, arguments, |place| {
        say(place.port, "version").starts_with("VERSION ")
    })
}

/// A server that wants `user` and `password`.
pub(crate) fn with_login(user: &str, password: &str) -> Server {
    let line = format!("{user}:{password}\n");
    let arguments = move |place: &Place| {
        let file = place.directory.join("users");
        fs::write(&file, &line).expect("a file of users");
        let mut all = plain(place);
        all.extend(["-Y".to_owned(), text(&file)]);
        all
    };
    Server::start(MEMCACHED, arguments, accepts)
}

/// A server that talks TLS; the certificate of its authority is the file `ca.pem` in its directory, a client's `client.pem` and `client.key`.
pub(crate) fn with_tls(options: &[&str]) -> Server {
    let options: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
    let arguments = move |place: &Place| {
        certify(place);
        let file = |name: &str| text(&place.directory.join(name));
        let mut all = plain(place);
        all.push("-Z".into());
        for option in [
            format!("ssl_chain_cert={}", file("server.pem")),
            format!("ssl_key={}", file("server.key")),
            format!("ssl_ca_cert={}", file("ca.pem")),
        ] {
            all.extend(["-o".to_owned(), option]);
        }
        all.extend(options.clone());
        all
    };
    Server::start(MEMCACHED, arguments, accepts)
}

fn certify(place: &Place) {
    let directory = text(&place.directory);
    let run = |arguments: &str| {
        let arguments = arguments.replace("DIR", &directory);
        let words: Vec<&str> = arguments.split(' ').collect();
        OPENSSL.output(&words);
    };
    fs::write(
        place.directory.join("ext"),
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n",
    )
    .expect("a file");
    run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout DIR/ca.key -out DIR/ca.pem",
    );
    for name in ["server", "client"] {
        run(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout DIR/{name}.key -out DIR/{name}.csr"
        ));
        run(&format!(
            "x509 -req -days 2 -in DIR/{name}.csr -CA DIR/ca.pem -CAkey DIR/ca.key -CAcreateserial -extfile DIR/ext -out DIR/{name}.pem"
        ));
    }
}

fn plain(place: &Place) -> Vec<String> {
    let port = place.port.to_string();
    let mut all: Vec<String> = ["-l", "127.0.0.1", "-U", "0", "-t", "2", "-p", &port]
        .map(str::to_owned)
        .into();
    // memcached refuses to run as root unless it is told whom to become.
    let is_root = fs::metadata("/proc/self").is_ok_and(|of| {
        use std::os::unix::fs::MetadataExt;
        of.uid() == 0
    });
    if is_root {
        all.extend(["-u".to_owned(), "root".to_owned()]);
    }
    all
}

/// Sends lines and gives what comes until the server answers a last `mn`; the empty text when nothing does.
pub(crate) fn say(port: u16, lines: &str) -> String {
    let said = talk(port, &format!("{lines}\r\nmn\r\n"), b"MN\r\n");
    said.unwrap_or_default().replace("MN\r\n", "")
}

/// The names of all items.
pub(crate) fn names(port: u16) -> Vec<String> {
    let dump = talk(port, "lru_crawler metadump all\r\n", b"END\r\n");
    // It may be busy with another list.
    let dump = dump.unwrap_or_default();
    let name = |line: &str| {
        Some(
            line.strip_prefix("key=")?
                .split(' ')
                .next()?
                .replace("%3A", ":"),
        )
    };
    dump.lines().filter_map(name).collect()
}

fn talk(port: u16, lines: &str, end: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(lines.as_bytes())?;
    let mut said = Vec::new();
    let mut buffer = [0; 4_096];
    while !said.ends_with(end) {
        match stream.read(&mut buffer)? {
            0 => break,
            count => said.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// One of the server's own statistics.
pub(crate) fn statistic(port: u16, name: &str) -> u64 {
    let all = say(port, "stats");
    let line = all
        .lines()
        .find_map(|line| line.strip_prefix(&format!("STAT {name} ")));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no statistic `{name}` in {all}"))
}
