//! What a store is built with, from code or from a URL.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ProtocolVersion, RedisConnectionInfo};

use super::Redis;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Reactor;
use crate::store::{Address, Secret};

fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "redis", message)
}

/// The port of Redis.
const PORT: u16 = 6_379;
/// The port of sentinels.
const SENTINEL_PORT: u16 = 26_379;
/// Longer than any connecting is worth, shorter than what overflows an instant.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What stands behind the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// One server; more hosts are tried in turn.
    Alone,
    /// Sentinels, and the name by which they know the master.
    Watched { name: String },
    /// Nodes of a cluster.
    Cluster,
}

/// How servers are to prove who they are.
#[derive(Clone)]
pub(super) struct Tls {
    /// The certificates that are trusted, in PEM; `None` for those of the system.
    pub(super) authority: Option<Vec<u8>>,
    pub(super) insecure: bool,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("own_authority", &self.authority.is_some())
            .field("insecure", &self.insecure)
            .finish()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) service: Service,
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) database: i64,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) sentinel_user: Option<String>,
    pub(super) sentinel_password: Option<Secret>,
    pub(super) client_name: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) connect_timeout: Duration,
    pub(super) in_flight: usize,
    pub(super) prefix: String,
    pub(super) client_side: bool,
}

impl Settings {
    /// What is said to a server when a connection begins.
    pub(super) fn server(&self, protocol: ProtocolVersion, database: i64) -> RedisConnectionInfo {
        let info = signed(&self.user, &self.password).set_db(database);
        info.set_protocol(protocol)
    }

    /// The same for a sentinel.
    pub(super) fn sentinel(&self) -> RedisConnectionInfo {
        signed(&self.sentinel_user, &self.sentinel_password).set_protocol(ProtocolVersion::RESP2)
    }
}

fn signed(user: &Option<String>, password: &Option<Secret>) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_lib_name("larder", env!("CARGO_PKG_VERSION"));
    if let Some(user) = user {
        info = info.set_username(user);
    }
    if let Some(password) = password {
        info = info.set_password(password.expose());
    }
    info
}

/// A [`Redis`] store before it is built.
///
/// ```
/// use std::time::Duration;
/// use larder::store::redis::Redis;
///
/// let store = Redis::builder([("localhost", 6379)])
///     .database(1)
///     .prefix("app:")
///     .connect_timeout(Duration::from_millis(500))
///     .build()?; // does not connect yet
/// # drop(store);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    settings: Settings,
    reactor: Option<Reactor>,
}

impl Builder {
    pub(super) fn new(hosts: Vec<(String, u16)>) -> Self {
        Self {
            settings: Settings {
                service: Service::Alone,
                hosts,
                database: 0,
                user: None,
                password: None,
                sentinel_user: None,
                sentinel_password: None,
                client_name: None,
                tls: None,
                connect_timeout: Duration::from_secs(1),
                in_flight: 1_024,
                prefix: String::new(),
                client_side: false,
            },
            reactor: None,
        }
    }

    /// The hosts are nodes of a cluster; all of it is found through any of them. Database 0 only.
    pub fn cluster(mut self) -> Self {
        self.settings.service = Service::Cluster;
        self
    }

    /// The hosts are sentinels that watch a master by this name; it is followed when it moves.
    pub fn sentinel(mut self, service: impl Into<String>) -> Self {
        self.settings.service = Service::Watched {
            name: service.into(),
        };
        self
    }

    /// The user and password of the [ACL](https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/); without a user the password of `requirepass`.
    pub fn credentials(mut self, user: Option<&str>, password: Secret) -> Self {
        self.settings.user = user.map(str::to_owned);
        self.settings.password = Some(password);
        self
    }

    /// The same for the sentinels themselves; none by default.
    pub fn sentinel_credentials(mut self, user: Option<&str>, password: Secret) -> Self {
        self.settings.sentinel_user = user.map(str::to_owned);
        self.settings.sentinel_password = Some(password);
        self
    }

    /// The number of the database; 0 by default.
    pub fn database(mut self, number: u32) -> Self {
        self.settings.database = i64::from(number);
        self
    }

