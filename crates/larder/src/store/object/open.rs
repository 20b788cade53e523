//! Addresses and the environment into clients.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::RetryConfig;
use tokio::sync::OnceCell;

use super::core::{Conditional, Core};
use super::fallback::Fallback;
use super::http::{Connector, Limits};
use super::names::{LONGEST, Names};
use super::wire::{Cloud, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Address;
#[cfg(any(feature = "s3", feature = "azure"))]
use crate::store::Secret;

/// Long enough for a large entry; the caller's own limit is shorter.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(3);
/// Half of what a remote operation may take by default.
const PATIENCE: Duration = Duration::from_millis(500);
const IN_FLIGHT: u64 = 64;
const MAX: u64 = 1 << 30;
/// All clouds take this much in one request.
const LARGEST: u64 = 4 << 30;

/// What all clouds are opened with.
struct Common {
    bucket: String,
    endpoint: Option<String>,
    allow_http: bool,
    anonymous: bool,
    connector: Connector,
    retry: RetryConfig,
}

/// A store of this address, and how often it is to be swept.
pub(super) fn core(address: &mut Address, space: &str) -> Result<(Core, Option<Duration>)> {
    let limits = limits(address)?;
    let endpoint = address.text("endpoint");
    let allow_http = address.flag("allow_http")?.unwrap_or(false);
    if endpoint
        .as_deref()
        .is_some_and(|e| e.starts_with("http://"))
        && !allow_http
    {
        return Err(config(
            "an `endpoint` without TLS needs `allow_http=1`: keys and values can be read on the way",
        ));
    }
    let conditional = address.word("conditional", &["auto", "1", "0"])?;
    let conditional = match conditional.unwrap_or("auto") {
        "1" => Conditional::Yes,
        "0" => Conditional::No,
        // Azure and Google have always honoured them, and their emulators are their own.
        _ if address.scheme() == "s3" && endpoint.is_some() => Conditional::Unknown,
        _ => Conditional::Yes,
    };
    let name_limit = address.number("name_limit")?.unwrap_or(LONGEST as u64);
    let names = Names::new(address.path(), usize::try_from(name_limit).unwrap_or(0))?;
    let sweep = address.span("sweep")?;
    if sweep.is_some_and(|every| every < Duration::from_secs(1)) {
        return Err(config("`sweep` is a second or more"));
    }
    let common = Common {
        bucket: bucket(address)?,
        allow_http,
        anonymous: address.flag("anonymous")?.unwrap_or(false),
        connector: Connector::new(limits, !allow_http)?,
        endpoint,
        // See `http`: what may be made again is made again there.
        retry: RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        },
    };
    let connector = common.connector.clone();
    let (name, cloud) = cloud(address, common)?;
    let core = Core {
        wire: Wire {
            name,
            cloud,
            connector,
            max: limits.max,
            hides_prefix: name == "azure",
            closed: AtomicBool::new(false),
        },
        names,
        space: space.to_owned(),
        conditional,
        tried: OnceCell::new(),
        fallback: Fallback::new(),
        patience: limits.request,
    };
    Ok((core, sweep))
}

fn limits(address: &mut Address) -> Result<Limits> {
    let timeout = address.span("timeout")?;
    let in_flight = address.number("in_flight")?.unwrap_or(IN_FLIGHT);
    if !(1..=10_000).contains(&in_flight) {
        return Err(config("`in_flight` is a number from 1 to 10000"));
    }
    let max = address.bytes("max")?.unwrap_or(MAX);
    if max > LARGEST {
        return Err(config(
            "`max` is at most 4gb: an entry is put by one request",
        ));
    }
    Ok(Limits {
        request: timeout.unwrap_or(REQUEST),
        connect: address.span("connect_timeout")?.unwrap_or(CONNECT),
        patience: timeout.map_or(PATIENCE, |timeout| timeout / 2),
        in_flight: in_flight as usize,
        max,
    })
}

fn bucket(address: &Address) -> Result<String> {
    let bucket = match address.scheme() {
        // `abfs[s]://container@account.…`.
        "abfs" | "abfss" => address.user().map(str::to_owned),
        _ => {
            let place = address.place();
            Some(place.split('/').next().unwrap_or(place).to_owned())
        }
    };
    bucket.filter(|bucket| !bucket.is_empty()).ok_or_else(|| {
        let scheme = address.scheme();
        config(format!(
            "write it like `{scheme}://bucket/prefix`: the bucket is missing"
        ))
    })
}

