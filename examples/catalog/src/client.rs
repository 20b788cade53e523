//! An HTTP client as small as the service: plain HTTP/1.1, connections kept, ten seconds for an answer.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

const PATIENCE: Duration = Duration::from_secs(10);

/// Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

impl Default for Client {
    fn default() -> Self {
        let builder = legacy::Client::builder(TokioExecutor::new());
        Self(builder.build_http())
    }
}

impl Client {
    /// One request with its whole answer; a body that is not empty is JSON.
    ///
    /// # Errors
    ///
    /// When there is no answer in time; an answer of any status is one.
    pub async fn ask(
        &self,
        method: Method,
        url: &str,
        body: String,
    ) -> Result<Response<Bytes>, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{method} {url}: {error}");
        let mut request = Request::builder().method(&method).uri(url);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::from(body))
            .map_err(|error| failed(&error))?;
        let answered = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::from_parts(head, body))
        };
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answer) => answer.map_err(|error| failed(&error)),
            Err(_) => Err(failed(&"no answer in ten seconds")),
        }
    }
}
