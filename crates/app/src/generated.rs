//! `app completions` and `app man`: what is generated from the definition of the command line. The release has their output.

use std::path::PathBuf;

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
            Self::Man { directory } => {
                let written = clap_mangen::generate_to(definition, &directory);
                let shown = directory.display();
                written.map_err(|error| CommandError::Other(format!("cannot write to {shown}: {error}")))?;
                Ok(format!("the manual pages are in {shown}"))
            }
        }
    }
}
