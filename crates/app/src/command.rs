//! The command line: `app` serves the API, and its subcommands inspect and control it.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use cyanotype::Service;
use cyanotype::settings::{Loader, Setting, Settings};

use crate::db::DbCommand;
use crate::doctor;
use crate::error::CommandError;
use crate::generated::GeneratedCommand;
use crate::health::Health;
use crate::log::{self, LogCommand};
use crate::print::{columns, print, print_error, to_json};
use crate::redact::RedactCommand;
use crate::sentry_test;
use crate::signals;
#[cfg(feature = "users")]
use crate::users::UsersCommand;

/// Exit status of a usage error.
const BAD_USAGE: u8 = 2;
/// Exit status if an input cannot be read: `EX_NOINPUT`.
const UNREADABLE_INPUT: u8 = 66;
/// Exit status if the service cannot be reached: `EX_UNAVAILABLE`.
const UNAVAILABLE: u8 = 69;
/// Exit status for invalid settings: `EX_CONFIG`.
const BAD_CONFIGURATION: u8 = 78;

/// Serve the API, or inspect and control a running service
///
/// Without a subcommand, serves the API until SIGTERM or SIGINT. Settings come from these layers, of which later ones take
/// precedence: built-in defaults, RUST_LOG (log levels), config/default.toml, config/{env}.toml, the variables SENTRY_DSN,
/// SENTRY_ENVIRONMENT, SENTRY_RELEASE, DATABASE_URL and PORT, the variables APP__SECTION__KEY, and command-line flags.
#[derive(Debug, Parser)]
#[command(name = "app", version, about, long_about)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Flags {
    /// Directory of default.toml, dev.toml and prod.toml; must exist [default: config, if it exists]
    #[arg(long, global = true, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Environment: dev or prod
    #[arg(long, global = true, value_name = "ENV")]
    env: Option<String>,
    /// Log sinks (log.mode): off, stderr, sentry or both
    #[arg(long, global = true, value_name = "MODE")]
    mode: Option<String>,
    /// Minimum level of log lines (log.level)
    #[arg(long, global = true, value_name = "LEVEL")]
    level: Option<String>,
    /// Port of the API (server.port)
    #[arg(long, global = true, value_name = "PORT")]
    port: Option<String>,
    /// Any other setting; can be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all routes with their blueprints
    Routes {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the OpenAPI 3.1 document as JSON
    Openapi,
    /// Print the effective settings and the layer that set each of them
    Config {
        /// Only check the settings, and print warnings
        #[arg(long)]
        check: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "check")]
        json: bool,
        /// Print the reference of all settings in Markdown instead
        #[arg(long, conflicts_with_all = ["check", "json"])]
        reference: bool,
    },
    /// Explain and change what is logged
    Log {
        #[command(subcommand)]
        command: Box<LogCommand>,
    },
    /// Ask the running service whether it is live or ready
    ///
    /// Prints one line. Exit status: 0 it is; 1 it is not, or does not respond within 5 seconds; 2 wrong usage, 78 invalid
    /// configuration.
    Health(Health),
    /// Migrate, inspect and back up the database
    Db {
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Check the running service, or a start here: settings, database, Sentry, stderr, limits, ports
    ///
    /// Looks at the running service of the same settings, found by its management listener; without one, at what a start by this
    /// user in this directory would find. Changes nothing, stores no event, shows no secret. Run it as root or as the user of
    /// the service, with its environment. Exit status: 0, or 1 if a check fails, which includes invalid settings.
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check what is redacted
    Redact {
        #[command(subcommand)]
        command: RedactCommand,
    },
    /// Check the connection to Sentry
    Sentry {
        #[command(subcommand)]
        command: SentryCommand,
    },
    /// Manage admins in the configured database
    #[cfg(feature = "users")]
    Users {
        #[command(subcommand)]
        command: UsersCommand,
    },
    #[command(flatten)]
    Generated(GeneratedCommand),
}

#[derive(Debug, Subcommand)]
enum SentryCommand {
    /// Send a test event and print whether Sentry received it, and the event as Sentry shows it
    Test {
        /// Print the event as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn main(service: impl FnOnce(Settings) -> Service) -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(command) => command,
        // Plain text, so that each line can have the prefix that journald reads.
        Err(error) if error.use_stderr() && !io::stderr().is_terminal() => {
            print_error(&error.to_string());
            return ExitCode::from(BAD_USAGE);
        }
        Err(error) => error.exit(),
    };
    let settings = command.flags.load(command.log_command());
    let outcome = match command.command {
        None => settings.map(|settings| cyanotype::serve(&settings, service)),
        Some(command) => command.run(settings, service).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(CommandError::BadConfiguration(reason)) => {
            print_error(&reason);
            ExitCode::from(BAD_CONFIGURATION)
        }
        Err(CommandError::NotStarted(error)) => {
            print_error(&error.to_string());
            error.exit_code()
        }
        Err(CommandError::Usage(reason)) => {
            print_error(&reason);
            ExitCode::from(BAD_USAGE)
        }
        Err(CommandError::UnreadableInput(reason)) => {
            print_error(&reason);
            ExitCode::from(UNREADABLE_INPUT)
        }
        Err(CommandError::Unavailable(reason)) => {
            print_error(&reason);
            ExitCode::from(UNAVAILABLE)
        }
        Err(CommandError::Negative) => ExitCode::FAILURE,
        Err(CommandError::Other(reason)) => {
            print_error(&reason);
            ExitCode::FAILURE
        }
    }
}

