//! Fakes of other blueprints.

use std::collections::HashMap;

use actix_web::web::ServiceConfig;

use crate::blueprint::resources::Resources;
use crate::blueprint::{Blueprint, LifecycleFuture};
use crate::handler::auth::{Authentication, Authenticator, Identity};

pub(super) struct FakeBlueprint<P> {
    name: &'static str,
    prefix: String,
    provide: P,
}

impl<P> FakeBlueprint<P> {
    pub(super) fn new(name: &'static str, provide: P) -> Self {
        Self { name, prefix: format!("/{name}"), provide }
    }
}

impl<P: Fn(&Resources) + Send + Sync + 'static> Blueprint for FakeBlueprint<P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn routes(&self, _: &mut ServiceConfig) {}

    fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
        (self.provide)(resources);
        Box::pin(async { Ok(()) })
    }
}

/// An [`Authenticator`] with fixed tokens, each mapped to a user; an id alone means a member.
///
/// ```
/// # use cyanotype::auth::Authenticator;
/// # use cyanotype::{Blueprint, test};
/// # use std::sync::Arc;
/// # use uuid::Uuid;
/// # fn example(orders: impl Blueprint) -> test::TestServiceBuilder {
/// let ada = Uuid::from_u128(1);
/// test::serve(orders).fake("users", move |resources| {
///     resources.provide::<dyn Authenticator>(Arc::new(test::Tokens::from([("token-of-ada", ada)])));
/// })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tokens(HashMap<String, Identity>);

impl<const N: usize, I: Into<Identity>> From<[(&str, I); N]> for Tokens {
    fn from(tokens: [(&str, I); N]) -> Self {
        Self(tokens.into_iter().map(|(token, user)| (token.to_owned(), user.into())).collect())
    }
}

impl Authenticator for Tokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(async move { Ok(self.0.get(token).copied()) })
    }
}
