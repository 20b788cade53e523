//! Redis in all its set-ups: alone, with TLS, with users, as a cluster, behind sentinels.

#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::servers::{Place, Program, Server, eventually, free_port, new_directory, text};

const REDIS: Program = Program {
    name: "redis-server",
    package: "redis-server",
};
const SENTINEL: Program = Program {
    name: "redis-sentinel",
    package: "redis-sentinel",
};
const CLI: Program = Program {
    name: "redis-cli",
    package: "redis-tools",
};
const OPENSSL: Program = Program {
    name: "openssl",
    package: "openssl",
};

/// A server that keeps nothing on disk.
pub(crate) fn alone() -> Server {
    with(&[])
}

/// A server with more options.
pub(crate) fn with(options: &[&str]) -> Server {
    let options: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
    Server::start(
        REDIS,
        move |place| {
            let mut all = plain(place);
            all.extend(options.clone());
            all
        },
        answers,
    )
}

fn plain(place: &Place) -> Vec<String> {
    let port = place.port.to_string();
    let directory = text(&place.directory);
    let options = [
        "--port",
        &port,
        "--dir",
        &directory,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    options.map(str::to_owned).to_vec()
}

/// Says one command as a line and gives the first bytes of the answer; empty when nobody answers.
pub(crate) fn say(port: u16, line: &str) -> String {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return String::new();
    };
    let limit = Some(Duration::from_secs(10));
    let _ = stream.set_read_timeout(limit);
    if stream.write_all(format!("{line}\r\n").as_bytes()).is_err() {
        return String::new();
    }
    let mut answer = vec![0; 64 * 1024];
    let length = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn answers(place: &Place) -> bool {
    let answer = say(place.port, "PING");
    answer.starts_with("+PONG") || answer.starts_with("-NOAUTH")
}

/// A server that speaks TLS only, with a certificate for `localhost` by an authority of its own.
pub(crate) struct Tls {
    /// The server.
    pub(crate) server: Server,
    /// The certificate of the authority.
    pub(crate) authority: PathBuf,
    directory: PathBuf,
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// See [`Tls`].
pub(crate) fn tls() -> Tls {
    let directory = new_directory();
    certificates(&directory);
    let file = |name: &str| text(&directory.join(name));
    let options = [
        "--tls-cert-file".to_owned(),
        file("server.crt"),
        "--tls-key-file".to_owned(),
        file("server.key"),
        "--tls-ca-cert-file".to_owned(),
        file("ca.crt"),
        "--tls-auth-clients".to_owned(),
        "no".to_owned(),
    ];
    let server = Server::start(
        REDIS,
        move |place| {
            let mut all = plain(place);
            all[1] = "0".to_owned();
            all.extend(["--tls-port".to_owned(), place.port.to_string()]);
            all.extend(options.clone());
            all
        },
        crate::servers::accepts,
    );
    Tls {
        server,
        authority: directory.join("ca.crt"),
        directory,
    }
}

/// `ca.crt`, `server.crt` and `server.key` for `localhost` in this directory.
pub(crate) fn certificates(directory: &std::path::Path) {
    let file = |name: &str| text(&directory.join(name));
    OPENSSL.output(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=authority of a test",
        "-keyout",
        &file("ca.key"),
        "-out",
        &file("ca.crt"),
    ]);
    OPENSSL.output(&[
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        &file("server.key"),
        "-out",
        &file("server.csr"),
    ]);
    let names = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
    std::fs::write(directory.join("names"), names).expect("a file");
    OPENSSL.output(&[
        "x509",
        "-req",
        "-in",
        &file("server.csr"),
        "-CA",
        &file("ca.crt"),
        "-CAkey",
        &file("ca.key"),
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        &file("names"),
        "-out",
        &file("server.crt"),
    ]);
}

/// A cluster: every slot served, by `masters` nodes with `replicas` each.
pub(crate) struct Cluster {
    /// The nodes; masters first.
    pub(crate) nodes: Vec<Server>,
}

impl Cluster {
    /// Starts one.
    pub(crate) fn start(masters: usize, replicas: usize) -> Self {
        let nodes: Vec<Server> = (0..masters * (1 + replicas))
            .map(|_| node(replicas))
            .collect();
        let addresses: Vec<String> = nodes.iter().map(Server::address).collect();
        let replicas = replicas.to_string();
        let mut arguments = vec!["--cluster", "create"];
        arguments.extend(addresses.iter().map(String::as_str));
        arguments.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
        CLI.output(&arguments);
        let cluster = Self { nodes };
        cluster.agrees();
        cluster
    }

    /// Waits until every node that runs says that every slot is served.
    pub(crate) fn agrees(&self) {
        for node in &self.nodes {
            eventually("a cluster that agrees", || {
                say(node.port(), "CLUSTER INFO").contains("cluster_state:ok")
            });
        }
    }

    /// The hosts for a URL.
    pub(crate) fn hosts(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(Server::address).collect();
        addresses.join(",")
    }

    /// The number of the node that has this slot as master, as node `asked` knows it.
    pub(crate) fn master_of(&self, slot: u16, asked: usize) -> Option<usize> {
        let table = cli(self.nodes[asked].port(), &["CLUSTER", "NODES"]);
        // id, host:port@bus, flags, master, ping, pong, epoch, link, then ranges of slots.
        let owner = table.lines().find(|line| {
            let mut ranges = line.split_whitespace().skip(8);
            ranges.any(|range| {
                let (from, to) = range.split_once('-').unwrap_or((range, range));
                match (from.parse::<u16>(), to.parse::<u16>()) {
                    (Ok(from), Ok(to)) => (from..=to).contains(&slot),
                    _ => false,
                }
            })
        })?;
        let address = owner.split_whitespace().nth(1)?.split('@').next()?;
        self.nodes.iter().position(|n| n.address() == address)
    }

    /// The identity of a node.
    pub(crate) fn id(&self, node: usize) -> String {
        cli(self.nodes[node].port(), &["CLUSTER", "MYID"])
            .trim()
            .to_owned()
    }
}

fn node(replicas: usize) -> Server {
    let bus = free_port().to_string();
    // Without replicas nobody can take the place of a node that was silent: all it does is that nothing is served.
    let silence = if replicas == 0 { "20000" } else { "1000" };
    Server::start(
        REDIS,
        move |place| {
            let mut all = plain(place);
            let options = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                silence,
                "--cluster-replica-validity-factor",
                "0",
            ];
            all.extend(options.map(str::to_owned));
            all
        },
        answers,
    )
}

