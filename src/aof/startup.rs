//! What a server would load from its data folder when it starts, and what it would pass over (FORMATS B.4).
//!
//! ```text
//! appendonly yes   the folder's manifest, its base, its incr files
//!                  F itself, from before 7.0: moved into a new folder first
//!                  nothing: an empty data set. The RDB is not read
//! appendonly no    the RDB
//! ```

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::folder::{Folder, Node};
use super::set::Set;
use super::settings::Settings;
use crate::finding::{Code, Finding, Severity, shown};

/// What a server does at its start.
#[derive(Debug)]
pub struct Plan {
    /// What it loads, in order. Empty: it starts without data.
    pub loads: Vec<Load>,
    /// What it does not look at, and why.
    pub ignores: Vec<(PathBuf, String)>,
    /// Why it refuses to start, whatever is in the files; empty when it does not.
    pub refuses: Vec<String>,
    /// What it changes on the disk before it answers.
    pub changes: Vec<String>,
    /// The traps.
    pub findings: Vec<Finding>,
    /// The multi-part AOF of the folder, when there is one.
    pub set: Option<Set>,
}

/// A file that a server loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Where it is.
    pub path: PathBuf,
    /// As what.
    pub what: What,
    /// Whether a damaged end may be cut off: that of the last file only.
    pub last: bool,
}

/// As what a file is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The RDB.
    Rdb,
    /// An AOF of one file.
    Single,
    /// The base of a multi-part AOF.
    Base,
    /// An incr file of a multi-part AOF.
    Incr,
}

impl What {
    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            What::Rdb => "rdb",
            What::Single => "aof",
            What::Base => "base",
            What::Incr => "incr",
        }
    }
}

/// Says what a server with these settings would do with a data folder. `multi_part`: it is of 7.0 or later.
///
/// # Errors
/// When a folder or manifest cannot be read.
pub fn plan(data: &Folder, settings: &Settings, multi_part: bool) -> io::Result<Plan> {
    let parts = match data.node(&settings.append_dir_name) {
        Some(Node::Folder) => Some(data.folder(&settings.append_dir_name)?),
        _ => None,
    };
    let had_folder = parts.is_some();
    let stem = settings.append_file_name.as_bytes();
    let set = parts.map(|folder| Set::open(folder, stem)).transpose()?;
    let mut plan = Plan {
        loads: Vec::new(),
        ignores: Vec::new(),
        refuses: Vec::new(),
        changes: Vec::new(),
        findings: Vec::new(),
        set,
    };
    let server = Server { data, settings, had_folder };
    match (settings.append_only, multi_part) {
        (false, _) => server.without_aof(&mut plan),
        (true, true) => server.multi_part(&mut plan),
        (true, false) => server.single(&mut plan),
    }
    if let Some(last) = plan.loads.last_mut() {
        last.last = true;
    }
    Ok(plan)
}

struct Server<'a> {
    data: &'a Folder,
    settings: &'a Settings,
    had_folder: bool,
}

