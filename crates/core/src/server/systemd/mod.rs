//! What the service exchanges with systemd: inherited sockets, notifications, and the watchdog. Without systemd none of it has an
//! effect.

pub(super) mod notify;
pub(super) mod sockets;
pub(super) mod watchdog;
