//! What a request asked: kept for its record and its events, since the request itself goes with whoever answers it.

use std::net::SocketAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{FORWARDED, HeaderName, HeaderValue, USER_AGENT, X_FORWARDED_FOR};
#[cfg(feature = "sentry")]
use actix_web::http::header::{HOST, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use actix_web::http::{Method, Uri};

use crate::pipeline::Pipeline;

#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub peer: Option<SocketAddr>,
    /// Those that a sink may want.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Scheme and host, where they are not the plain `http` and what the header `host` says.
    #[cfg(feature = "sentry")]
    origin: Option<String>,
}

impl Asked {
    /// As found: each header shares its bytes with the request, and none is read before there is something to tell.
    pub fn of(request: &ServiceRequest, pipeline: &Pipeline) -> Self {
        let mut asked = Self { method: request.method().clone(), ..Self::default() };
        if pipeline.policy.is_silent() {
            return asked;
        }
        (asked.uri, asked.peer) = (request.uri().clone(), request.peer_addr());
        let headers = request.headers();
        if !pipeline.policy.has_sentry() {
            let of_record = [USER_AGENT, FORWARDED, X_FORWARDED_FOR];
            let found =
                of_record.iter().flat_map(|name| headers.get_all(name).map(|value| (name.clone(), value.clone())));
            asked.headers = found.collect();
            return asked;
        }
        asked.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        #[cfg(feature = "sentry")]
        if !headers.contains_key(HOST)
            || [FORWARDED, X_FORWARDED_HOST, X_FORWARDED_PROTO].iter().any(|name| headers.contains_key(name))
        {
            let connection = request.connection_info();
            asked.origin = Some(format!("{}://{}", connection.scheme(), connection.host()));
        }
        asked
    }

    #[cfg(feature = "sentry")]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The values of a header as texts, those that are none left out.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &str> + use<'_> {
        let name = name.clone();
        self.headers.iter().filter(move |(own, _)| *own == name).filter_map(|(_, value)| value.to_str().ok())
    }

    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The whole URL, as the client had it when what proxies say is true.
    #[cfg(feature = "sentry")]
    pub fn url(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{origin}{}", self.uri),
            None => format!("http://{}{}", self.all(&HOST).next().unwrap_or_default(), self.uri),
        }
    }
}
