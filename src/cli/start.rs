//! Which server a check is for: its settings, and with them what it would load when it starts.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Exit;
use super::session::Session;
use crate::error::Result;
use crate::job::startup::{Settings, data_folder, read_config, startup};
use crate::report::json;
use crate::report::startup::{StartupJson, text};

/// A server's settings.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct StartArgs {
    /// Read the settings of a server from its redis.conf, and say what it would load when it starts. The
    /// files are those of its `dir`, unless a PATH is given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Say what a server with this setting would load from a folder when it starts.
    #[arg(long, value_name = "yes|no")]
    appendonly: Option<YesNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

/// A server's settings and folders.
#[derive(Debug)]
pub(crate) struct Start {
    settings: Option<Settings>,
    append_only: Option<bool>,
    paths: Vec<PathBuf>,
}

impl StartArgs {
    /// Reads the settings; `paths` are what the user named.
    pub(crate) fn read(&self, paths: &[PathBuf]) -> Result<Start> {
        let append_only = self.appendonly.map(|yes| yes == YesNo::Yes);
        let mut paths = paths.to_vec();
        let Some(config) = &self.config else {
            return Ok(Start { settings: None, append_only, paths });
        };
        let mut settings = read_config(config)?;
        settings.append_only = append_only.unwrap_or(settings.append_only);
        if paths.is_empty() {
            paths.push(data_folder(config, &settings));
        }
        Ok(Start { settings: Some(settings), append_only, paths })
    }
}

impl Start {
    /// The paths to check.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The settings, those of a server of which nothing is known where none were given.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.clone().unwrap_or_default()
    }

    /// Says what the server would load from each folder, if that was asked for.
    pub(crate) fn tell(
        &self,
        session: &mut Session<'_>,
        as_json: bool,
        mut gap: bool,
    ) -> anyhow::Result<()> {
        if self.settings.is_none() && self.append_only.is_none() {
            return Ok(());
        }
        for folder in self.paths.iter().filter(|path| path.is_dir()) {
            let startup = startup(folder, self.settings.as_ref(), self.append_only)?;
            if as_json {
                json::line(&mut session.out, &StartupJson::new(folder, &startup))?;
            } else {
                if gap {
                    writeln!(session.out)?;
                }
                text(&mut session.out, folder, &startup, &session.screen)?;
                gap = true;
            }
            session.note(if startup.needs_a_look() { Exit::Look } else { Exit::Clean });
        }
        if gap && !as_json {
            writeln!(session.out)?;
        }
        Ok(())
    }
}