impl Server<'_> {
    fn path(&self, name: &OsStr) -> PathBuf {
        self.data.path.join(name)
    }

    /// The AOF of before 7.0, if it is there.
    fn old_aof(&self) -> Option<u64> {
        match self.data.node(&self.settings.append_file_name) {
            Some(Node::File(size)) => Some(size),
            _ => None,
        }
    }

    fn without_aof(&self, plan: &mut Plan) {
        match self.data.node(&self.settings.db_file_name) {
            None => plan.changes.push("starts without data: there is no RDB".to_owned()),
            Some(Node::File(0)) => plan.refuses.push("the RDB has no bytes".to_owned()),
            Some(Node::Folder) => plan.refuses.push("the RDB is a folder".to_owned()),
            Some(_) => plan.load(self.path(&self.settings.db_file_name), What::Rdb),
        }
        let why = "`appendonly no`";
        let mut aofs = Vec::new();
        if self.old_aof().is_some_and(|size| size > 0) {
            aofs.push(self.path(&self.settings.append_file_name));
        }
        if let Some(set) = &plan.set
            && (set.parts.iter().any(|part| matches!(part.node, Some(Node::File(1..)))))
        {
            aofs.push(set.folder.path.clone());
        }
        for path in aofs {
            let found = format!("{} with data", shown(path.as_os_str().as_bytes()));
            plan.note(Code::StartIgnoresAof, "no AOF, or `appendonly yes`", found);
            plan.ignores.push((path, why.to_owned()));
        }
    }

    /// Up to 6.2: one file.
    fn single(&self, plan: &mut Plan) {
        match self.old_aof() {
            Some(_) => plan.load(self.path(&self.settings.append_file_name), What::Single),
            None => plan.changes.push("creates an empty AOF".to_owned()),
        }
        if let Some(set) = &plan.set {
            let why = "servers before 7.0 know no AOF of several files";
            plan.ignores.push((set.folder.path.clone(), why.to_owned()));
        }
        self.rdb_is_ignored(plan);
    }

    /// From 7.0 on, in the order in which the server looks.
    fn multi_part(&self, plan: &mut Plan) {
        let Settings { append_file_name, append_dir_name, .. } = self.settings;
        let faults = plan.set.iter().flat_map(|set| &set.manifest_findings);
        let faults = faults.filter(|finding| refuses(finding.code)).count();
        if faults > 0 {
            plan.refuses.push(format!("the manifest has {faults} faults"));
        }
        match self.data.node(append_dir_name) {
            None | Some(Node::Folder) => {}
            Some(node) => plan.refuses.push(format!("the folder of the AOF is {}", node.as_str())),
        }
        let folder = self.data.path.join(append_dir_name);
        match self.old_aof() {
            Some(size) if self.upgrades(plan) => {
                let name = shown(append_file_name.as_bytes());
                plan.changes.push(format!("moves {name} into {}", folder.display()));
                plan.note(
                    Code::StartUpgrades,
                    "an AOF of several files",
                    format!("{name}, {size} bytes"),
                );
                plan.load(self.path(append_file_name), What::Base);
            }
            Some(size) => {
                let found = format!("{}, {size} bytes", shown(append_file_name.as_bytes()));
                plan.note(Code::StartOldAof, "the folder of the AOF only", found);
                let why = "the AOF folder has a manifest".to_owned();
                plan.ignores.push((self.path(append_file_name), why));
                self.parts(plan);
            }
            None => self.parts(plan),
        }
        if plan.loads.is_empty() && plan.refuses.is_empty() {
            plan.changes.push("starts without data, and writes a new base and manifest".to_owned());
        }
        self.rdb_is_ignored(plan);
    }

    /// Whether the old file becomes the base: there is no folder, no manifest, an empty one, or one that
    /// names nothing but the old file, which was to be moved next.
    fn upgrades(&self, plan: &Plan) -> bool {
        let Some(set) = plan.set.as_ref().filter(|_| self.had_folder) else { return true };
        let Some(manifest) = &set.manifest else { return true };
        match manifest.entries.as_slice() {
            [] => set.manifest_findings.iter().all(|finding| !refuses(finding.code)),
            [only] => {
                let name = self.settings.append_file_name.as_bytes();
                only.kind == super::manifest::Kind::Base
                    && only.name == name
                    && set.folder.node(OsStr::from_bytes(name)).is_none()
            }
            _ => false,
        }
    }

    fn parts(&self, plan: &mut Plan) {
        let Some(set) = &plan.set else { return };
        let mut loads = Vec::new();
        for part in set.parts.iter().filter(|part| part.is_loaded()) {
            let path = set.folder.path.join(part.name());
            let what = match part.entry.kind {
                super::manifest::Kind::Base => What::Base,
                _ => What::Incr,
            };
            match part.node {
                // Servers follow links, which nothing here does.
                Some(Node::File(_) | Node::Link) => loads.push((path, what)),
                node => {
                    let is = node.map_or("missing", Node::as_str);
                    plan.refuses.push(format!("{} is {is}", shown(&part.entry.name)));
                }
            }
        }
        for (name, _) in &set.orphans {
            let why = "no manifest names it".to_owned();
            plan.ignores.push((set.folder.path.join(name), why));
        }
        if plan.refuses.is_empty() {
            loads.into_iter().for_each(|(path, what)| plan.load(path, what));
        }
    }

    fn rdb_is_ignored(&self, plan: &mut Plan) {
        let Some(Node::File(size)) = self.data.node(&self.settings.db_file_name) else { return };
        let path = self.path(&self.settings.db_file_name);
        if plan.loads.is_empty() && plan.refuses.is_empty() && size > 0 {
            let found = format!("{}, {size} bytes", shown(self.settings.db_file_name.as_bytes()));
            plan.note(Code::StartIgnoresRdb, "`appendonly no`, or an AOF made of the RDB", found);
        }
        plan.ignores.push((path, "`appendonly yes`".to_owned()));
    }
}

impl Plan {
    fn load(&mut self, path: PathBuf, what: What) {
        self.loads.push(Load { path, what, last: false });
    }

    fn note(&mut self, code: Code, expected: &str, found: String) {
        self.findings.push(Finding::new(code, 0..0, expected, found));
    }
}

/// Whether servers refuse a manifest with such a fault. Names they look at less closely than we do.
pub fn refuses(code: Code) -> bool {
    let harmless = [Code::ManifestDupFile, Code::ManifestNoFiles];
    code.severity() == Severity::Error && !harmless.contains(&code)
}

/// Settings for a data folder whose configuration is not at hand: those of the names that are there.
pub fn guess(folder: &Folder) -> Settings {
    let mut settings = Settings::default();
    let aof = |(name, node): &(&OsStr, Node)| {
        matches!(node, Node::File(_)) && name.as_bytes().ends_with(b".aof")
    };
    let standard = folder.node(&settings.append_dir_name) == Some(Node::Folder)
        || matches!(folder.node(&settings.append_file_name), Some(Node::File(_)));
    if !standard && let Some((name, _)) = folder.nodes().find(aof) {
        settings.append_file_name = name.to_owned();
    }
    settings.append_only = standard || folder.nodes().any(|node| aof(&node));
    settings
}
