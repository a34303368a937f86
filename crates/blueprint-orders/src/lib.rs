//! The orders blueprint: what a caller has ordered, and what has become of it.
//!
//! | route | answers |
//! | --- | --- |
//! | `POST /orders` | 201: a new order, placed |
//! | `GET /orders` | 200: a page of the caller's orders, newest first; for admins, of all users with `everyone=true` |
//! | `GET /orders/{id}` | 200: an order |
//! | `POST /orders/{id}/pay` | 200: the order, now paid |
//! | `POST /orders/{id}/ship` | 200: the order, now shipped; for admins |
//! | `POST /orders/{id}/cancel` | 200: the order, now cancelled |
//!
//! Whose they are is asked of the users blueprint, in this process or, with `blueprints.orders.users_url`, in another one.
//! All need a bearer token, and show its owner's orders alone: another's order is a 404, so that its existence stays private.
//! An admin reads, ships and cancels those of all users. What changes something takes an `Idempotency-Key`, and `If-Match`
//! where there is an order already; an order carries an `etag`, and is read again with `If-None-Match`.
//!
//! An order outlasts its user: what was sold stays in the books. Of the user it holds the id alone, which then leads nowhere;
//! admins go on with it, or cancel it. Prices are the client's own in this example: a shop must look them up.
//! Which move is possible when stands in `state.rs`.

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
use cyanotype::{Blueprint, Dependency, Migrations, Resources, Task};
use utoipa::openapi::OpenApi;

use crate::settings::OrdersSettings;

cyanotype::embed_migrations!();

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

    fn start<'a>(&'a self, resources: &'a Resources) -> Task<'a> {
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
