//! An S3 server in this process: `s3s` speaks the protocol and checks signatures, `s3s-fs` keeps objects as files.
//!
//! `s3s-fs` looks at `If-Match` and `If-None-Match` and then writes, and writes object, metadata and ETag one after the other. Amazon does that in one step, so here
//! requests that change something run alone.

#![allow(dead_code)]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, Response};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::sync::RwLock;

use super::front::{Answer, Front};

pub(crate) const BUCKET: &str = "bucket";
const ACCESS: &str = "LARDERTEST";
const SECRET: &str = "not a secret";

/// A server with one bucket.
pub(crate) struct S3 {
    pub(crate) front: Front,
    pub(crate) directory: PathBuf,
    keys: [PathBuf; 2],
}

impl S3 {
    pub(crate) fn start() -> Self {
        Self::start_with(Some(SimpleAuth::from_single(ACCESS, SECRET)))
    }

    /// One that takes requests that are not signed.
    pub(crate) fn unsigned() -> Self {
        Self::start_with(None)
    }

    fn start_with(auth: Option<SimpleAuth>) -> Self {
        let root = super::servers::new_directory();
        let directory = root.join("objects");
        std::fs::create_dir_all(directory.join(BUCKET)).expect("a bucket");
        let files = s3s_fs::FileSystem::new(&directory).expect("a directory of objects");
        let mut builder = S3ServiceBuilder::new(files);
        if let Some(auth) = auth {
            builder.set_auth(auth);
        }
        let service = builder.build();
        let turn = Arc::new(RwLock::new(()));
        let handler = move |request: Request<Bytes>| -> Answer {
            let (service, turn) = (service.clone(), Arc::clone(&turn));
            Box::pin(async move {
                let changes = !matches!(request.method().as_str(), "GET" | "HEAD");
                let request = request.map(s3s::Body::from);
                if changes {
                    let _alone = turn.write().await;
                    collected(service.call(request).await).await
                } else {
                    let _together = turn.read().await;
                    collected(service.call(request).await).await
                }
            })
        };
        let keys = [("access", ACCESS), ("secret", SECRET)].map(|(name, key)| {
            let path = root.join(name);
            std::fs::write(&path, key).expect("a file of a key");
            path
        });
        Self {
            front: Front::start(Arc::new(handler)),
            directory,
            keys,
        }
    }

    /// A URL of a store below this prefix.
    pub(crate) fn url(&self, prefix: &str, more: &str) -> String {
        self.url_of(BUCKET, prefix, more)
    }

    pub(crate) fn url_of(&self, bucket: &str, prefix: &str, more: &str) -> String {
        let [access, secret] = &self.keys;
        format!(
            "s3://{bucket}/{prefix}?endpoint={}&allow_http=1&access_key_file={}&secret_key_file={}&name_limit=130{more}",
            self.front.url(),
            access.display(),
            secret.display(),
        )
    }

    /// The file of an object.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(BUCKET).join(name)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.front.kill();
        let _ = std::fs::remove_dir_all(self.directory.parent().expect("its root"));
    }
}

async fn collected(response: Result<Response<s3s::Body>, s3s::HttpError>) -> Response<Bytes> {
    let (parts, body) = response.expect("s3s answers").into_parts();
    let body = body.collect().await.expect("a file can be read");
    Response::from_parts(parts, body.to_bytes())
}
