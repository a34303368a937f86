//! Middleware that the settings can disable without run-time cost.

use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use futures_util::future::{Either, LocalBoxFuture};
use futures_util::{FutureExt, TryFutureExt};

/// A middleware, or none. actix-web's `Condition` changes the body and future types even when it is disabled, and every outer
/// layer moves them.
pub(crate) struct OptionalLayer<T, B, D> {
    pub layer: Option<T>,
    /// Converts the layer's responses to the type of responses without it.
    pub map_response: fn(ServiceResponse<D>) -> ServiceResponse<B>,
}

pub(crate) enum OptionalService<S, L, B, D> {
    Without(S),
    With(L, fn(ServiceResponse<D>) -> ServiceResponse<B>),
}

impl<S, T, B, D> Transform<S, ServiceRequest> for OptionalLayer<T, B, D>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    T: Transform<S, ServiceRequest, Response = ServiceResponse<D>, Error = Error, InitError = ()>,
    T::Transform: 'static,
    T::Future: 'static,
    <T::Transform as Service<ServiceRequest>>::Future: 'static,
    B: 'static,
    D: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = OptionalService<S, T::Transform, B, D>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let map_response = self.map_response;
        match &self.layer {
            None => std::future::ready(Ok(OptionalService::Without(inner))).boxed_local(),
            Some(layer) => {
                layer.new_transform(inner).map_ok(move |layer| OptionalService::With(layer, map_response)).boxed_local()
            }
        }
    }
}

impl<S, L, B, D> Service<ServiceRequest> for OptionalService<S, L, B, D>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    L: Service<ServiceRequest, Response = ServiceResponse<D>, Error = Error>,
    L::Future: 'static,
    B: 'static,
    D: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Either<S::Future, LocalBoxFuture<'static, Result<ServiceResponse<B>, Error>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self {
            Self::Without(inner) => inner.poll_ready(cx),
            Self::With(layer, _) => layer.poll_ready(cx),
        }
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match self {
            Self::Without(inner) => Either::Left(inner.call(request)),
            Self::With(layer, map_response) => Either::Right(layer.call(request).map_ok(*map_response).boxed_local()),
        }
    }
}
