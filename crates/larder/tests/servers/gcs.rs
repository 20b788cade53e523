//! Our own likeness of the [XML API](https://cloud.google.com/storage/docs/xml-api/reference-uri-requests) of Google Cloud Storage: objects with generations and
//! preconditions, in memory. There is no server of Google's that runs here, and no other speaks this API with preconditions.
//!
//! What a test with it proves is that requests are made and answers are understood as the reference describes them; not that Google does what it describes, and nothing of its
//! authentication: requests are not signed.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};

use super::front::{Answer, Front};

pub(crate) const BUCKET: &str = "bucket";
const CONDITION: &str = "x-goog-if-generation-match";

/// A server with one bucket.
pub(crate) struct Gcs {
    pub(crate) front: Front,
    bucket: Arc<Mutex<Bucket>>,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    generation: u64,
}

struct Object {
    bytes: Bytes,
    generation: u64,
    written: SystemTime,
    /// Content type and metadata.
    headers: HeaderMap,
}

impl Gcs {
    pub(crate) fn start() -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let own = Arc::clone(&bucket);
        let handler = move |request: Request<Bytes>| -> Answer {
            let answer = own.lock().unwrap().answer(&request);
            Box::pin(async move { answer })
        };
        Self {
            front: Front::start(Arc::new(handler)),
            bucket,
        }
    }

    /// A URL of a store below this prefix.
    pub(crate) fn url(&self, prefix: &str, more: &str) -> String {
        let endpoint = self.front.url();
        format!("gs://{BUCKET}/{prefix}?endpoint={endpoint}&allow_http=1&anonymous=1{more}")
    }

    pub(crate) fn object(&self, name: &str) -> Option<Bytes> {
        let bucket = self.bucket.lock().unwrap();
        bucket.objects.get(name).map(|object| object.bytes.clone())
    }

    /// Puts an object as somebody else would.
    pub(crate) fn put(&self, name: &str, bytes: &'static [u8]) {
        let mut bucket = self.bucket.lock().unwrap();
        bucket.put(name, Bytes::from_static(bytes), HeaderMap::new());
    }

    /// Makes all objects look as if they had been written this long ago.
    pub(crate) fn age(&self, by: std::time::Duration) {
        for object in self.bucket.lock().unwrap().objects.values_mut() {
            object.written -= by;
        }
    }

    /// Makes an entry look as if its life had been over for a day.
    pub(crate) fn end(&self, name: &str) {
        let mut bucket = self.bucket.lock().unwrap();
        let object = bucket.objects.get_mut(name).expect("an object");
        let note = object
            .headers
            .get_mut("x-goog-meta-larder")
            .expect("its metadata");
        let parts = note.to_str().expect("text").split('.').map(str::to_owned);
        let mut parts: Vec<String> = parts.collect();
        let until: u64 = parts[1].parse().expect("a number");
        parts[1] = (until - 86_400_000).to_string();
        *note = value(&parts.join("."));
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.bucket
            .lock()
            .unwrap()
            .objects
            .keys()
            .cloned()
            .collect()
    }
}

