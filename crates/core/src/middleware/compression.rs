//! Compresses responses for clients that accept it; other requests bypass the compressor.

use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::HttpMessage;
use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, ContentEncoding, Encoding};
use actix_web::middleware::Compress;
use futures_util::future::{Either, LocalBoxFuture, MapOk};
use futures_util::{FutureExt, TryFutureExt};

/// A wrapper of actix-web's `Compress`. `Compress` alone changes the body type even of uncompressed responses; that type is
/// large, and every outer layer moves it.
#[derive(Clone, Copy)]
pub(crate) struct Compression {
    pub is_on: bool,
}

/// Whether the client refuses every supported coding, including identity.
pub(super) fn accepts_no_coding(request: &ServiceRequest) -> bool {
    const CODINGS: [Encoding; 5] =
        [Encoding::identity(), Encoding::brotli(), Encoding::gzip(), Encoding::deflate(), Encoding::zstd()];
    // Only a weight of zero refuses a coding.
    let header = request.headers().get(ACCEPT_ENCODING);
    if !header.is_some_and(|header| header.as_bytes().windows(2).any(|pair| pair == b"=0")) {
        return false;
    }
    request.get_header::<AcceptEncoding>().is_some_and(|accepted| accepted.negotiate(CODINGS.iter()).is_none())
}

pub(crate) struct CompressionService<S, C> {
    plain: Rc<S>,
    /// The same service behind the compressor.
    compress: C,
    is_on: bool,
}

type CompressedResponse<B> = ServiceResponse<EitherBody<B>>;

impl<S, B> Transform<S, ServiceRequest> for Compression
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = CompressedResponse<B>;
    type Error = Error;
    type Transform = CompressionService<S, <Compress as Transform<UncompressedStreams<S>, ServiceRequest>>::Transform>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let plain = Rc::new(inner);
        let is_on = self.is_on;
        let compress = Compress::default().new_transform(UncompressedStreams(Rc::clone(&plain)));
        async move { Ok(CompressionService { plain, compress: compress.await?, is_on }) }.boxed_local()
    }
}

impl<S, C, B, D> Service<ServiceRequest> for CompressionService<S, C>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    C: Service<ServiceRequest, Response = ServiceResponse<D>, Error = Error>,
    C::Future: 'static,
    B: MessageBody + 'static,
    D: MessageBody + 'static,
{
    type Response = CompressedResponse<B>;
    type Error = Error;
    type Future = Either<
        MapOk<S::Future, fn(ServiceResponse<B>) -> CompressedResponse<B>>,
        LocalBoxFuture<'static, Result<CompressedResponse<B>, Error>>,
    >;

    forward_ready!(plain);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // Unacceptable requests pass: an inner layer refuses them, where the refusal is recorded.
        if !self.is_on || !request.headers().contains_key(ACCEPT_ENCODING) || accepts_no_coding(&request) {
            return Either::Left(self.plain.call(request).map_ok(ServiceResponse::map_into_left_body));
        }
        let boxed = |response: ServiceResponse<D>| response.map_into_boxed_body().map_into_right_body();
        Either::Right(self.compress.call(request).map_ok(boxed).boxed_local())
    }
}

/// The service inside the compressor. It marks streams as uncompressed: the compressor buffers small chunks, but a stream must
/// send each chunk immediately.
pub(crate) struct UncompressedStreams<S>(Rc<S>);

impl<S, B> Service<ServiceRequest> for UncompressedStreams<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = MapOk<S::Future, fn(ServiceResponse<B>) -> ServiceResponse<B>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        self.0.call(request).map_ok(|mut response| {
            let is_stream = response.response().body().size() == BodySize::Stream;
            if is_stream && !response.headers().contains_key(CONTENT_ENCODING) {
                response.headers_mut().insert(CONTENT_ENCODING, ContentEncoding::Identity.to_header_value());
            }
            response
        })
    }
}
