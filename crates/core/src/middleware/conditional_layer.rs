//! Middleware that is applied to some requests only, as decided for each request.

use std::marker::PhantomData;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use futures_util::future::{Either, LocalBoxFuture, MapOk};
use futures_util::{FutureExt, TryFutureExt};

/// A middleware that is applied to a request when `is_on` returns true; otherwise only that check costs time.
pub(crate) struct ConditionalLayer<T, F, W, O> {
    pub layer: T,
    pub is_on: F,
    /// Converts the layer's responses to the common response type.
    pub map_applied: W,
    /// Converts the responses of requests that skip the layer to the common response type.
    pub map_skipped: O,
}

pub(crate) struct ConditionalService<S, L, F, W, O, R> {
    inner: Rc<S>,
    layer: L,
    is_on: F,
    map_applied: W,
    map_skipped: O,
    response: PhantomData<R>,
}

impl<S, T, F, W, O, B, D, R> Transform<S, ServiceRequest> for ConditionalLayer<T, F, W, O>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    T: Transform<Rc<S>, ServiceRequest, Response = ServiceResponse<D>, Error = Error, InitError = ()>,
    T::Transform: 'static,
    T::Future: 'static,
    <T::Transform as Service<ServiceRequest>>::Future: 'static,
    F: Fn() -> bool + Clone + 'static,
    W: Fn(ServiceResponse<D>) -> ServiceResponse<R> + Copy + 'static,
    O: Fn(ServiceResponse<B>) -> ServiceResponse<R> + Copy + 'static,
    R: 'static,
{
    type Response = ServiceResponse<R>;
    type Error = Error;
    type Transform = ConditionalService<S, T::Transform, F, W, O, R>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let (inner, is_on, map_applied, map_skipped) =
            (Rc::new(inner), self.is_on.clone(), self.map_applied, self.map_skipped);
        let layer = self.layer.new_transform(Rc::clone(&inner));
        let service =
            move |layer| ConditionalService { inner, layer, is_on, map_applied, map_skipped, response: PhantomData };
        layer.map_ok(service).boxed_local()
    }
}

impl<S, L, F, W, O, B, D, R> Service<ServiceRequest> for ConditionalService<S, L, F, W, O, R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    L: Service<ServiceRequest, Response = ServiceResponse<D>, Error = Error>,
    L::Future: 'static,
    F: Fn() -> bool,
    W: Fn(ServiceResponse<D>) -> ServiceResponse<R> + Copy + 'static,
    O: Fn(ServiceResponse<B>) -> ServiceResponse<R> + Copy,
    R: 'static,
{
    type Response = ServiceResponse<R>;
    type Error = Error;
    type Future = Either<MapOk<S::Future, O>, LocalBoxFuture<'static, Result<ServiceResponse<R>, Error>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.layer.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if (self.is_on)() {
            Either::Right(self.layer.call(request).map_ok(self.map_applied).boxed_local())
        } else {
            Either::Left(self.inner.call(request).map_ok(self.map_skipped))
        }
    }
}
