//! Where the servers are and how they are talked to.

use std::time::Duration;

use super::Memcached;
use super::group::Group;
use super::link::{Link, Target};
use super::ring::Ring;
use super::stream;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Reactor;
use crate::store::Secret;

/// memcached's own limit when it is started without `-I`.
const ITEM_LIMIT: usize = 1024 * 1024;

/// How a [`Memcached`] is made. See [`Memcached::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder builds nothing before `build`"]
pub struct Builder {
    servers: Vec<(String, u16, u32)>,
    prefix: String,
    tls: Option<Tls>,
    login: Option<(String, Secret)>,
    connect_timeout: Duration,
    answer_timeout: Duration,
    item_limit: usize,
}

#[derive(Clone, Debug, Default)]
struct Tls {
    authority: Option<String>,
    identity: Option<(String, String)>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            servers: Vec::new(),
            prefix: String::new(),
            tls: None,
            login: None,
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(2),
            item_limit: ITEM_LIMIT,
        }
    }

    /// Adds a server of weight 1. Its place in the ring comes from `host` and `port` as they are written here: write them the same in all processes. The order does not
    /// matter.
    pub fn server(self, host: impl Into<String>, port: u16) -> Self {
        self.weighted_server(host, port, 1)
    }

    /// Adds a server that holds `weight` times as many keys as one of weight 1.
    pub fn weighted_server(mut self, host: impl Into<String>, port: u16, weight: u32) -> Self {
        self.servers.push((host.into(), port, weight));
        self
    }

    /// The name space: what all keys and tags begin with. Removing the prefix `""` removes all entries of the name space; two stores with the same servers and other
    /// name spaces share no entry, whatever its key. Default `""`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Talks TLS 1.2 or 1.3 and trusts the system's authorities.
    pub fn tls(mut self) -> Self {
        self.tls.get_or_insert_default();
        self
    }

    /// Talks TLS and trusts only the authorities whose certificates stand in this PEM file.
    pub fn authority(mut self, path: impl Into<String>) -> Self {
        self.tls.get_or_insert_default().authority = Some(path.into());
        self
    }

    /// Talks TLS and shows this certificate, with its private key: paths of PEM files.
    pub fn identity(mut self, certificate: impl Into<String>, key: impl Into<String>) -> Self {
        self.tls.get_or_insert_default().identity = Some((certificate.into(), key.into()));
        self
    }

    /// Logs in with a user name and a password (memcached's `-Y`). Without TLS the password crosses the network as it is.
    pub fn login(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.login = Some((user.into(), password));
        self
    }

    /// How long connecting may take, TLS, login and a first answer included. Default 1 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a server may say nothing while it owes answers; its connection is replaced then. Default 2 s.
    pub fn answer_timeout(mut self, limit: Duration) -> Self {
        self.answer_timeout = limit;
        self
    }

    /// The largest item that the servers take: their `-I`. An entry is an item with up to 512 bytes of name and numbers beside it; a larger one is refused with [`ErrorKind::Encode`](crate::ErrorKind), and an older one of its key is
    /// removed. Default 1 MiB, as memcached's.
    pub fn item_limit(mut self, bytes: usize) -> Self {
        self.item_limit = bytes;
        self
    }

    /// The store. Connects to nobody yet: connections are made when they are needed.
    ///
    /// Its home is the Tokio runtime that is current; see [`Reactor`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind) without a server, for a server named twice or of weight 0, and for files of certificates that cannot be used.
    pub fn build(self) -> Result<Memcached> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, "memcached", what));
        if self.servers.is_empty() {
            return wrong("name a server: `memcached://localhost`".into());
        }
        for (number, (host, port, weight)) in self.servers.iter().enumerate() {
            let twice = |(other, at, _): &(String, u16, u32)| other == host && at == port;
            if self.servers[..number].iter().any(twice) {
                return wrong(format!("`{host}:{port}` is named twice"));
            }
            if *weight == 0 || *weight > 10_000 {
                return wrong(format!(
                    "`{host}:{port}` has the weight {weight}: expected 1 to 10000"
                ));
            }
        }
        if let Some((user, password)) = &self.login
            && (user.is_empty()
                || [user, password.expose()]
                    .iter()
                    .any(|t| t.contains([' ', '\r', '\n'])))
        {
            return wrong("memcached takes no blank and no line break in a user name or a password, and no empty user name".into());
        }
        let connector = match &self.tls {
            None => None,
            Some(tls) => {
                let identity = tls.identity.as_ref().map(|(c, k)| (&**c, &**k));
                Some(stream::connector(tls.authority.as_deref(), identity)?)
            }
        };
        let ring = Ring::new(self.servers.iter().map(|(h, p, w)| (&**h, *p, *w)));
        let reactor = Reactor::new();
        let links = self.servers.iter().map(|(host, port, _)| {
            let target = Target {
                host: host.clone(),
                port: *port,
                tls: connector.clone(),
                login: self.login.clone(),
                connect_timeout: self.connect_timeout,
                answer_timeout: self.answer_timeout,
                // What is refused may still be a little less than what the server takes.
                longest: self.item_limit.max(ITEM_LIMIT),
            };
            Link::new(target, reactor.clone())
        });
        let group = Group::new(links.collect(), ring, &self.prefix, self.item_limit);
        Ok(Memcached { group })
    }
}
