//! Where and how connections are opened.

use std::sync::Arc;

use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::error::{DatabaseError, Result};
use super::super::options::Options;
use super::url::{self, PostgresUrl};

/// Parameters for opening connections.
pub(super) struct Target {
    pub config: Config,
    pub connector: MakeRustlsConnect,
    pub options: Options,
    /// See [`PostgresUrl::unverified_host`].
    pub unverified_host: Option<String>,
}

impl Target {
    /// The target, and its address for messages.
    pub(super) fn new(options: &Options) -> Result<(Arc<str>, Self)> {
        let url = PostgresUrl::parse(&options.url, &url::from_environment)
            .map_err(|why| DatabaseError::OpenFailed(why.into()))?;
        let address: Arc<str> = url::address(&url.config).into();
        let connector = url
            .tls
            .connector()
            .map_err(|why| DatabaseError::OpenFailed(format!("the database {address}: {why}").into()))?;
        let unverified_host = url.unverified_host();
        let mut config = url.config;
        config.connect_timeout(options.acquire_timeout);
        Ok((address, Self { config, connector, options: options.clone(), unverified_host }))
    }
}

/// The address of a database, without user and password.
pub(in crate::database) fn address_of(url: &str) -> Result<String> {
    let url = PostgresUrl::parse(url, &url::from_environment).map_err(|why| DatabaseError::OpenFailed(why.into()))?;
    Ok(url::address(&url.config))
}
