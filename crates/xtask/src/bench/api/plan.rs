//! The scenarios: each request of the API on each database that a server supports.

use std::fmt;

use super::super::plan::Length;

/// Fewer and shorter rounds.
pub const QUICK: Length = Length { rounds: 3, warm_up: 0.3, seconds: 1.0 };

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Server {
    App,
    Sqlx,
    Rusqlite,
    TokioPostgres,
    Fastapi,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// The request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// An order of two lines
    Get,
    /// A page of 20 such orders
    List,
    /// A new order of two lines
    Place,
    /// The same with an idempotency key that is new each time
    Key,
    /// An order with an invalid token
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scenario {
    pub server: Server,
    pub database: Database,
    pub operation: Operation,
}

impl Server {
    pub const ALL: [Self; 5] = [Self::App, Self::Sqlx, Self::Rusqlite, Self::TokioPostgres, Self::Fastapi];

    /// Its name in results and on the command line.
    pub fn name(self) -> &'static str {
        ["app", "sqlx", "rusqlite", "tokio-postgres", "fastapi"][self as usize]
    }

    /// Its description in tables.
    pub fn about(self) -> &'static str {
        match self {
            Server::App => "Cyanotype",
            Server::Sqlx => "actix-web, sqlx",
            Server::Rusqlite => "actix-web, rusqlite",
            Server::TokioPostgres => "actix-web, tokio-postgres",
            Server::Fastapi => "FastAPI, SQLAlchemy",
        }
    }

    pub fn serves(self, database: Database) -> bool {
        match self {
            Server::App | Server::Sqlx | Server::Fastapi => true,
            Server::Rusqlite => database == Database::Sqlite,
            Server::TokioPostgres => database == Database::Postgres,
        }
    }
}

impl Database {
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub fn name(self) -> &'static str {
        ["sqlite", "postgres"][self as usize]
    }

    pub fn about(self) -> &'static str {
        ["SQLite", "PostgreSQL"][self as usize]
    }
}

impl Operation {
    pub const ALL: [Self; 5] = [Self::Get, Self::List, Self::Place, Self::Key, Self::Refused];

    pub fn name(self) -> &'static str {
        ["get", "list", "place", "key", "refused"][self as usize]
    }

    pub fn about(self) -> &'static str {
        ["an order", "20 orders", "a new order", "the same with a key", "an invalid token"][self as usize]
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, database, operation } = self;
        f.pad(&format!("{}: {}, {}", server.name(), operation.name(), database.name()))
    }
}

/// All scenarios; those compared with each other are adjacent.
pub fn full() -> Vec<Scenario> {
    let mut plan = Vec::new();
    for operation in Operation::ALL {
        for database in Database::ALL {
            let servers = Server::ALL.into_iter().filter(|server| server.serves(database));
            plan.extend(servers.map(|server| Scenario { server, database, operation }));
        }
    }
    plan
}

/// Without Python.
pub fn quick() -> Vec<Scenario> {
    let mut plan = full();
    plan.retain(|scenario| scenario.server != Server::Fastapi);
    plan
}
