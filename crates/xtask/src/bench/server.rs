//! The servers and their command lines.

use clap::ValueEnum;

use super::build::Built;
use super::other_languages::OtherLanguages;
use super::program::Program;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, ValueEnum)]
pub enum Server {
    Bare,
    Off,
    Stderr,
    Sentry,
    Both,
    BothTraced,
    Logger,
    Axum,
    SentryActix,
    TracingActixWeb,
    Stock,
    Fastify,
    Flask,
}

impl Server {
    /// Its name in results and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Server::Bare => "bare",
            Server::Off => "off",
            Server::Stderr => "stderr",
            Server::Sentry => "sentry",
            Server::Both => "both",
            Server::BothTraced => "both-traced",
            Server::Logger => "logger",
            Server::Axum => "axum",
            Server::SentryActix => "sentry-actix",
            Server::TracingActixWeb => "tracing-actix-web",
            Server::Stock => "stock",
            Server::Fastify => "fastify",
            Server::Flask => "flask",
        }
    }

    /// Its description in tables; the part before a colon is a short form.
    pub fn about(self) -> &'static str {
        match self {
            Server::Bare => "bare actix-web",
            Server::Off => "Cyanotype, `off`",
            Server::Stderr => "Cyanotype, `stderr`",
            Server::Sentry => "Cyanotype, `sentry`",
            Server::Both => "Cyanotype, `both`",
            Server::BothTraced => "Cyanotype, `both`, with transactions: 1 % sampled",
            Server::Logger => "actix `Logger`",
            Server::Axum => "axum, tower-http's `TraceLayer`",
            Server::SentryActix => "sentry-actix alone",
            Server::TracingActixWeb => "tracing-actix-web alone",
            Server::Stock => "the stock stack: sentry-actix, sentry-tracing, tracing-actix-web, tracing-appender",
            Server::Fastify => "Fastify, pino",
            Server::Flask => "Flask, gunicorn, sentry-sdk",
        }
    }

    /// Whether it is built with Cyanotype.
    pub fn is_cyanotype(self) -> bool {
        matches!(self, Server::Off | Server::Stderr | Server::Sentry | Server::Both | Server::BothTraced)
    }

    /// Seconds until it reaches its full speed.
    pub fn warm_up(self, usual: f64) -> f64 {
        if matches!(self, Server::Fastify | Server::Flask) { usual.max(2.0) } else { usual }
    }

    /// Calls of `write` per response that are not to stderr: hyper and Node use `write` on sockets where others use
    /// `send`, and gunicorn's threads wake each other through a pipe.
    pub fn other_writes(self) -> f64 {
        if matches!(self, Server::Axum | Server::Fastify | Server::Flask) { 1.0 } else { 0.0 }
    }

    /// Whether its runtime is installed.
    pub fn is_available(self, other_languages: &OtherLanguages) -> bool {
        match self {
            Server::Fastify => other_languages.has_fastify(),
            Server::Flask => other_languages.has_flask(),
            _ => true,
        }
    }

    pub fn program(self, built: &Built, other_languages: &OtherLanguages, port: u16, dsn: &str) -> Program {
        let port = port.to_string();
        match self {
            Server::Off | Server::Stderr | Server::Sentry | Server::Both => {
                Program::new(&built.service, &[self.name(), "--port", &port, "--dsn", dsn])
            }
            Server::BothTraced => {
                let both = Server::Both.name();
                let traced = "sentry.traces_sample_rate=0.01";
                Program::new(&built.service, &[both, "--port", &port, "--dsn", dsn, "--set", traced])
            }
            Server::Fastify => other_languages.fastify(&port),
            Server::Flask => other_languages.flask(&port, dsn),
            _ => Program::new(&built.peers, &[self.name(), "--port", &port, "--dsn", dsn]),
        }
    }
}
