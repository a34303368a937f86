//! The handlers, shared by all data layers.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{NewOrder, Page};
use crate::store::{self, IdempotentRequest, PlaceResult, Store, StoreError};

const JSON: &str = "application/json";
const DEFAULT_LIMIT: u16 = 20;

pub fn routes<S: Store>(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("/orders").route(web::get().to(list::<S>)).route(web::post().to(place::<S>)))
        .service(web::resource("/orders/{id}").route(web::get().to(read::<S>)));
}

async fn read<S: Store>(store: Data<S>, request: HttpRequest, id: Path<Uuid>) -> Result<HttpResponse, StoreError> {
    let Some(user) = caller(&**store, &request).await? else { return Ok(unauthorized()) };
    Ok(match store.find(user, *id).await? {
        Some(order) => HttpResponse::Ok().json(order),
        None => problem(StatusCode::NOT_FOUND, "order not found"),
    })
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<u16>,
    after: Option<Uuid>,
}

async fn list<S: Store>(
    store: Data<S>,
    request: HttpRequest,
    query: Query<ListQuery>,
) -> Result<HttpResponse, StoreError> {
    let Some(user) = caller(&**store, &request).await? else { return Ok(unauthorized()) };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, 100);
    let orders = store.list(user, query.after.unwrap_or(Uuid::nil()), i64::from(limit) + 1).await?;
    Ok(HttpResponse::Ok().json(Page::of(orders, usize::from(limit))))
}

async fn place<S: Store>(store: Data<S>, request: HttpRequest, body: Bytes) -> Result<HttpResponse, StoreError> {
    let Some(user) = caller(&**store, &request).await? else { return Ok(unauthorized()) };
    let new = serde_json::from_slice::<NewOrder>(&body).ok();
    let Some(order) = new.and_then(|new| new.placed(Uuid::now_v7())) else {
        return Ok(problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid order"));
    };
    let location = format!("/orders/{}", order.id);
    let response = serde_json::to_string(&order)?;
    let Some(key) = request.headers().get("idempotency-key") else {
        store.place(user, &order).await?;
        return Ok(created(response, location));
    };
    let idempotent = IdempotentRequest {
        key_hash: store::hash(key.as_bytes()),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        body_hash: store::hash(&body),
        status: 201,
        headers: serde_json::to_string(&[("content-type", JSON), ("location", &location)])?,
        response,
        expires_at: Utc::now() + TimeDelta::hours(24),
    };
    Ok(match store.place_once(user, &order, &idempotent).await? {
        PlaceResult::Placed => created(idempotent.response, location),
        PlaceResult::Replayed(response) => HttpResponse::Created().content_type(JSON).body(response),
        PlaceResult::KeyReused => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, "this idempotency-key was used with another request")
        }
    })
}

fn created(response: String, location: String) -> HttpResponse {
    HttpResponse::Created().insert_header((LOCATION, location)).content_type(JSON).body(response)
}

async fn caller<S: Store>(store: &S, request: &HttpRequest) -> Result<Option<Uuid>, StoreError> {
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match value.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) => store.caller(&store::hash(token.as_bytes())).await,
        None => Ok(None),
    }
}

fn unauthorized() -> HttpResponse {
    problem(StatusCode::UNAUTHORIZED, "invalid or expired token")
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    request_id: Uuid,
}

fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let title = status.canonical_reason().unwrap_or_default();
    let body = Problem { r#type: "about:blank", title, status: status.as_u16(), detail, request_id: Uuid::now_v7() };
    let mut response = HttpResponse::build(status).json(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
