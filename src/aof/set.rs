//! Which files make one AOF (FORMATS B.4): those that the manifest of a folder names, and what else lies
//! there.
//!
//! ```text
//! appendonlydir/
//!   appendonly.aof.manifest
//!   appendonly.aof.3.base.rdb       F.<seq>.base.rdb|aof
//!   appendonly.aof.3.incr.aof       F.<seq>.incr.aof
//!   temp-appendonly.aof.manifest    left behind by a crash
//! ```

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::folder::{Folder, Node};
use super::manifest::{self, Entry, Kind, Manifest};
use crate::finding::{Code, Finding, shown};

/// Largest manifest that is read, in bytes: some ten thousand files.
const MANIFEST: u64 = 1 << 20;

/// What a name in the folder of an AOF is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// `F.manifest`.
    Manifest,
    /// `F.<seq>.base.rdb`, `F.<seq>.base.aof` or `F.<seq>.incr.aof`.
    Part {
        /// Its number.
        seq: i64,
        /// Base or incr.
        kind: Kind,
    },
    /// What a server writes before it gives a file its name.
    Temp,
}

/// Tells what a name is, and the `F` that it belongs to.
pub fn role(name: &[u8]) -> Option<(&[u8], Role)> {
    if let Some(rest) = name.strip_prefix(b"temp-") {
        let stem = rest.strip_suffix(b".manifest").or_else(|| rest.strip_suffix(b".incr"));
        let own = rest.starts_with(b"rewriteaof-") && rest.ends_with(b".aof");
        let rdb = rest.strip_suffix(b".rdb").filter(|pid| pid.iter().all(u8::is_ascii_digit));
        let stem = stem.or(own.then_some(&b""[..])).or(rdb.map(|_| &b""[..]))?;
        return Some((stem, Role::Temp));
    }
    if name.starts_with(b".rdbtool.") && name.ends_with(b".tmp") {
        return Some((b"", Role::Temp));
    }
    if let Some(stem) = name.strip_suffix(b".manifest") {
        return (!stem.is_empty()).then_some((stem, Role::Manifest));
    }
    let kinds: [(&[u8], Kind); 3] =
        [(b".base.rdb", Kind::Base), (b".base.aof", Kind::Base), (b".incr.aof", Kind::Incr)];
    let (stem, kind) =
        kinds.iter().find_map(|(end, kind)| Some((name.strip_suffix(*end)?, *kind)))?;
    let dot = stem.iter().rposition(|byte| *byte == b'.')?;
    let (stem, number) = stem.split_at(dot);
    let seq = std::str::from_utf8(number.get(1..)?).ok()?.parse().ok().filter(|seq| *seq > 0)?;
    (!stem.is_empty()).then_some((stem, Role::Part { seq, kind }))
}

/// The name of a base as a server chooses it.
pub fn base_name(stem: &[u8], seq: i64, is_commands: bool) -> Vec<u8> {
    let end = if is_commands { "aof" } else { "rdb" };
    [stem, format!(".{seq}.base.{end}").as_bytes()].concat()
}

/// The name of an incr file as a server chooses it.
pub fn incr_name(stem: &[u8], seq: i64) -> Vec<u8> {
    [stem, format!(".{seq}.incr.aof").as_bytes()].concat()
}

/// A multi-part AOF.
#[derive(Debug)]
pub struct Set {
    /// Its folder.
    pub folder: Folder,
    /// What the names of its files begin with: the server's `appendfilename`.
    pub stem: Vec<u8>,
    /// Its manifest, when there is one.
    pub manifest: Option<Manifest>,
    /// The files of the manifest: those that a server loads in its order, then the history.
    pub parts: Vec<Part>,
    /// Parts that the manifest does not name, and their sizes.
    pub orphans: Vec<(OsString, u64)>,
    /// Temporary files, and their sizes.
    pub temps: Vec<(OsString, u64)>,
    /// What is wrong with the manifest; spans are those of its lines.
    pub manifest_findings: Vec<Finding>,
    /// What is wrong with the folder.
    pub findings: Vec<Finding>,
}

/// A file that the manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its line.
    pub entry: Entry,
    /// What is there under its name.
    pub node: Option<Node>,
}

impl Part {
    /// Its name.
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.entry.name)
    }

    /// Whether a server loads it.
    pub fn is_loaded(&self) -> bool {
        self.entry.kind != Kind::History
    }
}

/// The AOFs in a folder: the `F` of each manifest, or of each part where there is no manifest.
pub fn stems(folder: &Folder) -> Vec<Vec<u8>> {
    let found = |wanted: fn(&Role) -> bool| {
        let roles = folder.nodes().filter_map(|(name, _)| role(name.as_bytes()));
        let mut stems: Vec<_> =
            roles.filter(|(_, role)| wanted(role)).map(|(stem, _)| stem.to_vec()).collect();
        stems.dedup();
        stems
    };
    let mut all = found(|role| *role == Role::Manifest);
    all.extend(found(|role| matches!(role, Role::Part { .. })));
    let mut seen = std::collections::HashSet::new();
    all.retain(|stem| seen.insert(stem.clone()));
    all
}

