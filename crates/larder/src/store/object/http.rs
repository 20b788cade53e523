//! The HTTP client: TLS by ring, time limits, bounded answers, and retries that cannot do a thing twice.
//!
//! `object_store` would retry by itself, but also a conditional write of which nobody knows whether it was done; its second answer would then be "refused". So its own
//! retries are off and those that are safe are made here, where the request can be seen.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::Semaphore;

use super::random;
use crate::error::{Error, ErrorKind, Result};

/// Beyond the first.
const RETRIES: u32 = 2;
const BACKOFF: Duration = Duration::from_millis(50);
/// Servers close connections that were idle for 5 (Azurite) to 60 seconds or more. A conditional request that meets the close fails, because nobody knows whether it was
/// done; a busy machine may take a second from choosing a connection to writing on it.
const IDLE: Duration = Duration::from_secs(3);
/// What stands around an entry in an answer, and how long a page of a listing may be.
const SLACK: u64 = 8 << 20;

/// The limits of a store's requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For one request with its answer.
    pub(super) request: Duration,
    pub(super) connect: Duration,
    /// After this much time no request is made again.
    pub(super) patience: Duration,
    pub(super) in_flight: usize,
    /// The largest entry.
    pub(super) max: u64,
}

/// Why a request failed that `object_store` cannot know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server is there and has no time: 429 or 5xx.
    Busy(u16, String),
    /// 501.
    Unknown(String),
    NoBucket,
    TooLarge,
    Closed,
}

/// When the server answered, by its own clock; goes along with an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered(pub(super) SystemTime);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(status, text) => write!(f, "it answered {status}: {text}"),
            Self::Unknown(text) => write!(f, "it does not know this request: {text}"),
            Self::NoBucket => f.write_str("there is no such bucket or container"),
            Self::TooLarge => f.write_str("the answer is longer than `max`"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for Trouble {}

/// Gives `object_store` its client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    client: HttpClient,
    limits: Limits,
    slots: Arc<Semaphore>,
    anonymous: bool,
}

impl Connector {
    /// A client; does not connect.
    pub(super) fn new(limits: Limits, needs_tls: bool) -> Result<Self> {
        let config = |error: &dyn fmt::Display| {
            Error::new(
                ErrorKind::Config,
                "open",
                format!("no HTTP client can be made: {error}"),
            )
        };
        let tls = tls(needs_tls).map_err(|error| config(&error))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .timeout(limits.request)
            .pool_max_idle_per_host(limits.in_flight)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| config(&error))?;
        Ok(Self {
            client: HttpClient::new(client),
            limits,
            slots: Arc::new(Semaphore::new(limits.in_flight)),
            anonymous: false,
        })
    }

    /// The same, that signs nothing: for Google `object_store` would sign writes all the same.
    #[cfg(feature = "gcs")]
    pub(super) fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Ends all that is asked from now on.
    pub(super) fn close(&self) {
        self.slots.close();
    }

    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let closed = |_| HttpError::new(HttpErrorKind::Unknown, Trouble::Closed);
        let _slot = self.slots.acquire().await.map_err(closed)?;
        if self.anonymous {
            request.headers_mut().remove("authorization");
        }
        let safety = Safety::of(&request);
        let started = Instant::now();
        for attempt in 0.. {
            let outcome = self.once(request.clone()).await;
            let wait = BACKOFF * 2u32.pow(attempt) + jitter();
            let may = attempt < RETRIES && started.elapsed() + wait < self.limits.patience;
            if !(may && safety.allows(&outcome)) {
                return outcome;
            }
            tokio::time::sleep(wait).await;
        }
        unreachable!("larder: the last attempt returns")
    }

    async fn once(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = self.client.execute(request).await?.into_parts();
        let most = self.limits.max.saturating_add(SLACK);
        let mut all = BytesMut::new();
        let mut stream = body.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            if (all.len() + chunk.len()) as u64 > most {
                return Err(HttpError::new(HttpErrorKind::Unknown, Trouble::TooLarge));
            }
            all.extend_from_slice(&chunk);
        }
        let body = all.freeze();
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let status = parts.status.as_u16();
        let trouble = match status {
            501 => Some(Trouble::Unknown(excerpt(&body))),
            429 | 500..=599 => Some(Trouble::Busy(status, excerpt(&body))),
            404 if header("x-ms-error-code") == Some("ContainerNotFound") => {
                Some(Trouble::NoBucket)
            }
            404 if contains(&body, b"<Code>NoSuchBucket</Code>") => Some(Trouble::NoBucket),
            404 if contains(&body, b"<Code>ContainerNotFound</Code>") => Some(Trouble::NoBucket),
            _ => None,
        };
        if let Some(trouble) = trouble {
            return Err(HttpError::new(HttpErrorKind::Unknown, trouble));
        }
        let answered = header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(answered) = answered {
            parts.extensions.insert(Answered(answered));
        }
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Connector {
    fn call<'a, 'f>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(self.send(request))
    }
}

/// When a request may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safety {
    /// It may be done twice.
    Repeatable,
    /// Only if the server said that it did nothing, or was not reached.
    Once,
}

impl Safety {
    fn of(request: &HttpRequest) -> Self {
        const CONDITIONS: [&str; 3] = ["if-match", "if-none-match", "x-goog-if-generation-match"];
        let headers = request.headers();
        let conditional = CONDITIONS.iter().any(|name| headers.contains_key(*name));
        let listing_or_deletes = request.uri().query().is_some_and(|query| {
            ["delete", "comp=batch"]
                .iter()
                .any(|part| query.starts_with(part) || query.ends_with(part))
        });
        match request.method().as_str() {
            "GET" | "HEAD" | "DELETE" => Self::Repeatable,
            "PUT" if !conditional => Self::Repeatable,
            "POST" if listing_or_deletes => Self::Repeatable,
            _ => Self::Once,
        }
    }

    fn allows(self, outcome: &Result<HttpResponse, HttpError>) -> bool {
        let error = match outcome {
            // Amazon's answer to conditional writes that met: nothing was done.
            Ok(response) => return response.status() == 409 && self == Self::Once,
            Err(error) => error,
        };
        let trouble = std::error::Error::source(error).and_then(|s| s.downcast_ref::<Trouble>());
        match (error.kind(), trouble) {
            (_, Some(Trouble::Busy(429 | 503, _))) | (HttpErrorKind::Connect, _) => true,
            (_, Some(Trouble::Busy(..))) => self == Self::Repeatable,
            (_, Some(_)) | (HttpErrorKind::Timeout, _) => false,
            _ => self == Self::Repeatable,
        }
    }
}

fn tls(is_needed: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    match builder.clone().with_platform_verifier() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(error) if is_needed => Err(error),
        // A machine without certificates can still talk to a server that needs none.
        Err(_) => Ok(builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()),
    }
}

fn jitter() -> Duration {
    BACKOFF.mul_f64((random() >> 11) as f64 / (1u64 << 53) as f64)
}

fn contains(body: &Bytes, part: &[u8]) -> bool {
    // An error is short; an entry is not looked through.
    body.len() < 4_096 && body.windows(part.len()).any(|window| window == part)
}

fn excerpt(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    text.chars().filter(|c| !c.is_control()).collect()
}
