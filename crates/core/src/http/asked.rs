//! What a request asked: stored for its record and its events, since the request itself goes with its handler.

use actix_web::dev::ServiceRequest;
#[cfg(feature = "sentry")]
use actix_web::http::header::{HOST, HeaderMap};
use actix_web::http::header::{HeaderName, HeaderValue, USER_AGENT};
use actix_web::http::{Method, Uri};

use super::client_address::{ClientAddress, ClientAddresses};
use crate::pipeline::Pipeline;
use crate::settings::ClientAddressHeader;

#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub client: Option<ClientAddress>,
    /// Where another process of ours reads the client's address.
    pub client_address_header: ClientAddressHeader,
    /// Those that a sink may want.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Scheme and host, where they are not the plain `http` and what the header `host` says.
    #[cfg(feature = "sentry")]
    origin: Option<String>,
}

impl Asked {
    /// As found: each header shares its bytes with the request, and none is read before there is something to tell.
    pub fn of(request: &ServiceRequest, pipeline: &Pipeline, clients: &ClientAddresses) -> Self {
        let headers = request.headers();
        let mut asked = Self {
            method: request.method().clone(),
            client: clients.of(request.peer_addr(), headers),
            client_address_header: clients.header,
            ..Self::default()
        };
        if pipeline.policy.is_silent() {
            return asked;
        }
        asked.uri = request.uri().clone();
        if !pipeline.policy.has_sentry() {
            asked.headers = headers.get_all(USER_AGENT).map(|value| (USER_AGENT, value.clone())).collect();
            return asked;
        }
        asked.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        #[cfg(feature = "sentry")]
        {
            asked.origin = origin(request, clients, headers);
        }
        asked
    }

    #[cfg(feature = "sentry")]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The whole URL, as the client had it when what trusted proxies say is true.
    #[cfg(feature = "sentry")]
    pub fn url(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{origin}{}", self.uri),
            None => {
                let host = self.header(&HOST).and_then(|host| host.to_str().ok());
                format!("http://{}{}", host.unwrap_or_default(), self.uri)
            }
        }
    }
}

#[cfg(feature = "sentry")]
fn origin(request: &ServiceRequest, clients: &ClientAddresses, headers: &HeaderMap) -> Option<String> {
    let [scheme, host] = clients.origin(request.peer_addr(), headers);
    if scheme.is_none() && host.is_none() && headers.contains_key(HOST) {
        return None;
    }
    // What is believed has been settled before.
    let connection = request.connection_info();
    Some(format!("{}://{}", connection.scheme(), connection.host()))
}
