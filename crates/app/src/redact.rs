//! `app redact check`: shows what the redactor hides in a body or a log, and why.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cyanotype::redaction::{Finding, Redactor, Syntax, syntax_of_content_type};
use cyanotype::settings::Settings;
use serde_json::json;

use crate::error::CommandError;
use crate::print::{columns, print, to_json};

#[derive(Debug, Subcommand)]
pub(crate) enum RedactCommand {
    /// List what is redacted in a body or a log: the place, the rule, and what the output shows
    ///
    /// Uses the redactor of the settings (log.redact.*, log.response.redact). Each line of a log of JSON lines is checked by
    /// itself. Never prints a secret. Exit status: 0 nothing is redacted, 1 something is, 2 wrong usage, 66 the input cannot
    /// be read, 78 invalid configuration.
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file [default: standard input, as `-`]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Content type of the body, or json, form or text [default: guessed from the content]
    #[arg(long = "type", value_name = "TYPE", value_parser = syntax)]
    syntax: Option<Syntax>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The syntax of a content type or of its short name.
fn syntax(name: &str) -> Result<Syntax, String> {
    match name {
        "json" => Ok(Syntax::Json),
        "form" => Ok(Syntax::Form),
        "text" => Ok(Syntax::Text),
        _ if !name.contains('/') => Err("expected json, form, text, or a content type such as application/json".into()),
        _ => syntax_of_content_type(name)
            .ok_or_else(|| "bodies of this type are never recorded; only their type and size are".into()),
    }
}

impl RedactCommand {
    pub(crate) fn run(self, settings: &Settings) -> Result<(), CommandError> {
        let Self::Check(check) = self;
        check.run(&settings.log.redactor())
    }
}

impl Check {
    fn run(&self, redactor: &Redactor) -> Result<(), CommandError> {
        let body = self.input()?;
        let syntax = self.syntax.unwrap_or_else(|| Syntax::guess(&String::from_utf8_lossy(&body)));
        let findings = redactor.findings(&body, syntax);
        let count = findings.len();
        if self.json {
            print(&to_json(&findings.iter().map(as_json).collect::<Vec<_>>())?)?;
        } else if count > 0 {
            print(&table(&findings))?;
        } else {
            print("nothing is redacted")?;
        }
        match count {
            0 => Ok(()),
            1 => Err(CommandError::Other("1 value is redacted".into())),
            _ => Err(CommandError::Other(format!("{count} values are redacted"))),
        }
    }

    fn input(&self) -> Result<Vec<u8>, CommandError> {
        let (name, read) = match self.file.as_deref().filter(|file| *file != Path::new("-")) {
            Some(file) => (file.display().to_string(), std::fs::read(file)),
            None => {
                let mut body = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut body);
                ("standard input".to_owned(), read.map(|_| body))
            }
        };
        read.map_err(|error| CommandError::UnreadableInput(format!("cannot read {name}: {error}")))
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let Finding { line, column, rule, shown } = finding;
    json!({ "line": line, "column": column, "rule": rule.kind(), "name": rule.name(), "shown": shown })
}

fn table(findings: &[Finding]) -> String {
    let mut rows = vec![["LINE:COLUMN", "RULE", "OUTPUT"].map(str::to_owned).to_vec()];
    rows.extend(findings.iter().map(|Finding { line, column, rule, shown }| {
        vec![format!("{line}:{column}"), rule.to_string(), shown.clone()]
    }));
    columns(&rows)
}