/// What `redis-cli` prints for a command.
pub(crate) fn cli(port: u16, arguments: &[&str]) -> String {
    let port = port.to_string();
    let mut all = vec!["-p", port.as_str()];
    all.extend(arguments);
    CLI.output(&all)
}

/// A master, a replica and three sentinels that watch them as `mymaster`.
pub(crate) struct Watched {
    /// The master at first.
    pub(crate) master: Server,
    /// Its replica.
    pub(crate) replica: Server,
    /// Two of them make a majority.
    pub(crate) sentinels: Vec<Server>,
}

impl Watched {
    /// Starts one: only a master that was silent for long is taken for dead, or one that is told to go.
    pub(crate) fn start() -> Self {
        Self::with(20_000)
    }

    /// Starts one where half a second of silence is enough.
    pub(crate) fn hasty() -> Self {
        Self::with(500)
    }

    fn with(silence: u32) -> Self {
        let master = alone();
        let of = master.port().to_string();
        let replica = with(&["--replicaof", "127.0.0.1", &of]);
        eventually("a replica in step", || {
            say(replica.port(), "INFO replication").contains("master_link_status:up")
        });
        let sentinels: Vec<Server> = (0..3).map(|_| sentinel(master.port(), silence)).collect();
        for sentinel in &sentinels {
            eventually("sentinels that know each other", || {
                let state = cli(sentinel.port(), &["SENTINEL", "MASTER", "mymaster"]);
                let value = |name: &str| {
                    let mut lines = state.lines().skip_while(|line| *line != name);
                    lines.nth(1).unwrap_or_default().to_owned()
                };
                value("num-other-sentinels") == "2" && value("num-slaves") == "1"
            });
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    /// The hosts for a URL.
    pub(crate) fn hosts(&self) -> String {
        let addresses: Vec<String> = self.sentinels.iter().map(Server::address).collect();
        addresses.join(",")
    }
}

fn sentinel(master: u16, silence: u32) -> Server {
    Server::start(
        SENTINEL,
        move |place| {
            let port = place.port;
            let directory = text(&place.directory);
            let configuration = format!(
                "port {port}\nbind 127.0.0.1\ndir {directory}\n\
                 sentinel monitor mymaster 127.0.0.1 {master} 2\n\
                 sentinel down-after-milliseconds mymaster {silence}\n\
                 sentinel failover-timeout mymaster 5000\n"
            );
            let file = place.directory.join("sentinel.conf");
            std::fs::write(&file, configuration).expect("a file");
            vec![text(&file)]
        },
        answers,
    )
}
