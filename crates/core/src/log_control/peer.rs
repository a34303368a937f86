//! Who is at the other end of a connection of the management listener.

use std::any::Any;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;

/// Stands in the data of a connection that came over the Unix socket.
struct SocketPeer {
    user: Option<u32>,
}

/// Marks the connections of the Unix socket; for the server's `on_connect`.
pub(crate) fn mark_socket(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<UnixStream>() {
        data.insert(SocketPeer { user: stream.peer_cred().ok().map(|peer| peer.uid()) });
    }
}

/// The client of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Over `management.socket`, which the operating system lets its owner alone reach.
    Socket {
        /// The user's number.
        user: Option<u32>,
    },
    /// Over TCP.
    Tcp {
        /// The address, as text.
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

    /// As the audit names it, unless the request does.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Socket { user: Some(user) } => format!("uid {user}"),
            Self::Tcp { address: Some(address) } => address.clone(),
            Self::Socket { user: None } | Self::Tcp { address: None } => "unknown".to_owned(),
        }
    }
}