    /// What connections are called in `CLIENT LIST`.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.settings.client_name = Some(name.into());
        self
    }

    /// Speaks TLS, trusting the authorities of the system.
    pub fn tls(mut self) -> Self {
        self.settings.tls = Some(Tls {
            authority: None,
            insecure: false,
        });
        self
    }

    /// Speaks TLS, trusting only the certificates of this PEM text.
    pub fn tls_with_authority(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.settings.tls = Some(Tls {
            authority: Some(pem.into()),
            insecure: false,
        });
        self
    }

    /// Speaks TLS with whoever answers: hides the bytes from those who only listen, and from nobody else.
    pub fn tls_with_anybody(mut self) -> Self {
        self.settings.tls = Some(Tls {
            authority: None,
            insecure: true,
        });
        self
    }

    /// How long connecting may take, and how long a connection may stay silent before it is replaced; 1 second by default.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// How many operations may be under way at once; others wait. 1024 by default.
    pub fn in_flight(mut self, most: usize) -> Self {
        self.settings.in_flight = most;
        self
    }

    /// What all keys and tags begin with: what [`Removal::Prefix`](crate::store::Removal) of `""` removes, and what is tracked. Empty by default: the whole database.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Asks the server to tell what others change ([`Store::invalidations`](crate::store::Store::invalidations)), for a copy in this process that is to stay true.
    /// All operations then share one connection. Not with a cluster.
    pub fn client_side(mut self) -> Self {
        self.settings.client_side = true;
        self
    }

    /// Where connections live; by default in the Tokio runtime that is current now, and in Larder's own for callers outside of it.
    pub fn reactor(mut self, reactor: Reactor) -> Self {
        self.reactor = Some(reactor);
        self
    }

    /// The store. It connects with its first operation.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind) for what cannot be: no host, a cluster with a database or with [`client_side`](Self::client_side), a limit of 0.
    pub fn build(self) -> Result<Arc<Redis>> {
        let settings = self.settings;
        if settings.hosts.is_empty() || settings.hosts.iter().any(|(host, _)| host.is_empty()) {
            return Err(bad("expected a host: write it like `redis://localhost/0`"));
        }
        if settings.in_flight == 0 || settings.in_flight > tokio::sync::Semaphore::MAX_PERMITS {
            return Err(bad("`in_flight`: at least 1, and a number of operations"));
        }
        if settings.connect_timeout.is_zero() || settings.connect_timeout > LONGEST {
            return Err(bad("`connect_timeout`: more than 0, at most 1h"));
        }
        if settings.service == Service::Cluster && settings.database != 0 {
            return Err(bad("a cluster has only database 0: leave the number out"));
        }
        if settings.service == Service::Cluster && settings.client_side {
            return Err(bad(
                "`client_side` needs one server that sees all changes: use `redis://` or `redis+sentinel://`, or leave it out",
            ));
        }
        if let Some(name) = &settings.client_name
            && !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(bad("`client_name`: letters, digits and signs, no spaces"));
        }
        if settings.tls.is_some() {
            provide_cryptography();
        }
        Ok(Arc::new(Redis::new(
            settings,
            self.reactor.unwrap_or_default(),
        )))
    }
}

/// TLS needs somebody's cryptography; ours, unless the program has chosen.
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if the program chose meanwhile.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// The builder that a URL describes.
pub(super) fn from_address(address: &mut Address, prefix: &str) -> Result<Builder> {
    let scheme = address.scheme().to_owned();
    let sentinels = scheme.ends_with("+sentinel");
    let port = if sentinels { SENTINEL_PORT } else { PORT };
    let mut builder = Builder::new(address.hosts(port)).prefix(prefix);
    if scheme.ends_with("+cluster") {
        builder = builder.cluster();
    }
    if sentinels {
        let name = address
            .text("service")
            .unwrap_or_else(|| "mymaster".to_owned());
        builder = builder.sentinel(name);
        builder.settings.sentinel_user = address.text("sentinel_user");
        builder.settings.sentinel_password = address.secret(
            "sentinel_password",
            "sentinel_password_env",
            "sentinel_password_file",
        )?;
    }
    if scheme.starts_with("rediss") {
        builder = with_tls(builder, address)?;
    }
    builder.settings.database = database(address.path())?;
    builder.settings.user = address.user().map(str::to_owned);
    let secret = address.secret("password", "password_env", "password_file")?;
    builder.settings.password = match (address.password().cloned(), secret) {
        (Some(_), Some(_)) => return Err(bad("two passwords: leave one out")),
        (one, other) => one.or(other),
    };
    if builder.settings.user.is_some() && builder.settings.password.is_none() {
        return Err(bad(
            "a user without a password: add it, or `password_env=VARIABLE` or `password_file=PATH`",
        ));
    }
    if let Some(limit) = address.span("connect_timeout")? {
        builder = builder.connect_timeout(limit);
    }
    if let Some(most) = address.number("in_flight")? {
        builder = builder.in_flight(usize::try_from(most).unwrap_or(usize::MAX));
    }
    if let Some(name) = address.text("client_name") {
        builder = builder.client_name(name);
    }
    if address.flag("client_side")? == Some(true) {
        builder = builder.client_side();
    }
    Ok(builder)
}

fn with_tls(builder: Builder, address: &mut Address) -> Result<Builder> {
    let file = address.text("ca_file");
    match (file, address.flag("insecure")?) {
        (Some(_), Some(true)) => Err(bad("`insecure=1` trusts anybody: leave out `ca_file`")),
        (Some(path), _) => {
            let pem = std::fs::read(&path)
                .map_err(|error| bad(format!("`ca_file={path}` cannot be read: {error}")))?;
            Ok(builder.tls_with_authority(pem))
        }
        (None, Some(true)) => Ok(builder.tls_with_anybody()),
        (None, _) => Ok(builder.tls()),
    }
}

fn database(path: &str) -> Result<i64> {
    match path.trim_start_matches('/') {
        "" => Ok(0),
        number => number.parse::<u32>().map(i64::from).map_err(|_| {
            bad("expected the number of a database after the hosts, like `redis://localhost/0`")
        }),
    }
}
