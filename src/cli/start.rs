//! Which server a check is for: its settings, and with them what it would load when it starts.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Exit;
use super::session::Session;
use crate::aof::folder::Folder;
use crate::aof::settings::Settings;
use crate::aof::startup::{Plan, guess, plan};
use crate::error::{Error, Result};
use crate::report::json;
use crate::report::startup::{StartupJson, needs_a_look, text};

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
        let text = std::fs::read(config).map_err(|err| Error::io(config, "read", err))?;
        let mut settings = Settings::parse(&text).map_err(|line| {
            let name = config.display();
            Error::Usage(format!("{name}: line {line} is nothing that a server takes"))
        })?;
        settings.append_only = append_only.unwrap_or(settings.append_only);
        if paths.is_empty() {
            // A `dir` that is not absolute is one of the folder a server was started in: most likely
            // that of its configuration.
            let here = config.parent().unwrap_or(Path::new("."));
            let dir = settings.dir.clone().unwrap_or_default();
            let dir = here.join(dir);
            paths.push(if dir == Path::new("") { PathBuf::from(".") } else { dir });
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
            let (settings, plan) = self.plan(folder)?;
            if as_json {
                json::line(&mut session.out, &StartupJson::new(folder, &settings, &plan))?;
            } else {
                if gap {
                    writeln!(session.out)?;
                }
                text(&mut session.out, folder, &settings, &plan, &session.screen)?;
                gap = true;
            }
            session.note(if needs_a_look(&plan) { Exit::Look } else { Exit::Clean });
        }
        if gap && !as_json {
            writeln!(session.out)?;
        }
        Ok(())
    }

    fn plan(&self, folder: &Path) -> Result<(Settings, Plan)> {
        let failed = |err| Error::io(folder, "read", err);
        let mut settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => guess(&Folder::open(folder).map_err(failed)?),
        };
        settings.append_only = self.append_only.unwrap_or(settings.append_only);
        let plan = plan(folder, &settings, true).map_err(failed)?;
        Ok((settings, plan))
    }
}