#[allow(unused_variables)]
fn cloud(address: &mut Address, common: Common) -> Result<(&'static str, Arc<dyn Cloud>)> {
    match address.scheme() {
        #[cfg(feature = "s3")]
        "s3" => Ok(("s3", s3(address, common)?)),
        #[cfg(feature = "gcs")]
        "gs" => Ok(("gcs", gcs(address, common)?)),
        #[cfg(feature = "azure")]
        "az" | "abfs" | "abfss" => Ok(("azure", azure(address, common)?)),
        other => Err(config(format!(
            "`{other}://` is no object store of this build"
        ))),
    }
}

#[cfg(feature = "s3")]
fn s3(address: &mut Address, common: Common) -> Result<Arc<dyn Cloud>> {
    use object_store::aws::AmazonS3Builder;

    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(common.bucket)
        .with_allow_http(common.allow_http)
        .with_skip_signature(common.anonymous)
        .with_retry(common.retry)
        .with_http_connector(common.connector)
        .with_disable_bulk_delete(!address.flag("bulk_delete")?.unwrap_or(true))
        .with_virtual_hosted_style_request(address.flag("virtual_hosted")?.unwrap_or(false));
    if let Some(endpoint) = common.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = address.text("region") {
        builder = builder.with_region(region);
    }
    match (access_key(address)?, secret_key(address)?) {
        (Some(access), Some(secret)) => {
            builder = builder
                .with_access_key_id(access.expose())
                .with_secret_access_key(secret.expose());
        }
        (None, None) => {}
        _ => {
            return Err(config(
                "an access key and a secret key go together: give both or neither",
            ));
        }
    }
    Ok(Arc::new(
        builder.build().map_err(|error| config(error.to_string()))?,
    ))
}

#[cfg(feature = "gcs")]
fn gcs(address: &mut Address, common: Common) -> Result<Arc<dyn Cloud>> {
    use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
    use object_store::{ClientOptions, StaticCredentialProvider};

    let connector = if common.anonymous {
        common.connector.anonymous()
    } else {
        common.connector
    };
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(common.bucket)
        .with_client_options(ClientOptions::new().with_allow_http(common.allow_http))
        .with_skip_signature(common.anonymous)
        .with_retry(common.retry)
        .with_http_connector(connector);
    if common.anonymous {
        let bearer = String::new();
        let nobody = StaticCredentialProvider::new(GcpCredential { bearer });
        builder = builder.with_credentials(Arc::new(nobody));
    }
    if let Some(endpoint) = common.endpoint {
        builder = builder.with_base_url(&endpoint);
    }
    if let Some(path) = address.text("credentials_file") {
        builder = builder.with_service_account_path(path);
    }
    Ok(Arc::new(
        builder.build().map_err(|error| config(error.to_string()))?,
    ))
}

#[cfg(feature = "azure")]
fn azure(address: &mut Address, common: Common) -> Result<Arc<dyn Cloud>> {
    use object_store::azure::MicrosoftAzureBuilder;

    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(common.bucket)
        .with_allow_http(common.allow_http)
        .with_skip_signature(common.anonymous)
        .with_retry(common.retry)
        .with_http_connector(common.connector);
    if let Some(endpoint) = common.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let in_host = address
        .scheme()
        .starts_with("abfs")
        .then(|| address.hosts(443));
    let in_host = in_host.and_then(|hosts| Some(hosts.first()?.0.split('.').next()?.to_owned()));
    if let Some(account) = address.text("account").or(in_host) {
        builder = builder.with_account(account);
    }
    if let Some(key) = access_key(address)? {
        builder = builder.with_access_key(key.expose());
    }
    Ok(Arc::new(
        builder.build().map_err(|error| config(error.to_string()))?,
    ))
}

#[cfg(any(feature = "s3", feature = "azure"))]
fn access_key(address: &mut Address) -> Result<Option<Secret>> {
    address.secret("access_key", "access_key_env", "access_key_file")
}

#[cfg(feature = "s3")]
fn secret_key(address: &mut Address) -> Result<Option<Secret>> {
    address.secret("secret_key", "secret_key_env", "secret_key_file")
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "open", message)
}
