//! An HTTP server in this process: counts what it is asked, and fails in the ways it is told to.

#![allow(dead_code)]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) type Answer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>;
type Body = BoxBody<Bytes, std::io::Error>;

/// How a server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers with this status and does nothing.
    Status(u16),
    /// Does what it is asked and answers with this status all the same.
    Late(u16),
    /// Never answers.
    Hang,
    /// Cuts the connection in the middle of the answer's body.
    Truncate,
    /// Answers something else.
    Garbage,
    /// Answers requests with a condition with this status.
    Conditions(u16),
}

/// A server that runs while this lives.
pub(crate) struct Front {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

struct State {
    handler: Handler,
    asked: Mutex<Vec<String>>,
    ignores_conditions: AtomicBool,
    /// For how many requests more.
    fault: Mutex<Option<(Fault, u32)>>,
}

impl Front {
    pub(crate) fn start(handler: Handler) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for a server");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket for Tokio");
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener).expect("a socket for Tokio");
        drop(entered);
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            handler,
            asked: Mutex::default(),
            ignores_conditions: AtomicBool::new(false),
            fault: Mutex::default(),
        });
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last time, as `METHOD /path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.asked.lock().unwrap())
    }

    /// Fails this many requests.
    pub(crate) fn fail(&self, fault: Fault, times: u32) {
        *self.state.fault.lock().unwrap() = Some((fault, times));
    }

    /// Does what it is asked whatever the condition.
    pub(crate) fn ignore_conditions(&self) {
        self.state.ignores_conditions.store(true, Ordering::SeqCst);
    }

    /// Works again.
    pub(crate) fn heal(&self) {
        *self.state.fault.lock().unwrap() = None;
    }

    /// Closes the port and all connections.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            // A client may go away at any time.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let query = request.uri().query().unwrap_or("");
    let listing = query.contains("list-type");
    let method = if listing {
        "LIST"
    } else {
        request.method().as_str()
    };
    let asked = format!("{method} {}", request.uri().path());
    state.asked.lock().unwrap().push(asked);
    let fault = {
        let mut fault = state.fault.lock().unwrap();
        let now = fault.map(|(fault, _)| fault);
        *fault = fault.and_then(|(fault, times)| (times > 1).then_some((fault, times - 1)));
        now
    };
    let (mut parts, body) = request.into_parts();
    let mut conditional = parts.headers.contains_key("if-match");
    conditional |= parts.headers.contains_key("if-none-match");
    if state.ignores_conditions.load(Ordering::SeqCst) {
        parts.headers.remove("if-match");
        parts.headers.remove("if-none-match");
    }
    let Ok(body) = body.collect().await else {
        return Ok(plain(StatusCode::BAD_REQUEST, Bytes::new()));
    };
    let request = Request::from_parts(parts, body.to_bytes());
    let status = |status: u16| StatusCode::from_u16(status).expect("a status");
    Ok(match fault {
        None => whole((state.handler)(request).await),
        Some(Fault::Conditions(_)) if !conditional => whole((state.handler)(request).await),
        Some(Fault::Status(code) | Fault::Conditions(code)) => {
            plain(status(code), Bytes::from_static(b"injected"))
        }
        Some(Fault::Late(code)) => {
            (state.handler)(request).await;
            plain(status(code), Bytes::from_static(b"injected"))
        }
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            plain(StatusCode::OK, Bytes::new())
        }
        Some(Fault::Garbage) => plain(StatusCode::OK, Bytes::from_static(b"\0\xffno XML <<")),
        Some(Fault::Truncate) => truncated((state.handler)(request).await),
    })
}

fn whole(response: Response<Bytes>) -> Response<Body> {
    response.map(|body| Full::new(body).map_err(|never| match never {}).boxed())
}

fn plain(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    whole(response)
}

/// Says how long the body is, gives half of it and cuts the connection.
fn truncated(response: Response<Bytes>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert("content-length", body.len().into());
    let half = body.slice(..body.len() / 2);
    let frames = [
        Ok(Frame::data(half)),
        Err(std::io::Error::other("injected")),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    Response::from_parts(parts, BodyExt::boxed(body))
}