impl Set {
    /// Finds the files of the AOF with this `F` in a folder.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn open(folder: Folder, stem: &[u8]) -> io::Result<Set> {
        let name = [stem, b".manifest"].concat();
        let mut set = Set {
            folder,
            stem: stem.to_vec(),
            manifest: None,
            parts: Vec::new(),
            orphans: Vec::new(),
            temps: Vec::new(),
            manifest_findings: Vec::new(),
            findings: Vec::new(),
        };
        match set.folder.node(OsStr::from_bytes(&name)) {
            None => {}
            Some(Node::File(_)) => set.read_manifest(OsStr::from_bytes(&name))?,
            Some(node) => {
                set.note(
                    Code::AofFileKind,
                    "a regular file",
                    format!("{}: {}", shown(&name), node.as_str()),
                );
            }
        }
        set.look_around();
        Ok(set)
    }

    /// The manifest's path, whether it is there or not.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.path.join(OsString::from_vec([&self.stem[..], b".manifest"].concat()))
    }

    fn note(&mut self, code: Code, expected: impl Into<String>, found: impl Into<String>) {
        self.findings.push(Finding::new(code, 0..0, expected, found));
    }

    fn read_manifest(&mut self, name: &OsStr) -> io::Result<()> {
        let mut text = Vec::new();
        self.folder.file(name)?.0.take(MANIFEST + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MANIFEST {
            let found = "a longer one";
            let finding = Finding::new(Code::ManifestLine, 0..0, "at most 1 MiB", found);
            self.manifest_findings.push(finding);
            self.manifest = Some(Manifest::default());
            return Ok(());
        }
        let (manifest, findings) = manifest::parse(&text);
        self.manifest_findings.extend(findings);
        let history = manifest.entries.iter().filter(|entry| entry.kind == Kind::History);
        let entries = manifest.loaded().chain(history);
        for entry in entries.cloned().collect::<Vec<_>>() {
            let node = self.folder.node(OsStr::from_bytes(&entry.name));
            self.present(&entry, node);
            self.parts.push(Part { entry, node });
        }
        self.manifest = Some(manifest);
        Ok(())
    }

    fn present(&mut self, entry: &Entry, node: Option<Node>) {
        let name = shown(&entry.name);
        let (code, found) = match (node, entry.kind) {
            (Some(Node::File(_)), _) => return,
            (Some(node), _) => (Code::AofFileKind, format!("{name}: {}", node.as_str())),
            (None, Kind::History) => (Code::AofHistoryMissing, format!("no {name}")),
            (None, _) => (Code::AofFileMissing, format!("no {name}")),
        };
        let expected = format!("the {} file of line {}", entry.kind.as_str(), entry.line);
        self.note(code, expected, found);
    }

    /// What is there besides.
    fn look_around(&mut self) {
        let mut loose = Vec::new();
        for (name, node) in self.folder.nodes() {
            let (Some((stem, role)), Node::File(size)) = (role(name.as_bytes()), node) else {
                continue;
            };
            let mut entries = self.manifest.iter().flat_map(|manifest| &manifest.entries);
            let named = entries.any(|entry| entry.name == name.as_bytes());
            match role {
                Role::Temp if stem.is_empty() || stem == self.stem => {
                    self.temps.push((name.to_owned(), size));
                }
                Role::Part { seq, kind } if stem == self.stem && !named => {
                    self.orphans.push((name.to_owned(), size));
                    loose.push((name.as_bytes().to_vec(), size, seq, kind));
                }
                _ => {}
            }
        }
        if self.manifest.is_none() && !loose.is_empty() {
            let found = format!("none, and {} parts", loose.len());
            self.note(Code::AofNoManifest, format!("a manifest, {}", self.manifest_name()), found);
        }
        let incr = |part: &Part| part.entry.kind == Kind::Incr;
        // A server that starts without an incr file takes the next number, and appends to what is there.
        let next = (!self.parts.iter().any(incr)).then_some(1);
        for (name, size, seq, kind) in loose {
            if kind == Kind::Incr && Some(seq) == next && size > 0 {
                let found = format!("{} of {size} bytes", shown(&name));
                self.note(Code::AofSameName, "no file of that name", found);
            } else if self.manifest.is_some() {
                self.note(Code::AofOrphan, "only files of the manifest", shown(&name));
            }
        }
        for (name, size) in self.temps.clone() {
            let found = format!("{}, {size} bytes", shown(name.as_bytes()));
            self.note(Code::AofTempFile, "no temporary files", found);
        }
    }

    fn manifest_name(&self) -> String {
        shown(&[&self.stem[..], b".manifest"].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let part = |seq, kind| Role::Part { seq, kind };
        let cases: &[(&str, Option<(&str, Role)>)] = &[
            ("appendonly.aof.manifest", Some(("appendonly.aof", Role::Manifest))),
            ("a.1.base.rdb", Some(("a", part(1, Kind::Base)))),
            ("a.12.base.aof", Some(("a", part(12, Kind::Base)))),
            ("my aof.7.incr.aof", Some(("my aof", part(7, Kind::Incr)))),
            ("a.1.incr.rdb", None),
            ("a.x.incr.aof", None),
            ("a.0.incr.aof", None),
            (".1.incr.aof", None),
            ("incr.aof", None),
            ("temp-a.manifest", Some(("a", Role::Temp))),
            ("temp-a.incr", Some(("a", Role::Temp))),
            ("temp-rewriteaof-77.aof", Some(("", Role::Temp))),
            ("temp-rewriteaof-bg-77.aof", Some(("", Role::Temp))),
            ("temp-123.rdb", Some(("", Role::Temp))),
            ("temp-mine.rdb", None),
            (".rdbtool.0123456789abcdef.tmp", Some(("", Role::Temp))),
            (".manifest", None),
            ("dump.rdb", None),
        ];
        for (name, want) in cases {
            let got = role(name.as_bytes());
            assert_eq!(got, want.as_ref().map(|(s, role)| (s.as_bytes(), role.clone())), "{name}");
        }
    }
}
