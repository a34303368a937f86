//! The command line: `app` serves; its subcommands answer questions about what it would do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use cyanotype::Service;
use cyanotype::settings::{Loader, Setting, Settings};

use crate::failed::Failed;
use crate::log;
use crate::print::{columns, complaint, print, to_json};

/// The status for a call that is no use.
const BAD_USAGE: u8 = 2;
/// The status for a service that cannot be reached: `EX_UNAVAILABLE`.
const UNAVAILABLE: u8 = 69;
/// The status for settings that cannot be used: `EX_CONFIG`.
const BAD_CONFIGURATION: u8 = 78;

/// Serves the API, and explains what is recorded where.
///
/// Without a subcommand it serves until SIGTERM or SIGINT. Settings come, later ones winning, from built-in defaults,
/// RUST_LOG (levels), config/default.toml, config/{env}.toml, SENTRY_DSN, SENTRY_ENVIRONMENT, SENTRY_RELEASE, DATABASE_URL
/// and PORT, APP__SECTION__KEY variables, and these flags.
#[derive(Debug, Parser)]
#[command(name = "app", version, about, long_about)]
struct Command {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, Args)]
struct Flags {
    /// The directory of default.toml, dev.toml and prod.toml, which must be there [default: config, which may be missing]
    #[arg(long, global = true, value_name = "DIR")]
    config: Option<PathBuf>,
    /// dev or prod
    #[arg(long, global = true, value_name = "ENV")]
    env: Option<String>,
    /// Which sinks there are: off, stderr, sentry or both
    #[arg(long, global = true, value_name = "MODE")]
    mode: Option<String>,
    /// What a logger says below it reaches no sink
    #[arg(long, global = true, value_name = "LEVEL")]
    level: Option<String>,
    /// The port the API listens on
    #[arg(long, global = true, value_name = "PORT")]
    port: Option<String>,
    /// Any other setting
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// List every route with its blueprint
    Routes {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the API document (OpenAPI 3.1, JSON)
    Openapi,
    /// Print the settings in force, each with the layer that set it
    Config {
        /// Only check them
        #[arg(long)]
        check: bool,
        /// Answer in JSON
        #[arg(long, conflicts_with = "check")]
        json: bool,
        /// Print what every setting is for, in Markdown, instead
        #[arg(long, conflicts_with_all = ["check", "json"])]
        reference: bool,
    },
    /// What is recorded, and what is on now
    Log {
        #[command(subcommand)]
        question: Box<log::Question>,
    },
    /// The Sentry that is set
    Sentry {
        #[command(subcommand)]
        question: SentryQuestion,
    },
    /// Who is an admin, on the database of the settings in force
    #[cfg(feature = "users")]
    Users {
        #[command(subcommand)]
        question: crate::users::Question,
    },
}

#[derive(Debug, Subcommand)]
enum SentryQuestion {
    /// Send one event and say whether it arrived
    Test,
}

pub(crate) fn main(service: impl FnOnce(Settings) -> Service) -> ExitCode {
    let command = Command::parse();
    let settings = command.flags.load(command.log_question());
    let outcome = settings.and_then(|settings| match command.question {
        None => Ok(service(settings).run()),
        Some(question) => question.answer(settings, service).map(|()| ExitCode::SUCCESS),
    });
    match outcome {
        Ok(code) => code,
        Err(Failed::BadConfiguration(reason)) => {
            complaint(&reason);
            ExitCode::from(BAD_CONFIGURATION)
        }
        #[cfg(feature = "users")]
        Err(Failed::NotStarted(error)) => {
            complaint(&error.to_string());
            error.exit_code()
        }
        Err(Failed::Usage(reason)) => {
            complaint(&reason);
            ExitCode::from(BAD_USAGE)
        }
        Err(Failed::Unavailable(reason)) => {
            complaint(&reason);
            ExitCode::from(UNAVAILABLE)
        }
        Err(Failed::Other(reason)) => {
            complaint(&reason);
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn log_question(&self) -> Option<&log::Question> {
        match &self.question {
            Some(Question::Log { question }) => Some(question),
            _ => None,
        }
    }
}

impl Flags {
    /// The settings in force. Where --level, --mode or --set are a subcommand's, they do not change them.
    fn load(&self, log: Option<&log::Question>) -> Result<Settings, Failed> {
        let has_own_level = log.is_some_and(log::Question::has_own_level);
        let has_own_settings = log.is_some_and(log::Question::has_own_settings);
        if let Some(given) = self.config.as_deref().filter(|given| !given.is_dir()) {
            return Err(Failed::BadConfiguration(format!("--config {}: there is no such directory", given.display())));
        }
        let directory = self.config.as_deref().unwrap_or(Path::new("config"));
        let mut loader = Loader::new(directory).process_environment();
        let own = |given| if has_own_level { &None } else { given };
        let named = [
            ("env", &self.env, "--env"),
            ("log.mode", own(&self.mode), "--mode"),
            ("log.level", own(&self.level), "--level"),
            ("server.port", &self.port, "--port"),
        ];
        for setting in self.settings.iter().filter(|setting| !has_own_settings || log::finds_service(setting)) {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(Failed::BadConfiguration(format!("--set {setting}: write it as KEY=VALUE")));
            };
            loader = loader.flag(key.trim(), value, "--set");
        }
        for (key, value, flag) in named {
            if let Some(value) = value {
                loader = loader.flag(key, value, flag);
            }
        }
        loader.load().map_err(|error| Failed::BadConfiguration(error.to_string()))
    }
}

impl Question {
    fn answer(self, settings: Settings, service: impl FnOnce(Settings) -> Service) -> Result<(), Failed> {
        let text = match self {
            Question::Routes { json } => routes(&service(settings), json)?,
            Question::Openapi => openapi(&service(settings))?,
            Question::Config { check: true, .. } => {
                // What the start would refuse is refused here too.
                let warnings = settings.warnings.clone();
                let service = service(settings);
                service.check().map_err(|error| Failed::BadConfiguration(error.to_string()))?;
                let warnings: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
                format!("{warnings}the settings are good")
            }
            Question::Config { reference: true, .. } => reference(&service(settings)),
            Question::Config { json, .. } => config(&service(settings), json)?,
            Question::Log { question } => return (*question).answer(settings, service),
            Question::Sentry { question: SentryQuestion::Test } => sentry_test(&service(settings))?,
            #[cfg(feature = "users")]
            Question::Users { question } => question.answer(&service(settings))?,
        };
        print(&text)
    }
}

fn routes(service: &Service, json: bool) -> Result<String, Failed> {
    let routes = service.routes().map_err(|error| Failed::BadConfiguration(error.to_string()))?;
    if json {
        return to_json(&routes);
    }
    let heading = ["METHOD", "PATH", "BLUEPRINT", "RESPONSE LOG"].map(str::to_owned).to_vec();
    let rows = routes.into_iter().map(|route| {
        vec![route.method, route.path, route.blueprint.to_owned(), route.response_log.as_str().to_owned()]
    });
    Ok(columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>()))
}

fn openapi(service: &Service) -> Result<String, Failed> {
    to_json(&service.api().map_err(|error| Failed::BadConfiguration(error.to_string()))?)
}

fn config(service: &Service, json: bool) -> Result<String, Failed> {
    let settings = service.settings().map_err(|error| Failed::BadConfiguration(error.to_string()))?;
    if json {
        return to_json(&settings.origins);
    }
    let heading = ["SETTING", "VALUE", "SET BY"].map(str::to_owned).to_vec();
    let mut rows = vec![heading];
    rows.extend(settings.origins.iter().map(|set| vec![set.key.clone(), set.value.clone(), set.set_by.clone()]));
    let known = service.declared_settings().into_iter().filter(|it| !it.key.contains('<')).map(|it| it.key);
    let unset = known.filter(|key| settings.origins.iter().all(|set| set.key != *key));
    rows.extend(unset.map(|key| vec![key, "-".into(), "nobody".into()]));
    rows[1..].sort();
    Ok(columns(&rows))
}

/// A table of every setting.
fn reference(service: &Service) -> String {
    let mut text = String::from("| setting | takes | default | what it is for |\n| --- | --- | --- | --- |\n");
    for setting in service.declared_settings() {
        let file = setting.file_key().map(|key| format!(" Also from a file: `{key}`.")).unwrap_or_default();
        let Setting { key, value_type, default, about, env_alias, .. } = setting;
        let default = default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
        let alias = env_alias.map(|name| format!(" Also `{name}`.")).unwrap_or_default();
        text.push_str(&format!("| `{key}` | {} | {default} | {about}.{alias}{file} |\n", value_type.allowed()));
    }
    text
}

fn sentry_test(service: &Service) -> Result<String, Failed> {
    match service.send_test_event() {
        Ok(id) => Ok(format!("the test event arrived: {id}")),
        Err(reason) => Err(Failed::Other(format!("the test event did not arrive: {reason}"))),
    }
}
