//! Layers that requests pass or not, as it is decided for each of them.

use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use futures_util::future::{Either, LocalBoxFuture, MapOk};
use futures_util::{FutureExt, TryFutureExt};

/// A layer that a request passes while `is_on` says so; without it a request pays for the question alone.
pub(crate) struct Switched<T, F, B, D, R> {
    pub layer: T,
    pub is_on: F,
    /// Makes the layer's responses what all responses are.
    pub with: Same<D, R>,
    /// Makes the responses of requests that did not pass it what all responses are.
    pub without: Same<B, R>,
}

type Same<B, R> = fn(ServiceResponse<B>) -> ServiceResponse<R>;

pub(crate) struct SwitchedService<S, L, F, B, D, R> {
    inner: Rc<S>,
    layer: L,
    is_on: F,
    with: Same<D, R>,
    without: Same<B, R>,
}

impl<S, T, F, B, D, R> Transform<S, ServiceRequest> for Switched<T, F, B, D, R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    T: Transform<Rc<S>, ServiceRequest, Response = ServiceResponse<D>, Error = Error, InitError = ()>,
    T::Transform: 'static,
    T::Future: 'static,
    <T::Transform as Service<ServiceRequest>>::Future: 'static,
    F: Fn() -> bool + Clone + 'static,
    B: 'static,
    D: 'static,
    R: 'static,
{
    type Response = ServiceResponse<R>;
    type Error = Error;
    type Transform = SwitchedService<S, T::Transform, F, B, D, R>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let (inner, is_on, with, without) = (Rc::new(inner), self.is_on.clone(), self.with, self.without);
        let layer = self.layer.new_transform(Rc::clone(&inner));
        layer.map_ok(move |layer| SwitchedService { inner, layer, is_on, with, without }).boxed_local()
    }
}

impl<S, L, F, B, D, R> Service<ServiceRequest> for SwitchedService<S, L, F, B, D, R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    L: Service<ServiceRequest, Response = ServiceResponse<D>, Error = Error>,
    L::Future: 'static,
    F: Fn() -> bool,
    B: 'static,
    D: 'static,
    R: 'static,
{
    type Response = ServiceResponse<R>;
    type Error = Error;
    type Future = Either<MapOk<S::Future, Same<B, R>>, LocalBoxFuture<'static, Result<ServiceResponse<R>, Error>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.layer.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if (self.is_on)() {
            Either::Right(self.layer.call(request).map_ok(self.with).boxed_local())
        } else {
            Either::Left(self.inner.call(request).map_ok(self.without))
        }
    }
}
