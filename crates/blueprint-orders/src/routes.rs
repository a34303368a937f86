//! The handlers, one a route.

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use blueprint_users::Directory;
use cyanotype::auth::{By, Caller};
use cyanotype::extract::{Json, Path, Query};
use cyanotype::paging::Paging;
use cyanotype::{Breadcrumb, Problem, Result, add_breadcrumb};
use tracing::{info, warn};
use uuid::Uuid;

use crate::PREFIX;
use crate::model::{Filter, NewOrder, total_cents};
use crate::state::{Move, Status, next, outlook};
use crate::store::Store;

// One resource a path, with all its methods: actix then answers a wrong method with 405 and what it allows.
pub(crate) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::post().to(place)).route(web::get().to(list)))
        .service(web::resource("/{id}").route(web::get().to(read)))
        .service(web::resource("/{id}/pay").route(web::post().to(pay)))
        .service(web::resource("/{id}/ship").route(web::post().to(ship)))
        .service(web::resource("/{id}/cancel").route(web::post().to(cancel)));
}

async fn place(By(caller, Json(new)): By<Json<NewOrder>>, store: Store, users: Data<dyn Directory>) -> Result {
    // Whose token is good may be known for a while longer than its user is there.
    if !users.exists(&caller, caller.id).await? {
        return Err(Problem::conflict("the user who asks for this order is not there any more"));
    }
    let total = total_cents(&new.lines)
        .ok_or_else(|| Problem::invalid_field("lines", "cost more together than can be counted"))?;
    add_breadcrumb(
        Breadcrumb::new("writes an order").category("orders").data("lines", new.lines.len()).data("total_cents", total),
    );
    let order = store.insert(caller.id, new.lines, total).await?;
    info!(order_id = %order.id, user_id = %caller.id, total_cents = total, "order placed");
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("{PREFIX}/{}", order.id))).json(order))
}

async fn list(
    caller: Caller,
    store: Store,
    request: HttpRequest,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result {
    let orders = store.list(caller.id, &filter, &paging).await?;
    Ok(paging.answer(&request, orders, |order| order.id))
}

async fn read(caller: Caller, store: Store, Path(id): Path<Uuid>) -> Result {
    let order = store.find(caller.id, id).await?.ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(order))
}

async fn pay(caller: Caller, store: Store, Path(id): Path<Uuid>) -> Result {
    advance(&caller, &store, id, Move::Pay).await
}

async fn ship(caller: Caller, store: Store, Path(id): Path<Uuid>) -> Result {
    advance(&caller, &store, id, Move::Ship).await
}

async fn cancel(caller: Caller, store: Store, Path(id): Path<Uuid>) -> Result {
    advance(&caller, &store, id, Move::Cancel).await
}

async fn advance(caller: &Caller, store: &Store, id: Uuid, by: Move) -> Result {
    let from = store.find(caller.id, id).await?.ok_or_else(unknown)?.status;
    let Some(to) = next(from, by) else { return Err(refused(id, by, from)) };
    add_breadcrumb(
        Breadcrumb::new("moves an order").category("orders").data("from", from.as_str()).data("to", to.as_str()),
    );
    let Some(order) = store.advance(caller.id, id, (from, to)).await? else {
        // Somebody was faster. Even when the move is still possible it is not what the client has decided on.
        let now = store.find(caller.id, id).await?.ok_or_else(unknown)?.status;
        return Err(refused(id, by, now));
    };
    info!(order_id = %id, user_id = %caller.id, %from, %to, "order moved");
    Ok(HttpResponse::Ok().json(order))
}

fn refused(id: Uuid, by: Move, status: Status) -> Problem {
    warn!(order_id = %id, %status, wanted = by.as_str(), "order not moved");
    Problem::conflict(format!("this order cannot take the move {}: {}", by.as_str(), outlook(status)))
}

/// Another's order is as unknown as one that is not there.
fn unknown() -> Problem {
    Problem::not_found("order")
}
