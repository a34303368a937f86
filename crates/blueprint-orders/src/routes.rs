//! The request handlers. Every handler requires a valid bearer token; without one the response is 401.

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
use crate::state::{Action, Status, rejection, status_after};
use crate::store::{self, OwnerFilter};

// One resource per path with all its methods, so that actix-web answers any other method with 405 and an `allow` header.
pub(crate) fn configure(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::post().to(place)).route(web::get().to(list)))
        .service(web::resource("/{id}").route(web::get().to(get)))
        .service(web::resource("/{id}/pay").route(web::post().to(pay)))
        .service(web::resource("/{id}/ship").route(web::post().to(ship)))
        .service(web::resource("/{id}/cancel").route(web::post().to(cancel)));
}

/// Place an order
///
/// The total is calculated from the lines. With an `idempotency-key`, a retry does not place a second order.
#[utoipa::path(
    post,
    path = "/orders",
    operation_id = "place_order",
    params(Idempotent),
    request_body = NewOrder,
    security(("bearer" = [])),
    responses(
        (status = 201, description = "The new order", body = Order, headers(("etag" = String), ("location" = String))),
        (status = 409, description = "The user has been deleted, or a request with this key is in progress",
            body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn place(
    Authenticated(caller, Json(new)): Authenticated<Json<NewOrder>>,
    users: Data<dyn UserDirectory>,
    idempotent: Idempotent,
) -> Result {
    // The token may have been verified just before its user was deleted.
    if !users.exists(&caller, caller.id).await? {
        return Err(Problem::conflict("the user who places this order has been deleted"));
    }
    let total =
        total_cents(&new.lines).ok_or_else(|| Problem::invalid_field("lines", "the total price is too large"))?;
    let user_id = caller.id;
    idempotent
        .run(&caller, async move |transaction| {
            add_breadcrumb(
                Breadcrumb::new("inserting an order")
                    .category("orders")
                    .data("lines", new.lines.len())
                    .data("total_cents", total),
            );
            let order = store::insert(transaction, user_id, new.lines, total).await?;
            info!(order_id = %order.id, %user_id, total_cents = total, "order placed");
            let location = (LOCATION, format!("{PREFIX}/{}", order.id));
            Ok(HttpResponse::Created().insert_header(location).insert_header(order.etag()).json(order))
        })
        .await
}

/// List orders
///
/// Returns the caller's orders; admins can list those of all users with `everyone=true`. The orders are sorted by creation
/// time, newest first, and returned one page at a time.
#[utoipa::path(
    get,
    path = "/orders",
    operation_id = "list_orders",
    params(Filter, CreatedRange, Paging),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of orders", body = Page<Order>, headers(("link" = String))),
        (status = 403, description = "`everyone=true` requires the admin role", body = Problem, content_type = PROBLEM_JSON),
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
        return Err(Problem::forbidden("`everyone=true` requires the admin role"));
    }
    let owner = if filter.everyone { OwnerFilter(None) } else { OwnerFilter::from(caller.id) };
    let filters = (filter.status, &created);
    let orders = store::list(&database, owner, filters, &paging).await?;
    let total = paging.count(store::count(&database, owner, filters)).await?;
    Ok(paging.respond(&request, orders, total, |order| order.id))
}

/// Get an order
///
/// Admins can get the orders of all users. With `if-none-match`, the response is 304 without a body when the order has not
/// changed.
#[utoipa::path(
    get,
    path = "/orders/{id}",
    operation_id = "get_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfNoneMatch),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The order", body = Order, headers(("etag" = String))),
        (status = 304, description = "The order has not changed"),
        (status = 404, description = "The order does not exist or belongs to another user", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn get(
    caller: Caller,
    database: Database,
    Path(id): Path<Uuid>,
    if_none_match: IfNoneMatch,
) -> Result {
    let order = store::find(&database, OwnerFilter::visible_to(&caller), id).await?.ok_or_else(not_found)?;
    Ok(if_none_match.respond(order.etag(), order))
}

/// Pay an order
///
/// The order must belong to the caller and have the status `placed`.
#[utoipa::path(
    post,
    path = "/orders/{id}/pay",
    operation_id = "pay_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfMatch, Idempotent),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The paid order", body = Order, headers(("etag" = String)),
            example = json!(Order::example(Status::Paid))),
        (status = 404, description = "The order does not exist or belongs to another user", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "The order's status does not allow this action, or a request with this key is in progress",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The order does not match `if-match`", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn pay(caller: Caller, Path(id): Path<Uuid>, if_match: IfMatch, idempotent: Idempotent) -> Result {
    let owner = OwnerFilter::from(caller.id);
    change_status(idempotent, caller, owner, id, if_match, Action::Pay).await
}

