//! Configurations for supervisord.

use std::path::{Path, PathBuf};

/// One program for supervisord to run. Its stderr is redirected to its stdout.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its name in supervisord.
    pub name: String,
    /// The command, in supervisord's own syntax: `%` is written `%%`.
    pub command: String,
    /// Variables added to its environment, unescaped.
    pub environment: Vec<(String, String)>,
    /// Its working directory; by default supervisord's.
    pub directory: Option<PathBuf>,
    /// The file for the program's output; by default the output is read and discarded.
    pub stdout_logfile: Option<PathBuf>,
    /// Further lines of its section, in supervisord's own syntax.
    pub extra: Vec<String>,
}

impl Program {
    /// A program with this name and command only.
    pub fn new(name: &str, command: &str) -> Self {
        Self { name: name.to_owned(), command: command.to_owned(), ..Self::default() }
    }

    fn section(&self) -> String {
        let mut lines = vec![
            format!("[program:{}]", self.name),
            format!("command={}", self.command),
            "redirect_stderr=true".to_owned(),
            format!("stdout_logfile={}", self.stdout_logfile.as_deref().map_or("none", path)),
        ];
        lines.extend(self.directory.as_deref().map(|directory| format!("directory={}", path(directory))));
        if !self.environment.is_empty() {
            let variables: Vec<_> = self.environment.iter().map(|(key, value)| variable(key, value)).collect();
            lines.push(format!("environment={}", variables.join(",")));
        }
        lines.extend(self.extra.iter().cloned());
        lines.join("\n") + "\n"
    }
}

/// A complete configuration for [`super::supervisor::Supervisor::start`] that runs these programs.
pub fn conf(programs: &[Program]) -> String {
    let sections: Vec<_> = programs.iter().map(Program::section).collect();
    format!(
        "[supervisord]
nodaemon=true
logfile=%(here)s/supervisord.log
logfile_maxbytes=0
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s

[unix_http_server]
file=%(ENV_SUPERVISOR_SOCKET)s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(ENV_SUPERVISOR_SOCKET)s

{}",
        sections.join("\n")
    )
}

fn path(path: &Path) -> &str {
    let text = path.to_str().expect("supervisord's configuration accepts only UTF-8 paths");
    // `%` is escaped once in `directory` but twice in `stdout_logfile`; no test needs it.
    assert!(!text.contains('%'), "a path for supervisord must not contain `%`: {text}");
    text
}

/// A variable for `environment=`. supervisord's parser has no escapes, so some values cannot be expressed.
fn variable(key: &str, value: &str) -> String {
    let refuse = |why: &str| panic!("supervisord's environment= cannot hold {key}={value:?}: {why}");
    if value.contains(['"', '\n', '\r']) {
        refuse("a double quote or a line break cannot be escaped");
    }
    if value.starts_with('\'') || value.ends_with('\'') {
        refuse("single quotes at either end are stripped");
    }
    let comments = value.char_indices().filter(|(_, c)| matches!(c, ';' | '#'));
    if comments.into_iter().any(|(at, _)| value[..at].ends_with(char::is_whitespace)) {
        refuse("`;` or `#` after a space begins a comment, even in quotes");
    }
    format!("{key}=\"{}\"", value.replace('%', "%%"))
}
