//! The orders blueprint: what a caller has ordered, and what has become of it.
//!
//! | route | answers |
//! | --- | --- |
//! | `POST /orders` | 201: a new order, placed |
//! | `GET /orders` | 200: a page of the caller's orders, of one status if asked so |
//! | `GET /orders/{id}` | 200: an order |
//! | `POST /orders/{id}/pay` | 200: the order, now paid |
//! | `POST /orders/{id}/ship` | 200: the order, now shipped |
//! | `POST /orders/{id}/cancel` | 200: the order, now cancelled |
//!
//! All ask for a bearer token, and show its owner's orders alone: another's order is a 404, so that nobody learns of it.
//! What changes something takes an `Idempotency-Key`; an order carries an `etag`, and is read again with `If-None-Match`.
//! Which move is possible when stands in `state.rs`.

mod model;
mod routes;
mod state;
mod store;

use actix_web::web::ServiceConfig;
use cyanotype::Blueprint;
use sqlx::migrate::Migrator;

const PREFIX: &str = "/orders";

/// The blueprint. It keeps nothing itself: all that lasts is in the database.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders;

impl Blueprint for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn prefix(&self) -> &str {
        PREFIX
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        routes::register(scope);
    }

    fn migrations(&self) -> Option<Migrator> {
        Some(sqlx::migrate!())
    }
}
