//! `app completions` and `app man`: what is generated from the definition of the command line. The release has their output.

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use clap_complete::Shell;

use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(crate) enum GeneratedCommand {
    /// Print the completions for a shell
    ///
    /// The Debian package installs those of bash, zsh and fish. Elsewhere, for the current user:
    ///
    ///   bash: app completions bash > ~/.local/share/bash-completion/completions/app
    ///
    ///   zsh: app completions zsh > DIR/_app, with DIR in $fpath
    ///
    ///   fish: app completions fish > ~/.config/fish/completions/app.fish
    Completions { shell: Shell },
    /// Write the manual pages, one for each command, to a directory
    #[command(hide = true)]
    Man {
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Their date, in seconds since 1970
        #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS", default_value_t = 0)]
        date: i64,
    },
}

impl GeneratedCommand {
    pub(crate) fn run(self, mut definition: clap::Command) -> Result<String, CommandError> {
        match self {
            Self::Completions { shell } => {
                let name = definition.get_name().to_owned();
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut definition, name, &mut script);
                Ok(String::from_utf8_lossy(&script).into_owned())
            }
            Self::Man { directory, date } => {
                let date = jiff::Timestamp::from_second(date)
                    .map_err(|error| CommandError::Usage(format!("SOURCE_DATE_EPOCH: {error}")))?;
                let mut definition = definition.disable_help_subcommand(true);
                definition.build();
                let written = write_pages(&definition, &date.strftime("%Y-%m-%d").to_string(), &directory);
                let shown = directory.display();
                written.map_err(|error| CommandError::Other(format!("cannot write to {shown}: {error}")))?;
                Ok(format!("the manual pages are in {shown}"))
            }
        }
    }
}

/// `clap_mangen::generate_to` sets no date; readers of manual pages then take the version for it.
fn write_pages(command: &clap::Command, date: &str, directory: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand, date, directory)?;
    }
    let source = concat!("app ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).date(date).source(source).manual("Cyanotype");
    page.generate_to(directory).map(drop)
}
