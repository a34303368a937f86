//! The peer of a management connection.

use std::any::Any;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;

/// Connection data that marks a peer on the Unix socket.
struct SocketPeer {
    user: Option<u32>,
}

/// Marks connections of the Unix socket; used as the server's `on_connect`.
pub(crate) fn mark_socket(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<UnixStream>() {
        data.insert(SocketPeer { user: stream.peer_cred().ok().map(|peer| peer.uid()) });
    }
}

/// The client of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Over `management.socket`, which only its owner can open.
    Socket {
        /// The user id.
        user: Option<u32>,
    },
    /// Over TCP.
    Tcp {
        /// The peer's IP address.
        address: Option<String>,
    },
}

impl Peer {
    pub(super) fn of(request: &HttpRequest) -> Self {
        match request.conn_data::<SocketPeer>() {
            Some(SocketPeer { user }) => Self::Socket { user: *user },
            None => Self::Tcp { address: request.peer_addr().map(|address| address.ip().to_string()) },
        }
    }

    /// The name in audit records, unless the request gives one.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Socket { user: Some(user) } => format!("uid {user}"),
            Self::Tcp { address: Some(address) } => address.clone(),
            Self::Socket { user: None } | Self::Tcp { address: None } => "unknown".to_owned(),
        }
    }
}
