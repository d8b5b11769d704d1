//! The hidden verb that packagers use: manual pages and shell completions, made from the program itself.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::session::Log;
use super::{Exit, command, man};

/// Writes manual pages or completions.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Manual pages into a folder.
    Man {
        /// The folder; files in it are written anew.
        folder: PathBuf,
    },
    /// Completions for a shell, on standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

impl GenerateArgs {
    /// Writes them.
    pub(crate) fn run(self, _: &Log) -> anyhow::Result<Exit> {
        match self.what {
            What::Man { folder } => {
                for (name, page) in man::pages()? {
                    fs::write(folder.join(name), page)?;
                }
            }
            What::Completions { shell } => {
                clap_complete::generate(shell, &mut command(), "rdbtool", &mut io::stdout());
            }
        }
        Ok(Exit::Clean)
    }
}
