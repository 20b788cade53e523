//! How a connection is made: to one server, through sentinels, to a cluster.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::cluster::ClusterClientBuilder;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError,
    TlsCertificates, TlsMode, Value, io::tcp::TcpSettings,
};
use tokio::runtime::Handle;

use super::line::{Connection, Signs};
use super::settings::{Service, Settings};
use super::tracking::Tracking;
use crate::runtime::{Reactor, Side};

/// What a connection is made by.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) tracking: Option<Arc<Tracking>>,
    /// Its timers are used on every runtime: another's may have none.
    pub(super) clock: Handle,
}

impl Plan {
    pub(super) fn new(settings: Settings, tracking: Option<Arc<Tracking>>) -> Self {
        Self {
            settings,
            tracking,
            clock: Reactor::own().handle(Side::Own),
        }
    }

    /// Waits for as long as connecting may take; `None` when that is over.
    pub(super) async fn limit<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.within(self.settings.connect_timeout, future).await
    }

    async fn within<T>(&self, span: Duration, future: impl Future<Output = T>) -> Option<T> {
        let timeout = {
            let _clock = self.clock.enter();
            tokio::time::timeout(span, future)
        };
        timeout.await.ok()
    }

    /// Connects, within the time that connecting may take.
    pub(super) async fn connect(
        &self,
        signs: &Arc<Signs>,
    ) -> Result<(Connection, Option<(String, u16)>), RedisError> {
        let made = async {
            match &self.settings.service {
                Service::Alone => {
                    let one = self.any(&self.settings.hosts, signs).await?;
                    Ok((Connection::One(one), None))
                }
                Service::Watched { name } => {
                    let (one, server) = self.watched(name, signs).await?;
                    Ok((Connection::One(one), Some(server)))
                }
                Service::Cluster => Ok((self.cluster().await?, None)),
            }
        };
        self.limit(made).await.unwrap_or_else(|| Err(late()))
    }

    /// The first of these servers that answers.
    async fn any(
        &self,
        hosts: &[(String, u16)],
        signs: &Arc<Signs>,
    ) -> Result<MultiplexedConnection, RedisError> {
        let mut last = nobody();
        for (host, port) in hosts {
            match self.one(host, *port, signs).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn one(
        &self,
        host: &str,
        port: u16,
        signs: &Arc<Signs>,
    ) -> Result<MultiplexedConnection, RedisError> {
        let made = self.dial(host, port, ProtocolVersion::RESP3, signs).await;
        let mut connection = match made {
            // A server before Redis 6, or a proxy: word of a lost connection then comes with the next operation.
            Err(error)
                if error.kind() == ErrorKind::RESP3NotSupported && self.tracking.is_none() =>
            {
                self.dial(host, port, ProtocolVersion::RESP2, signs).await?
            }
            made => made?,
        };
        if let Some(name) = &self.settings.client_name {
            let mut cmd = ::redis::cmd("CLIENT");
            cmd.arg("SETNAME").arg(name);
            answer(&mut connection, &cmd).await?;
        }
        if let Some(tracking) = &self.tracking {
            answer(&mut connection, &tracking.command()).await?;
            tracking.begin();
        }
        Ok(connection)
    }

    async fn dial(
        &self,
        host: &str,
        port: u16,
        protocol: ProtocolVersion,
        signs: &Arc<Signs>,
    ) -> Result<MultiplexedConnection, RedisError> {
        let settings = &self.settings;
        let server = settings.server(protocol, settings.database);
        let client = self.client(host, port, server)?;
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        if protocol == ProtocolVersion::RESP3 {
            let (signs, tracking) = (Arc::clone(signs), self.tracking.clone());
            config = config.set_push_sender(move |push: PushInfo| {
                if push.kind == ::redis::PushKind::Disconnection {
                    signs.lose();
                }
                if let Some(tracking) = &tracking {
                    tracking.pushed(&push);
                }
                Ok::<(), ::redis::aio::SendError>(())
            });
        }
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn client(
        &self,
        host: &str,
        port: u16,
        server: RedisConnectionInfo,
    ) -> Result<Client, RedisError> {
        let info = self.info(host, port, server)?;
        match &self.settings.tls {
            Some(tls) if tls.authority.is_some() => {
                let root_cert = tls.authority.clone();
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert,
                };
                Client::build_with_tls(info, certificates)
            }
            _ => Client::open(info),
        }
    }

    fn info(
        &self,
        host: &str,
        port: u16,
        server: RedisConnectionInfo,
    ) -> Result<ConnectionInfo, RedisError> {
        let host = host.to_owned();
        let address = match &self.settings.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(tls) => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: tls.insecure,
                tls_params: None,
            },
        };
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = address.into_connection_info()?;
        Ok(info.set_tcp_settings(tcp).set_redis_settings(server))
    }

    /// The master that the sentinels name, if it says so itself.
    async fn watched(
        &self,
        name: &str,
        signs: &Arc<Signs>,
    ) -> Result<(MultiplexedConnection, (String, u16)), RedisError> {
        let (host, port) = self.master(name).await?;
        let mut connection = self.one(&host, port, signs).await?;
        let role = answer(&mut connection, &::redis::cmd("ROLE")).await?;
        match role {
            Value::Array(parts) if is_text(parts.first(), b"master") => {
                Ok((connection, (host, port)))
            }
            _ => Err(RedisError::from((
                ErrorKind::Io,
                "the server that the sentinels name is not master yet",
            ))),
        }
    }

    /// Where the first sentinel that answers says that the master is.
    pub(super) async fn master(&self, name: &str) -> Result<(String, u16), RedisError> {
        let mut last = nobody();
        // One that hangs must leave time for the others.
        let share = self.settings.connect_timeout / (self.settings.hosts.len() as u32 + 1);
        for (host, port) in &self.settings.hosts {
            let asked = self.within(share, self.master_by(host, *port, name)).await;
            match asked.unwrap_or_else(|| Err(late())) {
                Ok(master) => return Ok(master),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn master_by(
        &self,
        host: &str,
        port: u16,
        name: &str,
    ) -> Result<(String, u16), RedisError> {
        let client = self.client(host, port, self.settings.sentinel())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut sentinel = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut cmd = ::redis::cmd("SENTINEL");
        cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let found: Option<(String, u16)> =
            ::redis::from_redis_value(answer(&mut sentinel, &cmd).await?)?;
        found.ok_or_else(|| {
            RedisError::from((
                ErrorKind::MasterNameNotFoundBySentinel,
                "the sentinels know no master of that name",
            ))
        })
    }

    async fn cluster(&self) -> Result<Connection, RedisError> {
        let settings = &self.settings;
        let nodes: Vec<ConnectionInfo> = settings
            .hosts
            .iter()
            .map(|(host, port)| self.info(host, *port, settings.server(ProtocolVersion::RESP2, 0)))
            .collect::<Result<_, _>>()?;
        let mut builder = ClusterClientBuilder::new(nodes)
            // A node that hangs must leave time for the others.
            .connection_timeout(settings.connect_timeout / 3)
            .response_timeout(settings.connect_timeout)
            // The caller bounds the time, perhaps on a thread without timers.
            .overall_response_timeout(None)
            .retries(6)
            .min_retry_wait(5)
            .max_retry_wait(100)
            .tcp_settings(TcpSettings::default().set_nodelay(true));
        if let Some(user) = &settings.user {
            builder = builder.username(user);
        }
        if let Some(password) = &settings.password {
            builder = builder.password(password.expose());
        }
        if let Some(tls) = &settings.tls {
            builder = builder.tls(if tls.insecure {
                TlsMode::Insecure
            } else {
                TlsMode::Secure
            });
            if let Some(authority) = &tls.authority {
                builder = builder.certs(TlsCertificates {
                    client_tls: None,
                    root_cert: Some(authority.clone()),
                });
            }
        }
        let connection = builder.build()?.get_async_connection().await?;
        Ok(Connection::All(connection))
    }
}

async fn answer(connection: &mut MultiplexedConnection, cmd: &Cmd) -> Result<Value, RedisError> {
    connection.send_packed_command(cmd).await?.extract_error()
}

fn is_text(value: Option<&Value>, text: &[u8]) -> bool {
    match value {
        Some(Value::BulkString(bytes)) => bytes == text,
        Some(Value::SimpleString(own)) => own.as_bytes() == text,
        _ => false,
    }
}

fn late() -> RedisError {
    RedisError::from(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "not connected in time",
    ))
}

fn nobody() -> RedisError {
    RedisError::from((ErrorKind::Io, "no host is given"))
}
