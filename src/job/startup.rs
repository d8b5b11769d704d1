//! What a server would load from its data folder when it starts: its settings, read from its redis.conf or
//! told by the names in the folder, and what follows from them (FORMATS B.4).

use std::path::{Path, PathBuf};

use crate::aof::folder::Folder;
pub use crate::aof::settings::Settings;
pub use crate::aof::startup::{Load, Plan};
use crate::aof::startup::{guess, plan};
use crate::error::{Error, Result};
use crate::finding::Severity;

/// What a server with these settings would do.
#[derive(Debug)]
pub struct Startup {
    /// Its settings.
    pub settings: Settings,
    /// What it loads, passes over and changes.
    pub plan: Plan,
}

impl Startup {
    /// Whether there is something to look at: a trap, or a server that does not start.
    pub fn needs_a_look(&self) -> bool {
        let traps = self.plan.findings.iter().any(|finding| finding.severity() > Severity::Note);
        traps || !self.plan.refuses.is_empty()
    }
}

/// Reads the settings of a redis.conf.
///
/// # Errors
/// When it cannot be read, or a server would refuse a line of it.
pub fn read_config(config: &Path) -> Result<Settings> {
    let text = std::fs::read(config).map_err(|err| Error::io(config, "read", err))?;
    Settings::parse(&text).map_err(|line| {
        let name = config.display();
        Error::Usage(format!("{name}: line {line} is nothing that a server takes"))
    })
}

/// The data folder of a server. A `dir` that is not absolute is one of the folder a server was started in:
/// most likely that of its configuration.
pub fn data_folder(config: &Path, settings: &Settings) -> PathBuf {
    let here = config.parent().unwrap_or(Path::new("."));
    let dir = here.join(settings.dir.clone().unwrap_or_default());
    if dir == Path::new("") { PathBuf::from(".") } else { dir }
}

/// Says what a server would do with a data folder. Without settings those of the names that are there
/// count; `append_only` overrules either.
///
/// # Errors
/// When the folder cannot be read.
pub fn startup(
    folder: &Path,
    settings: Option<&Settings>,
    append_only: Option<bool>,
) -> Result<Startup> {
    let failed = |err| Error::io(folder, "read", err);
    let data = Folder::open(folder).map_err(failed)?;
    let mut settings = settings.cloned().unwrap_or_else(|| guess(&data));
    settings.append_only = append_only.unwrap_or(settings.append_only);
    let plan = plan(&data, &settings, true).map_err(failed)?;
    Ok(Startup { settings, plan })
}