impl Bucket {
    fn answer(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = decode(request.uri().path().trim_start_matches('/'));
        let query = query(request.uri().query().unwrap_or(""));
        let (bucket, name) = path.split_once('/').unwrap_or((&path, ""));
        if bucket != BUCKET {
            return error(StatusCode::NOT_FOUND, "NoSuchBucket");
        }
        match (request.method().as_str(), name) {
            ("GET", "") if query.contains_key("list-type") => self.list(&query),
            ("GET" | "HEAD", name) => self.get(request, name),
            ("PUT", name) => self.put_if(request, name),
            ("DELETE", name) if self.objects.remove(name).is_some() => {
                status(StatusCode::NO_CONTENT, Bytes::new())
            }
            ("DELETE", _) => error(StatusCode::NOT_FOUND, "NoSuchKey"),
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn get(&self, request: &Request<Bytes>, name: &str) -> Response<Bytes> {
        let Some(object) = self.objects.get(name) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let (whole, range) = (object.bytes.len(), request.headers().get("range"));
        let mut response = match range.and_then(|range| parse_range(range, whole)) {
            Some((start, end)) => {
                let mut response =
                    status(StatusCode::PARTIAL_CONTENT, object.bytes.slice(start..end));
                let range = format!("bytes {start}-{}/{whole}", end - 1);
                response
                    .headers_mut()
                    .insert("content-range", value(&range));
                response
            }
            None => status(StatusCode::OK, object.bytes.clone()),
        };
        object.describe(response.headers_mut());
        if request.method() == "HEAD" {
            response
                .headers_mut()
                .insert("content-length", whole.into());
            *response.body_mut() = Bytes::new();
        }
        response
    }

    fn put_if(&mut self, request: &Request<Bytes>, name: &str) -> Response<Bytes> {
        let condition = request
            .headers()
            .get(CONDITION)
            .and_then(|v| v.to_str().ok());
        let generation = self.objects.get(name).map_or(0, |object| object.generation);
        if condition.is_some_and(|due| due.parse() != Ok(generation)) {
            return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let kept = request.headers().iter().filter(|(name, _)| {
            name.as_str() == "content-type" || name.as_str().starts_with("x-goog-meta-")
        });
        let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
        let kept: HeaderMap = kept.collect();
        self.put(name, request.body().clone(), kept);
        let mut response = status(StatusCode::OK, Bytes::new());
        self.objects[name].describe(response.headers_mut());
        response
    }

    fn put(&mut self, name: &str, bytes: Bytes, headers: HeaderMap) {
        self.generation += 1;
        let object = Object {
            bytes,
            generation: self.generation,
            written: SystemTime::now(),
            headers,
        };
        self.objects.insert(name.to_owned(), object);
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response<Bytes> {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let limit = text("max-keys").parse().unwrap_or(1_000);
        let after = text("continuation-token").max(text("start-after"));
        let found = self.objects.iter().filter(|(name, _)| {
            name.starts_with(text("prefix")) && (after.is_empty() || name.as_str() > after)
        });
        let mut found: Vec<_> = found.take(limit + 1).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let mut xml = String::from("<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>");
        for (name, object) in &found {
            let written = chrono::DateTime::<chrono::Utc>::from(object.written).to_rfc3339();
            xml += &format!(
                "<Contents><Key>{}</Key><LastModified>{written}</LastModified><ETag>\"{}\"</ETag><Size>{}</Size></Contents>",
                name.replace('&', "&amp;").replace('<', "&lt;"),
                object.generation,
                object.bytes.len(),
            );
        }
        if let (true, Some((last, _))) = (more, found.last()) {
            xml += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        xml += &format!("<IsTruncated>{more}</IsTruncated></ListBucketResult>");
        status(StatusCode::OK, xml.into())
    }
}

impl Object {
    fn describe(&self, headers: &mut HeaderMap) {
        headers.extend(self.headers.clone());
        let generation = self.generation.to_string();
        headers.insert("etag", value(&format!("\"{generation}\"")));
        headers.insert("x-goog-generation", value(&generation));
        let written = httpdate::fmt_http_date(self.written);
        headers.insert(HeaderName::from_static("last-modified"), value(&written));
    }
}

/// `bytes=first-last`, cut to what is there.
fn parse_range(range: &HeaderValue, whole: usize) -> Option<(usize, usize)> {
    let (first, last) = range
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first < whole).then(|| (first, (last + 1).min(whole)))
}

fn status(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn error(code: StatusCode, name: &str) -> Response<Bytes> {
    let body = format!("<?xml version='1.0'?><Error><Code>{name}</Code></Error>");
    status(code, body.into())
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("plain text")
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (decode(name), decode(&value.replace('+', " "))));
    pairs.collect()
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next(), bytes.next()].map(|d| d.expect("two digits"));
            let digits = std::str::from_utf8(&digits).expect("ASCII").to_owned();
            out.push(u8::from_str_radix(&digits, 16).expect("hex digits"));
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).expect("UTF-8")
}