impl Cli {
    fn log_command(&self) -> Option<&LogCommand> {
        match &self.command {
            Some(Command::Log { command }) => Some(command),
            _ => None,
        }
    }
}

impl Flags {
    /// Loads the effective settings. Under `log set` and `log token`, --level, --mode and --set belong to the subcommand.
    fn load(&self, log: Option<&LogCommand>) -> Result<Settings, CommandError> {
        let has_own_level = log.is_some_and(LogCommand::has_own_level);
        let has_own_settings = log.is_some_and(LogCommand::has_own_settings);
        if let Some(missing) = self.config.as_deref().filter(|directory| !directory.is_dir()) {
            return Err(CommandError::BadConfiguration(format!("--config {}: no such directory", missing.display())));
        }
        let directory = self.config.as_deref().unwrap_or(Path::new("config"));
        let mut loader = Loader::new(directory).process_environment();
        let unless_own = |flag| if has_own_level { &None } else { flag };
        let named = [
            ("env", &self.env, "--env"),
            ("log.mode", unless_own(&self.mode), "--mode"),
            ("log.level", unless_own(&self.level), "--level"),
            ("server.port", &self.port, "--port"),
        ];
        for setting in self.settings.iter().filter(|setting| !has_own_settings || log::is_connection_setting(setting)) {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(CommandError::BadConfiguration(format!("--set {setting}: expected KEY=VALUE")));
            };
            loader = loader.flag(key.trim(), value, "--set");
        }
        for (key, value, flag) in named {
            if let Some(value) = value {
                loader = loader.flag(key, value, flag);
            }
        }
        loader.load().map_err(|error| CommandError::BadConfiguration(error.to_string()))
    }
}

impl Command {
    fn run(
        self,
        settings: Result<Settings, CommandError>,
        service: impl FnOnce(Settings) -> Service,
    ) -> Result<(), CommandError> {
        // A backup has something to remove before it ends.
        if !matches!(self, Command::Db { command: DbCommand::Backup(_) }) {
            signals::end_first_process()?;
        }
        let text = match self {
            // Invalid settings are one of its results.
            Command::Doctor { json } => return doctor::run(settings, service, json),
            Command::Routes { json } => routes(&service(settings?), json)?,
            Command::Openapi => openapi(&service(settings?))?,
            Command::Config { check: true, .. } => check_config(settings?, service)?,
            Command::Config { reference: true, .. } => reference(&service(settings?)),
            Command::Config { json, .. } => config(&service(settings?), json)?,
            Command::Log { command } => return (*command).run(settings?, service),
            Command::Redact { command } => return command.run(&settings?),
            Command::Health(health) => return health.run(&settings?),
            Command::Db { command } => return command.run(&service(settings?)),
            Command::Sentry { command: SentryCommand::Test { json } } => sentry_test::run(&service(settings?), json)?,
            #[cfg(feature = "users")]
            Command::Users { command } => command.run(&service(settings?))?,
            Command::Generated(command) => {
                settings?;
                command.run(Cli::command())?
            }
        };
        print(&text)
    }
}

/// Checks the settings as a start does.
fn check_config(settings: Settings, service: impl FnOnce(Settings) -> Service) -> Result<String, CommandError> {
    let warnings = settings.warnings.clone();
    service(settings).check().map_err(|error| CommandError::BadConfiguration(error.to_string()))?;
    let warnings: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    Ok(format!("{warnings}configuration OK"))
}

fn routes(service: &Service, json: bool) -> Result<String, CommandError> {
    let routes = service.routes().map_err(|error| CommandError::BadConfiguration(error.to_string()))?;
    if json {
        return to_json(&routes);
    }
    let heading = ["METHOD", "PATH", "BLUEPRINT", "RESPONSE LOG"].map(str::to_owned).to_vec();
    let rows = routes.into_iter().map(|route| {
        vec![route.method, route.path, route.blueprint.to_owned(), route.response_log.as_str().to_owned()]
    });
    Ok(columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>()))
}

fn openapi(service: &Service) -> Result<String, CommandError> {
    to_json(&service.openapi().map_err(|error| CommandError::BadConfiguration(error.to_string()))?)
}

fn config(service: &Service, json: bool) -> Result<String, CommandError> {
    let settings = service.settings().map_err(|error| CommandError::BadConfiguration(error.to_string()))?;
    if json {
        return to_json(&settings.origins);
    }
    let heading = ["SETTING", "VALUE", "SET BY"].map(str::to_owned).to_vec();
    let mut rows = vec![heading];
    rows.extend(settings.origins.iter().map(|set| vec![set.key.clone(), set.value.clone(), set.set_by.clone()]));
    let known = service.declared_settings().into_iter().filter(|it| !it.key.contains('<')).map(|it| it.key);
    let unset = known.filter(|key| settings.origins.iter().all(|set| set.key != *key));
    rows.extend(unset.map(|key| vec![key, "-".into(), "unset".into()]));
    rows[1..].sort();
    Ok(columns(&rows))
}

/// A Markdown table of all settings.
fn reference(service: &Service) -> String {
    let mut text = String::from("| setting | value | default | description |\n| --- | --- | --- | --- |\n");
    for setting in service.declared_settings() {
        let file = setting.file_key().map(|key| format!(" Can be read from a file: `{key}`.")).unwrap_or_default();
        let Setting { key, value_type, default, about, env_alias, .. } = setting;
        let default = default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
        let alias = env_alias.map(|name| format!(" Environment variable: `{name}`.")).unwrap_or_default();
        text.push_str(&format!("| `{key}` | {} | {default} | {about}.{alias}{file} |\n", value_type.allowed()));
    }
    text
}
