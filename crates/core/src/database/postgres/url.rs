//! PostgreSQL URLs: parameters that libpq supports and the driver does not, the `PG…` variables, and the address of the
//! database in messages.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Tls, Verify};
use crate::database::engine::not_a_url;

const PARAMETERS: &str = "sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, dbname, user, password, \
                          application_name, options, statement-cache-capacity";

/// Default directories of the server's Unix socket.
const SOCKET_DIRECTORIES: [&str; 3] = ["/var/run/postgresql", "/private/tmp", "/tmp"];

pub(in crate::database) struct PostgresUrl {
    pub config: Config,
    pub(super) tls: Tls,
}

/// Reads an environment variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl PostgresUrl {
    /// Parses a URL; `variables` supplies what it omits.
    ///
    /// # Errors
    /// A message that does not repeat the URL: it may contain a password.
    pub(crate) fn parse(url: &str, variables: Variables<'_>) -> Result<Self, String> {
        let rest = url.split_once("://").ok_or_else(not_a_url)?.1;
        // An unescaped password: its rest would be parsed as the path and shown in messages.
        if rest.split_once(['/', '?', '#']).is_some_and(|(_, rest)| rest.contains('@')) {
            return Err("this URL has an `@` after the host; in user and password write `/`, `?`, `#` and `@` as \
                        %2F, %3F, %23 and %40"
                .into());
        }
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut tls = TlsParameters::default();
        let mut options = Vec::new();
        let mut others = form_urlencoded::Serializer::new(String::new());
        for (key, value) in form_urlencoded::parse(parameters.as_bytes()) {
            match &*key {
                "sslmode" => tls.mode = Some(value.into_owned()),
                "sslrootcert" => tls.root = Some(value.into_owned()),
                "sslcert" => tls.certificate = Some(value.into_owned()),
                "sslkey" => tls.key = Some(value.into_owned()),
                "statement-cache-capacity" => {}
                "host" | "hostaddr" | "port" | "dbname" | "user" | "password" | "application_name" | "options" => {
                    others.append_pair(&key, &value);
                }
                key => match key.strip_prefix("options[").and_then(|key| key.strip_suffix(']')) {
                    Some(option) => options.push(format!("-c {option}={value}")),
                    None => return Err(format!("this URL has an unknown parameter; expected {PARAMETERS}")),
                },
            }
        }
        // The driver does not decode `+` as a space.
        let others = others.finish().replace('+', "%20");
        let separator = if others.is_empty() { "" } else { "?" };
        let mut config = Config::from_str(&format!("{address}{separator}{others}")).map_err(|_| not_a_url())?;
        if let Some(given) = config.get_options() {
            options.insert(0, given.to_owned());
        }
        if !options.is_empty() {
            config.options(options.join(" "));
        }
        let tls = tls.resolve(variables)?;
        complete(&mut config, variables)?;
        config.ssl_mode(tls.driver_mode);
        Ok(Self { config, tls })
    }

    /// The server's host, if it is another machine and its certificate is not verified, so that a third one can pretend to be it.
    pub(super) fn unverified_host(&self) -> Option<String> {
        if self.tls.verify != Verify::Nothing {
            return None;
        }
        // With an address, the name of the host is only that in the certificate.
        let addresses = self.config.get_hostaddrs();
        if !addresses.is_empty() {
            return addresses.iter().find(|ip| !ip.is_loopback()).map(ToString::to_string);
        }
        let is_remote = |name: &str| name != "localhost" && name.parse::<IpAddr>().map_or(true, |ip| !ip.is_loopback());
        self.config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(name) if is_remote(name) => Some(name.clone()),
            _ => None,
        })
    }
}

type Set = fn(&mut Config, String);

/// Fills in what the URL omits from the variables that libpq reads.
fn complete(config: &mut Config, variables: Variables<'_>) -> Result<(), String> {
    let port = match variables("PGPORT") {
        Some(port) => port.parse::<u16>().map_err(|_| "PGPORT is not a port from 0 to 65535")?,
        None => 5432,
    };
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let socket = format!(".s.PGSQL.{port}");
        let local = SOCKET_DIRECTORIES.into_iter().find(|directory| Path::new(directory).join(&socket).exists());
        config.host(variables("PGHOST").unwrap_or_else(|| local.unwrap_or("localhost").to_owned()));
    }
    if config.get_ports().is_empty() {
        config.port(port);
    }
    let unset: [(bool, &str, Set); 5] = [
        (config.get_user().is_none(), "PGUSER", |config, value| _ = config.user(value)),
        (config.get_password().is_none(), "PGPASSWORD", |config, value| _ = config.password(value)),
        (config.get_dbname().is_none(), "PGDATABASE", |config, value| _ = config.dbname(value)),
        (config.get_application_name().is_none(), "PGAPPNAME", |config, value| _ = config.application_name(value)),
        (config.get_options().is_none(), "PGOPTIONS", |config, value| _ = config.options(value)),
    ];
    for (is_unset, name, set) in unset {
        if let Some(value) = variables(name).filter(|_| is_unset) {
            set(config, value);
        }
    }
    Ok(())
}

/// The URL of the database without user, password and parameters, for messages.
pub(super) fn address(config: &Config) -> String {
    let database = config.get_dbname().or_else(|| config.get_user()).unwrap_or("postgres");
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let address = config.get_hostaddrs().first().map(ToString::to_string);
    match (config.get_hosts().first(), address) {
        (Some(Host::Unix(directory)), _) => {
            format!("postgres:///{database}?host={}&port={port}", directory.display())
        }
        (Some(Host::Tcp(host)), _) => format!("postgres://{host}:{port}/{database}"),
        (None, address) => format!("postgres://{}:{port}/{database}", address.as_deref().unwrap_or("localhost")),
    }
}

