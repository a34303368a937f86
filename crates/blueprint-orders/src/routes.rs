//! The handlers, one a route.

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use blueprint_users::UserDirectory;
use cyanotype::auth::{Admin, Authenticated, Caller};
use cyanotype::conditional::{self, IfMatch, IfNoneMatch};
use cyanotype::extract::{Json, Path, Query};
use cyanotype::idempotency::Idempotent;
use cyanotype::paging::{CreatedRange, Page, Paging};
use cyanotype::{Breadcrumb, Database, PROBLEM_JSON, Problem, Result, add_breadcrumb};
use tracing::{info, warn};
use uuid::Uuid;

use crate::PREFIX;
use crate::model::{Filter, NewOrder, Order, total_cents};
use crate::state::{Move, Status, next, outlook};
use crate::store::{self, Of};

// One resource a path, with all its methods: actix then answers a wrong method with 405 and what it allows.
pub(crate) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::post().to(place)).route(web::get().to(list)))
        .service(web::resource("/{id}").route(web::get().to(read)))
        .service(web::resource("/{id}/pay").route(web::post().to(pay)))
        .service(web::resource("/{id}/ship").route(web::post().to(ship)))
        .service(web::resource("/{id}/cancel").route(web::post().to(cancel)));
}

/// Places an order.
///
/// Its total is the sum of its lines. Send an `idempotency-key`, so that a retry does not place a second order.
#[utoipa::path(
    post,
    path = "/orders",
    operation_id = "place_order",
    params(Idempotent),
    request_body = NewOrder,
    security(("bearer" = [])),
    responses(
        (status = 201, description = "The order, placed", body = Order, headers(("etag" = String), ("location" = String))),
        (status = 409, description = "The user is gone, or a request with this key is in progress",
            body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn place(
    Authenticated(caller, Json(new)): Authenticated<Json<NewOrder>>,
    users: Data<dyn UserDirectory>,
    once: Idempotent,
) -> Result {
    // Whose token is good may be known for a while longer than its user is there.
    if !users.exists(&caller, caller.id).await? {
        return Err(Problem::conflict("the user who asks for this order is not there any more"));
    }
    let total = total_cents(&new.lines)
        .ok_or_else(|| Problem::invalid_field("lines", "cost more together than can be counted"))?;
    let user = caller.id;
    once.run(&caller, async move |transaction| {
        add_breadcrumb(
            Breadcrumb::new("writes an order")
                .category("orders")
                .data("lines", new.lines.len())
                .data("total_cents", total),
        );
        let order = store::insert(transaction, user, new.lines, total).await?;
        info!(order_id = %order.id, user_id = %user, total_cents = total, "order placed");
        let place = (LOCATION, format!("{PREFIX}/{}", order.id));
        Ok(HttpResponse::Created().insert_header(place).insert_header(order.tag()).json(order))
    })
    .await
}

/// Lists orders.
///
/// The caller's or, for admins, those of all users; newest first, one page at a time.
#[utoipa::path(
    get,
    path = "/orders",
    operation_id = "list_orders",
    params(Filter, CreatedRange, Paging),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of orders", body = Page<Order>, headers(("link" = String))),
        (status = 403, description = "Only admins list the orders of everyone", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn list(
    caller: Caller,
    database: Database,
    request: HttpRequest,
    Query(filter): Query<Filter>,
    Query(created): Query<CreatedRange>,
    Query(paging): Query<Paging>,
) -> Result {
    if filter.everyone && !caller.is_admin() {
        return Err(Problem::forbidden("only admins list the orders of everyone"));
    }
    let of = if filter.everyone { Of(None) } else { Of::from(caller.id) };
    let wanted = (filter.status, &created);
    let orders = store::list(&database, of, wanted, &paging).await?;
    let total = paging.count(store::count(&database, of, wanted)).await?;
    Ok(paging.respond(&request, orders, total, |order| order.id))
}

/// Returns an order.
///
/// The caller's or, for admins, anyone's. With `if-none-match` only when the order has changed.
#[utoipa::path(
    get,
    path = "/orders/{id}",
    operation_id = "get_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfNoneMatch),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The order", body = Order, headers(("etag" = String))),
        (status = 304, description = "The client's copy is current"),
        (status = 404, description = "There is no such order", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn read(caller: Caller, database: Database, Path(id): Path<Uuid>, known: IfNoneMatch) -> Result {
    let order = store::find(&database, Of::seen_by(&caller), id).await?.ok_or_else(unknown)?;
    Ok(known.respond(order.tag(), order))
}

/// Pays an order.
///
/// The order must be placed, and the caller's.
#[utoipa::path(
    post,
    path = "/orders/{id}/pay",
    operation_id = "pay_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfMatch, Idempotent),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The order, now paid", body = Order, headers(("etag" = String))),
        (status = 404, description = "There is no such order", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "The order's status does not allow it", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "It has changed since it was read", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn pay(caller: Caller, Path(id): Path<Uuid>, wanted: IfMatch, once: Idempotent) -> Result {
    let of = Of::from(caller.id);
    advance(once, caller, (of, id, wanted), Move::Pay).await
}

/// Ships an order.
///
/// The order must be paid; it may be any user's. For admins.
#[utoipa::path(
    post,
    path = "/orders/{id}/ship",
    operation_id = "ship_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfMatch, Idempotent),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The order, now shipped", body = Order, headers(("etag" = String))),
        (status = 403, description = "The caller is not an admin", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "There is no such order", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "The order's status does not allow it", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "It has changed since it was read", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn ship(Admin(caller): Admin, Path(id): Path<Uuid>, wanted: IfMatch, once: Idempotent) -> Result {
    advance(once, caller, (Of(None), id, wanted), Move::Ship).await
}

/// Cancels an order.
///
/// The caller's or, for admins, anyone's. It must be placed or paid, and not shipped yet.
#[utoipa::path(
    post,
    path = "/orders/{id}/cancel",
    operation_id = "cancel_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfMatch, Idempotent),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The order, now cancelled", body = Order, headers(("etag" = String))),
        (status = 404, description = "There is no such order", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "The order's status does not allow it", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "It has changed since it was read", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn cancel(caller: Caller, Path(id): Path<Uuid>, wanted: IfMatch, once: Idempotent) -> Result {
    let of = Of::seen_by(&caller);
    advance(once, caller, (of, id, wanted), Move::Cancel).await
}

async fn advance(once: Idempotent, caller: Caller, (of, id, wanted): (Of, Uuid, IfMatch), by: Move) -> Result {
    let user = caller.id;
    once.run(&caller, async move |on| {
        let order = store::find(&mut *on, of, id).await?.ok_or_else(unknown)?;
        wanted.check(&order.tag())?;
        let from = order.status;
        let Some(to) = next(from, by) else { return Err(refused(id, by, from)) };
        add_breadcrumb(
            Breadcrumb::new("moves an order").category("orders").data("from", from.as_str()).data("to", to.as_str()),
        );
        let Some(order) = store::advance(&mut *on, order, to).await? else {
            // Another request was faster. Even when the move is still possible it is not what the client has decided on.
            let now = store::find(&mut *on, of, id).await?.ok_or_else(unknown)?.status;
            return Err(if wanted.is_present() { conditional::precondition_failed() } else { refused(id, by, now) });
        };
        info!(order_id = %id, user_id = %user, %from, %to, "order moved");
        Ok(HttpResponse::Ok().insert_header(order.tag()).json(order))
    })
    .await
}

fn refused(id: Uuid, by: Move, status: Status) -> Problem {
    warn!(order_id = %id, %status, wanted = by.as_str(), "order not moved");
    Problem::conflict(format!("this order cannot take the move {}: {}", by.as_str(), outlook(status)))
}

/// Another's order is as unknown as one that is not there.
fn unknown() -> Problem {
    Problem::not_found("order")
}
