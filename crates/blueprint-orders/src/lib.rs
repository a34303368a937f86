//! The orders blueprint: users place, pay and cancel orders, and admins ship them.
//!
//! | route | response |
//! | --- | --- |
//! | `POST /orders` | 201 with the new order |
//! | `GET /orders` | 200 with a page of the caller's orders; admins list those of all users with `everyone=true` |
//! | `GET /orders/{id}` | 200 with the order; 304 when it still matches `if-none-match` |
//! | `POST /orders/{id}/pay` | 200 with the paid order |
//! | `POST /orders/{id}/ship` | 200 with the shipped order; admins only |
//! | `POST /orders/{id}/cancel` | 200 with the cancelled order |
//!
//! All routes require a bearer token and are limited to the caller's orders: a request for another user's order gets 404,
//! so that its existence stays private. Admins can also read, ship and cancel the orders of all users. Tokens are verified
//! by the users blueprint, in this process or in the one at `blueprints.orders.users_url`. `POST` requests accept an
//! `idempotency-key`, and those that change an order accept `if-match`. The allowed status changes are in `state.rs`.
//!
//! Orders are retained after their user is deleted: they keep the user's id, and admins can ship or cancel them. In this
//! example the client sets the prices; a real shop must look them up.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

mod api;
mod model;
mod routes;
mod settings;
mod state;
mod store;

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use blueprint_users::{RemoteUsers, UserDirectory};
use cyanotype::auth::Authenticator;
use cyanotype::settings::BlueprintSettings;
use cyanotype::{Blueprint, Dependency, LifecycleFuture, Migrations, Resources};
use utoipa::openapi::OpenApi;

use crate::settings::OrdersSettings;

cyanotype::embed_migrations!();

const PREFIX: &str = "/orders";

/// The blueprint. It has no state of its own: all data is in the database.
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
        routes::configure(scope);
    }

    fn api(&self) -> OpenApi {
        api::document()
    }

    fn migrations(&self) -> Option<Migrations> {
        Some(migrations())
    }

    fn settings(&self) -> BlueprintSettings {
        BlueprintSettings::of::<OrdersSettings>()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::on("users").or_setting("users_url")]
    }

    fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async move {
            let settings: OrdersSettings = resources.settings()?;
            if let Some(url) = &settings.users_url {
                let users = Arc::new(RemoteUsers::new(url, settings.users_timeout(), settings.users_retries));
                resources.provide::<dyn Authenticator>(Arc::clone(&users) as _);
                resources.provide::<dyn UserDirectory>(users);
            }
            Ok(())
        })
    }
}