#[derive(Default)]
struct TlsParameters {
    mode: Option<String>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl TlsParameters {
    fn resolve(self, variables: Variables<'_>) -> Result<Tls, String> {
        let path = |given: Option<String>, name: &str| given.or_else(|| variables(name)).map(PathBuf::from);
        let root_certificate = path(self.root, "PGSSLROOTCERT");
        let mode = self.mode.or_else(|| variables("PGSSLMODE"));
        let (driver_mode, verify) = match (mode.as_deref(), &root_certificate) {
            (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
            (None | Some("prefer" | "allow"), _) => (SslMode::Prefer, Verify::Nothing),
            (Some("require"), None) => (SslMode::Require, Verify::Nothing),
            // Like libpq: a root certificate implies that it is verified.
            (Some("require"), Some(_)) | (Some("verify-ca"), _) => (SslMode::Require, Verify::Authority),
            (Some("verify-full"), _) => (SslMode::Require, Verify::AuthorityAndName),
            (Some(_), _) => {
                return Err("invalid sslmode; expected disable, allow, prefer, require, verify-ca, verify-full".into());
            }
        };
        let client_certificate = match (path(self.certificate, "PGSSLCERT"), path(self.key, "PGSSLKEY")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("sslcert and sslkey must be set together".into()),
        };
        Ok(Tls { driver_mode, verify, root_certificate, client_certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresUrl, String> {
        PostgresUrl::parse(url, &|_| None)
    }

    #[test]
    fn an_address_omits_user_and_password() {
        for (url, expected) in [
            ("postgres://ada:secret@db.internal/shop", "postgres://db.internal:5432/shop"),
            ("postgresql://ada@10.0.0.1:6432/shop?sslmode=disable", "postgres://10.0.0.1:6432/shop"),
            ("postgres://ada@localhost", "postgres://localhost:5432/ada"),
            ("postgres:///shop?host=/run/pg&port=5433", "postgres:///shop?host=/run/pg&port=5433"),
        ] {
            assert_eq!(address(&parse(url).expect(url).config), expected);
        }
    }

    #[test]
    fn tls_modes_match_libpq() {
        let read = |parameters: &str| {
            let tls = parse(&format!("postgres://db/shop{parameters}")).expect(parameters).tls;
            (tls.driver_mode, tls.verify)
        };
        assert_eq!(read(""), (SslMode::Prefer, Verify::Nothing));
        assert_eq!(read("?sslmode=disable"), (SslMode::Disable, Verify::Nothing));
        assert_eq!(read("?sslmode=require"), (SslMode::Require, Verify::Nothing));
        assert_eq!(read("?sslmode=require&sslrootcert=/ca.pem"), (SslMode::Require, Verify::Authority));
        assert_eq!(read("?sslmode=verify-ca"), (SslMode::Require, Verify::Authority));
        assert_eq!(read("?sslmode=verify-full"), (SslMode::Require, Verify::AuthorityAndName));
        assert!(parse("postgres://db/shop?sslmode=sometimes").is_err());
        assert!(parse("postgres://db/shop?sslcert=/c.pem").is_err());
    }

    #[test]
    fn another_machine_without_a_verified_certificate_is_named() {
        let host = |url: &str| parse(url).expect(url).unverified_host();
        for url in ["postgres://db/shop", "postgres://db/shop?sslmode=require", "postgres://db/shop?sslmode=disable"] {
            assert_eq!(host(url).as_deref(), Some("db"), "{url}");
        }
        assert_eq!(host("postgres://localhost/shop?hostaddr=10.0.0.1").as_deref(), Some("10.0.0.1"));
        for url in [
            "postgres://localhost/shop",
            "postgres://127.0.0.1/shop",
            "postgres://[::1]/shop",
            "postgres:///shop?host=/run/pg",
            "postgres://db/shop?hostaddr=127.0.0.1",
            "postgres://db/shop?sslmode=verify-ca",
            "postgres://db/shop?sslmode=verify-full",
            "postgres://db/shop?sslmode=require&sslrootcert=/ca.pem",
        ] {
            assert_eq!(host(url), None, "{url}");
        }
    }

    #[test]
    fn options_are_passed_on_and_unknown_parameters_rejected() {
        let url = "postgres://db/shop?options[statement_timeout]=5s&options[search_path]=a&application_name=a%20b";
        let config = parse(url).expect("a valid URL").config;
        assert_eq!(config.get_options(), Some("-c statement_timeout=5s -c search_path=a"));
        assert_eq!(config.get_application_name(), Some("a b"));
        assert!(parse("postgres://db/shop?pool=5").is_err_and(|why| why.contains("an unknown parameter")));
        assert!(parse("postgres://ada:a/b@db/shop").is_err_and(|why| why.contains("%2F")));
    }

    #[test]
    fn omitted_parts_of_a_url_are_read_from_the_variables() {
        let variables = |name: &str| {
            let value = match name {
                "PGHOST" => "db.internal",
                "PGPORT" => "6432",
                "PGUSER" => "ada",
                "PGPASSWORD" => "secret",
                "PGDATABASE" => "shop",
                "PGSSLMODE" => "verify-full",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let read = PostgresUrl::parse("postgres://", &variables).expect("a valid URL");
        assert_eq!(address(&read.config), "postgres://db.internal:6432/shop");
        assert_eq!(read.config.get_password(), Some(&b"secret"[..]));
        assert_eq!(read.tls.verify, Verify::AuthorityAndName);
        let own = PostgresUrl::parse("postgres://bob:own@other:1/db?sslmode=disable", &variables).expect("a valid URL");
        assert_eq!((address(&own.config).as_str(), own.config.get_user()), ("postgres://other:1/db", Some("bob")));
    }
}
