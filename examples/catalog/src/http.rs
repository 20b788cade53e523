//! The catalogue over HTTP.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use larder::detect_async;

use crate::catalog::Catalog;
use crate::database::{Changes, Failure, Product};

/// Where the answer came from, for example `fresh; tier=memory; age=12` (seconds).
pub const FROM: &str = "x-cache";

/// All routes:
///
/// | | |
/// |---|---|
/// | `GET /products/{id}` | one product |
/// | `PUT /products/{id}` | changes it |
/// | `DELETE /products/{id}` | removes it |
/// | `POST /products` | adds one |
/// | `DELETE /products` | removes all |
/// | `GET /categories/{category}` | the products of a category |
/// | `GET /health` | whether the store answers |
pub fn router(catalog: Catalog) -> Router {
    let all = axum::routing::post(create).delete(clear);
    Router::new()
        .route("/products", all)
        .route("/products/{id}", get(read).put(update).delete(delete))
        .route("/categories/{category}", get(list))
        .route("/health", get(health))
        .with_state(catalog)
}

async fn read(State(catalog): State<Catalog>, Path(id): Path<String>) -> Response {
    told(catalog.get(&id), |product| found(product, &id)).await
}

async fn list(State(catalog): State<Catalog>, Path(category): Path<String>) -> Response {
    told(catalog.list(&category), |products| {
        Json(products).into_response()
    })
    .await
}

async fn create(State(catalog): State<Catalog>, Json(product): Json<Product>) -> Response {
    let made = |product| (StatusCode::CREATED, Json(product)).into_response();
    told(catalog.create(product), made).await
}

async fn update(
    State(catalog): State<Catalog>,
    Path(id): Path<String>,
    Json(changes): Json<Changes>,
) -> Response {
    told(catalog.update(&id, changes), |product| found(product, &id)).await
}

async fn delete(State(catalog): State<Catalog>, Path(id): Path<String>) -> Response {
    let gone = |there| match there {
        true => StatusCode::NO_CONTENT.into_response(),
        false => missing(&id),
    };
    told(catalog.delete(&id), gone).await
}

async fn clear(State(catalog): State<Catalog>) -> Response {
    told(catalog.clear(), |()| StatusCode::NO_CONTENT.into_response()).await
}

async fn health(State(catalog): State<Catalog>) -> Response {
    match catalog.cache().ping().await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Answers, and says in a header where the answer came from.
async fn told<T>(
    call: impl Future<Output = Result<T, Failure>>,
    answer: impl FnOnce(T) -> Response,
) -> Response {
    let (result, detected) = detect_async(call).await;
    let mut response = match result {
        Ok(value) => answer(value),
        Err(failure @ Failure::Taken(_)) => {
            (StatusCode::CONFLICT, failure.to_string()).into_response()
        }
        Err(failure) => (StatusCode::BAD_GATEWAY, failure.to_string()).into_response(),
    };
    if let Some(read) = detected.reads.first() {
        let mut from = format!("{:?}", read.source).to_lowercase();
        if let Some(tier) = &read.tier {
            from += &format!("; tier={tier}");
        }
        if let Some(age) = read.age {
            from += &format!("; age={}", age.as_secs());
        }
        note(response.headers_mut(), &from);
    }
    response
}

fn note(headers: &mut HeaderMap, from: &str) {
    if let Ok(value) = HeaderValue::from_str(from) {
        headers.insert(FROM, value);
    }
    // What is cached here is not to be cached again on the way: nobody could tell it to forget.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn found(product: Option<Product>, id: &str) -> Response {
    match product {
        Some(product) => Json(product).into_response(),
        None => missing(id),
    }
}

fn missing(id: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("there is no product `{id}`")).into_response()
}
