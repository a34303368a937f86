//! The service: its builder, the app of each worker, startup and shutdown.

pub(crate) mod app;
mod database_commands;
pub(crate) mod debug_token;
mod descriptor_budget;
mod doctor;
pub(crate) mod error;
mod listen;
mod listening_sockets;
pub(crate) mod main_guard;
mod management;
mod management_api;
mod management_listener;
mod new_connections;
mod reload;
pub(crate) mod run;
mod running_server;
pub(crate) mod service;
mod shutdown;
mod shutdown_budget;
mod signals;
mod start_record;
mod stopped;
mod systemd;
mod workers;
