//! One connection: TCP, with TLS if asked for, and what is said first.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::link::{Failure, Target};
use super::wire::Exchange;
use crate::error::{Error, ErrorKind, Result};

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Secret(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Connects, shows the password if there is one, and waits for a first answer: a server that is stopped still accepts.
    pub(super) async fn open(target: &Target) -> Result<Self, Failure> {
        let cut = |error: io::Error| Failure::Cut(target.at(&error));
        let tcp = TcpStream::connect((&*target.host, target.port))
            .await
            .map_err(cut)?;
        tcp.set_nodelay(true).map_err(cut)?;
        let mut stream = match &target.tls {
            None => Self::Plain(tcp),
            Some(connector) => {
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| Failure::Said(target.at(&error)))?;
                let tls = connector.connect(name, tcp).await.map_err(cut)?;
                Self::Secret(Box::new(tls))
            }
        };
        if let Some((user, password)) = &target.login {
            let words = format!("{user} {}", password.expose());
            let command = format!("set login 0 0 {}\r\n{words}\r\n", words.len());
            let said = stream.say(command.as_bytes()).await.map_err(cut)?;
            if said != "STORED" {
                return Err(Failure::Said(
                    target.at(&"it does not take the user name and password"),
                ));
            }
        }
        match &*stream.say(&Exchange::hello().bytes).await.map_err(cut)? {
            "MN" => Ok(stream),
            "ERROR" => Err(Failure::Said(
                target.at(&"it does not know the meta protocol: memcached 1.6 is due"),
            )),
            said => Err(Failure::Said(
                target.at(&format!("it greets with `{}`", said.escape_debug())),
            )),
        }
    }

    /// Sends a command and takes one short line.
    async fn say(&mut self, command: &[u8]) -> io::Result<String> {
        self.write_all(command).await?;
        self.flush().await?;
        let mut line = Vec::new();
        // Byte by byte, so that nothing of what follows is taken; it is a few bytes, once per connection.
        while !line.ends_with(b"\r\n") && line.len() < 100 {
            line.push(self.read_u8().await?);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

/// What TLS connections are made with.
///
/// `authority` is a file of certificates that are trusted instead of the system's; `identity` the files of the client's certificate and key.
pub(super) fn connector(
    authority: Option<&str>,
    identity: Option<(&str, &str)>,
) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| unfit(path, &e))?;
            }
        }
        None => {
            // Some certificates of a system are often unfit; all of them is another matter.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(unfit(
            authority.unwrap_or("the system's store"),
            &"there is no certificate of an authority",
        ));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unfit("tls", &e))?
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let read = PrivateKeyDer::from_pem_file(key).map_err(|e| unfit(key, &e))?;
            config
                .with_client_auth_cert(certificates(certificate)?, read)
                .map_err(|e| unfit(key, &e))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).map_err(|e| unfit(path, &e))?;
    all.map(|one| one.map_err(|e| unfit(path, &e))).collect()
}

fn unfit(what: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Config,
        "memcached",
        format!("`{what}` cannot be used for TLS: {why}"),
    )
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, into),
            Self::Secret(tls) => Pin::new(tls).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, from),
            Self::Secret(tls) => Pin::new(tls).poll_write(context, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Secret(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Secret(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