/// Ship an order
///
/// Requires the admin role. The order may belong to any user and must have the status `paid`.
#[utoipa::path(
    post,
    path = "/orders/{id}/ship",
    operation_id = "ship_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfMatch, Idempotent),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The shipped order", body = Order, headers(("etag" = String)),
            example = json!(Order::example(Status::Shipped))),
        (status = 403, description = "The caller is not an admin", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "The order does not exist", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "The order's status does not allow this action, or a request with this key is in progress",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The order does not match `if-match`", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn ship(
    Admin(caller): Admin,
    Path(id): Path<Uuid>,
    if_match: IfMatch,
    idempotent: Idempotent,
) -> Result {
    change_status(idempotent, caller, OwnerFilter(None), id, if_match, Action::Ship).await
}

/// Cancel an order
///
/// The order must have the status `placed` or `paid`. Admins can cancel the orders of all users.
#[utoipa::path(
    post,
    path = "/orders/{id}/cancel",
    operation_id = "cancel_order",
    params(("id" = Uuid, Path, description = "The order's id"), IfMatch, Idempotent),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The cancelled order", body = Order, headers(("etag" = String)),
            example = json!(Order::example(Status::Cancelled))),
        (status = 404, description = "The order does not exist or belongs to another user", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "The order's status does not allow this action, or a request with this key is in progress",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The order does not match `if-match`", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn cancel(caller: Caller, Path(id): Path<Uuid>, if_match: IfMatch, idempotent: Idempotent) -> Result {
    let owner = OwnerFilter::visible_to(&caller);
    change_status(idempotent, caller, owner, id, if_match, Action::Cancel).await
}

async fn change_status(
    idempotent: Idempotent,
    caller: Caller,
    owner: OwnerFilter,
    id: Uuid,
    if_match: IfMatch,
    action: Action,
) -> Result {
    let user_id = caller.id;
    idempotent
        .run(&caller, async move |transaction| {
            let order = store::find(&mut *transaction, owner, id).await?.ok_or_else(not_found)?;
            if_match.check(&order.etag())?;
            let from = order.status;
            let Some(to) = status_after(from, action) else { return Err(rejected(id, action, from)) };
            add_breadcrumb(
                Breadcrumb::new("changing the status of an order")
                    .category("orders")
                    .data("from", from.as_str())
                    .data("to", to.as_str()),
            );
            let Some(order) = store::set_status(&mut *transaction, order, to).await? else {
                // Another request changed the order first. The action may still be allowed, but the client chose it for the
                // previous status.
                let now = store::find(&mut *transaction, owner, id).await?.ok_or_else(not_found)?.status;
                return Err(if if_match.is_present() {
                    conditional::precondition_failed()
                } else {
                    rejected(id, action, now)
                });
            };
            info!(order_id = %id, %user_id, %from, %to, "order status changed");
            Ok(HttpResponse::Ok().insert_header(order.etag()).json(order))
        })
        .await
}

fn rejected(id: Uuid, action: Action, status: Status) -> Problem {
    warn!(order_id = %id, %status, action = action.as_str(), "order status change rejected");
    Problem::conflict(rejection(status, action))
}

/// 404, also for another user's order, so that its existence stays private.
fn not_found() -> Problem {
    Problem::not_found("order")
}
