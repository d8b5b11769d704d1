//! What `digest` prints: a line for a file as sha1sum prints it, or a JSON object for a file or key.

use std::io::{self, Write};

use serde::Serialize;

use super::escape::path;
use super::facts::File;
use super::json::{self, Bytes};
use crate::job::look::matching;
use crate::job::replay::{Release, Report, Style};

/// Fields of `--json`, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("file", "Its name."),
    ("digest", "Forty hexadecimal digits: DEBUG DIGEST, or with --per-key DEBUG DIGEST-VALUE."),
    ("server", "The server whose digest it is, such as redis-7.2."),
    ("whole", "Whether all of the file could be replayed."),
    ("db, key, type", "With --per-key: the key."),
];

/// What a digest is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest<'f> {
    pub(crate) file: &'f File<'f>,
    pub(crate) server: Release,
    pub(crate) style: Style,
    pub(crate) clean: bool,
}

#[derive(Debug, Serialize)]
struct DigestJson<'a> {
    file: Bytes<'a>,
    digest: String,
    server: String,
    whole: bool,
}

/// The line of a file.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn line(
    out: &mut dyn Write,
    of: &Digest<'_>,
    report: &mut Report,
    jobs: usize,
    as_json: bool,
) -> io::Result<()> {
    let digest = report.store.look().digest(of.style, jobs).to_string();
    if as_json {
        let file = Bytes(of.file.path.as_os_str().as_encoded_bytes());
        let server = of.server.to_string();
        return json::line(out, &DigestJson { file, digest, server, whole: of.clean });
    }
    writeln!(out, "{digest}  {}", path(of.file.path))
}

#[derive(Debug, Serialize)]
struct KeyJson<'a> {
    file: Bytes<'a>,
    db: u64,
    key: Bytes<'a>,
    #[serde(rename = "type")]
    type_name: &'a str,
    digest: String,
}

/// A line for each key.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn every_key(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &mut Report,
    style: Style,
) -> io::Result<()> {
    for info in matching(&report.store.look(), b"*", style) {
        let key = KeyJson {
            file: Bytes(file.path.as_os_str().as_encoded_bytes()),
            db: info.db,
            key: Bytes(&info.key),
            type_name: &info.type_name,
            digest: info.digest.to_string(),
        };
        json::line(out, &key)?;
    }
    Ok(())
}
