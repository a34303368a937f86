//! The scenarios: not every combination, only the relevant ones.

use std::fmt;

use super::server::Server;

/// The destination of stderr.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sink {
    /// A pipe that is drained continuously.
    Pipe,
    Supervisord,
}

impl Sink {
    pub fn name(self) -> &'static str {
        ["pipe", "supervisord"][self as usize]
    }
}

/// The requested path below `/bench/`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Content {
    pub path: &'static str,
    pub about: &'static str,
}

pub const ORDER: Content = Content { path: "order", about: "0.5 KB" };
const SMALL: Content = Content { path: "small", about: "16 B" };
const LARGE: Content = Content { path: "large", about: "8 KB" };
const HUGE: Content = Content { path: "huge", about: "64 KB" };
const SECRET: Content = Content { path: "secret", about: "8 KB of secrets" };
pub const NO_LINE: Content = Content { path: "lines/0", about: "no line" };
pub const ONE_LINE: Content = Content { path: "lines/1", about: "1 line" };
pub const TEN_LINES: Content = Content { path: "lines/10", about: "10 lines" };

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Scenario {
    pub server: Server,
    pub content: Content,
    pub connections: usize,
    pub sink: Sink,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, content, connections, sink } = self;
        let into = if *sink == Sink::Supervisord { " into supervisord" } else { "" };
        f.pad(&format!("{}: {}, {}{into}", server.name(), content.about, of_connections(*connections)))
    }
}

pub fn of_connections(connections: usize) -> String {
    format!("{connections} connection{}", if connections == 1 { "" } else { "s" })
}

/// The number and the duration of rounds.
#[derive(Clone, Copy)]
pub struct Length {
    pub rounds: usize,
    pub warm_up: f64,
    pub seconds: f64,
}

impl Length {
    pub const QUICK: Self = Self { rounds: 5, warm_up: 0.5, seconds: 1.5 };
    pub const FULL: Self = Self { rounds: 5, warm_up: 0.5, seconds: 2.0 };
}

/// The number of connections in most scenarios.
pub const CONNECTIONS: usize = 32;
const NATIVE: [Server; 11] = [
    Server::Bare,
    Server::Off,
    Server::Stderr,
    Server::Sentry,
    Server::Both,
    Server::BothTraced,
    Server::Logger,
    Server::Axum,
    Server::SentryActix,
    Server::TracingActixWeb,
    Server::Stock,
];
const SOME: [Server; 5] = [Server::Bare, Server::Off, Server::Stderr, Server::Both, Server::Stock];

pub fn quick() -> Vec<Scenario> {
    of(&NATIVE, ORDER, CONNECTIONS, Sink::Pipe).collect()
}

pub fn full() -> Vec<Scenario> {
    let other_languages = [Server::Fastify, Server::Flask];
    let mut plan = quick();
    plan.extend(of(&other_languages, ORDER, CONNECTIONS, Sink::Pipe));
    plan.extend(of(&[Server::Both, Server::Stock], ORDER, CONNECTIONS, Sink::Supervisord));
    for content in [SMALL, LARGE, HUGE, SECRET] {
        plan.extend(of(&SOME, content, CONNECTIONS, Sink::Pipe));
    }
    for connections in [1, 256] {
        plan.extend(of(&SOME, ORDER, connections, Sink::Pipe));
    }
    for content in [NO_LINE, ONE_LINE, TEN_LINES] {
        plan.extend(of(&[Server::Both], content, CONNECTIONS, Sink::Pipe));
    }
    plan
}

fn of(
    servers: &[Server],
    content: Content,
    connections: usize,
    sink: Sink,
) -> impl Iterator<Item = Scenario> + use<'_> {
    servers.iter().map(move |&server| Scenario { server, content, connections, sink })
}
