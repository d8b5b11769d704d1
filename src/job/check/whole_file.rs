//! What only the whole file can tell: its end, its checksum, its version against what is in it.

use std::collections::HashSet;

use super::Options;
use crate::element::ModuleId;
use crate::encoding::crc64::{combine, crc64};
use crate::finding::{Code, Excerpt, Finding, Findings, KeyPlace, plural};
use crate::job::behind::Behind;
use crate::job::rdb_facts::{Fact, Facts, Met};
use crate::rdb::header::Header;
use crate::rdb::reader::describe_damaged;
use crate::rdb::skim::{Checksum, Outcome};
use crate::rdb::versions::newest;

/// Adds the findings.
pub(in crate::job) fn check(
    facts: &Facts,
    outcome: &Outcome,
    tail: &[u8],
    options: &Options,
    findings: &mut Findings,
) {
    if let Some(mut damage) = outcome.damage.clone() {
        let record = &outcome.damaged_record;
        let described = outcome.header.and_then(|head| describe_damaged(record, head));
        if let Some((key, row)) = described {
            damage.key =
                Some(KeyPlace { db: outcome.db, key, type_name: row.name, elements: None });
        }
        findings.add(damage);
    }
    let mut footer = |code, stored: u64, expected: &str, found: &str| {
        let span = outcome.end.saturating_sub(8)..outcome.end;
        let bytes = stored.to_le_bytes().to_vec();
        let excerpt = Some(Excerpt { offset: span.start, bytes });
        findings.add(Finding { excerpt, ..Finding::new(code, span, expected, found) });
    };
    match outcome.checksum {
        Checksum::Ok | Checksum::Unknown => {}
        Checksum::Bad { stored, computed } => {
            let [expected, found] = [computed, stored].map(|crc| format!("{crc:016x}"));
            footer(Code::RdbCrc, stored, &expected, &found);
        }
        Checksum::Disabled => footer(Code::RdbCrcDisabled, 0, "a checksum", "0"),
        Checksum::Absent => {
            findings.add(Finding::new(
                Code::RdbCrcAbsent,
                outcome.end..outcome.end,
                "a checksum",
                "none",
            ));
        }
    }
    if let Some(header) = facts.header() {
        versions(facts, header, findings);
        if outcome.checksum == Checksum::Absent {
            changed_version(outcome, header, tail, findings);
        }
    }
    trailing(facts, outcome, tail, findings);
    if facts.dropped() > 0 {
        let (end, found) = (outcome.end, format!("{} more than are kept", facts.dropped()));
        let expected = "function libraries and data of modules as a server has them";
        findings.add(Finding::new(Code::BesideLimit, end..end, expected, found));
    }
    duplicate_functions(facts, findings);
    modules(facts, findings);
    if options.filter.is_open() && outcome.damage.is_none() {
        resize_hints(facts, findings);
    }
}

fn trailing(facts: &Facts, outcome: &Outcome, tail: &[u8], findings: &mut Findings) {
    if let Behind::Garbage(len) = Behind::of(facts, outcome, tail) {
        let span = outcome.end..outcome.size;
        let found = format!("{len} bytes more");
        let mut finding = Finding::new(Code::TrailingBytes, span, "the end of the file", found);
        finding.excerpt = Excerpt::around(tail, outcome.end, outcome.end);
        findings.add(finding);
    }
}

fn modules(facts: &Facts, findings: &mut Findings) {
    let values = facts.modules.iter().filter(|(id, _)| **id != ModuleId::VECTORSET);
    let values =
        values.map(|(id, met)| (*met, format!("{} of module type {}", met.count, id.name())));
    let aux = facts.once.iter().filter_map(|fact| match fact {
        Fact::ModuleAux(id, offset, _) => {
            let met = Met { count: 1, first: *offset };
            Some((met, format!("data of module type {}", id.name())))
        }
        _ => None,
    });
    let meta = facts.key_meta.map(|met| {
        (met, format!("metadata of modules on {} {}", met.count, plural(met.count, "key")))
    });
    for (met, found) in values.chain(aux).chain(meta) {
        let at = met.first..met.first + 1;
        findings.add(Finding::new(Code::ModuleUnknown, at, "what every server knows", found));
    }
}

fn versions(facts: &Facts, header: Header, findings: &mut Findings) {
    let known = newest(header.dialect);
    if header.version > known || !header.is_strict() {
        let expected = format!("a {} RDB of version 1 to {known}", header.dialect.as_str());
        findings.add(Finding::new(
            Code::RdbVersionUnknown,
            0..9,
            expected,
            format!("version {}", header.version),
        ));
    }
    let types = facts.types().map(|(row, met)| (row.name, row.since, row.provisional, met));
    let opcodes = facts.opcodes().map(|(row, met)| (row.name, row.since, row.provisional, met));
    for (name, since, provisional, met) in types.chain(opcodes) {
        let at = met.first..met.first + 1;
        if provisional {
            let expected = "a record that was seen in real files";
            findings.add(Finding::new(Code::RdbTypeProvisional, at.clone(), expected, name));
        }
        if since > header.version {
            let expected = format!("records of RDB version {} or before", header.version);
            let found = format!("{name}, which came with version {since}");
            findings.add(Finding::new(Code::RdbTypeVersion, at, expected, found));
        }
    }
}

/// A header whose version was damaged to one without a checksum: the checksum is still there, and fits
/// the file with another version.
fn changed_version(outcome: &Outcome, header: Header, tail: &[u8], findings: &mut Findings) {
    let Some(&stored) = tail.first_chunk::<8>() else { return };
    let after = outcome.end.saturating_sub(Header::LEN as u64);
    let head = |version: u16| format!("REDIS{version:04}");
    let written = crc64(&header.bytes);
    let with = |version| {
        let change = written ^ crc64(head(version).as_bytes());
        outcome.computed ^ combine(change, 0, after)
    };
    let fits = (5..=newest(header.dialect)).find(|v| with(*v) == u64::from_le_bytes(stored));
    if let Some(version) = fits {
        let expected = format!("version {version}, with which the checksum fits");
        findings.add(Finding::new(
            Code::RdbVersion,
            5..9,
            expected,
            format!("version {}", header.version),
        ));
    }
}

fn duplicate_functions(facts: &Facts, findings: &mut Findings) {
    let mut names = HashSet::new();
    for library in facts.functions().filter(|library| !library.pre_ga) {
        let Some(name) = &library.name else { continue };
        if !names.insert(name) {
            let found = format!("\"{}\" again", name.escape_ascii());
            let at = library.offset..library.offset + 1;
            findings.add(Finding::new(Code::DupFunction, at, "each library once", found));
        }
    }
}

fn resize_hints(facts: &Facts, findings: &mut Findings) {
    for fact in &facts.once {
        let Fact::ResizeDb(db, keys, expires, offset) = *fact else { continue };
        let count = facts.databases.get(&db).copied().unwrap_or_default();
        if (keys, expires) != (count.keys, count.expires) {
            let expected = format!("{} keys, {} with an expire", count.keys, count.expires);
            let found = format!("{keys} keys, {expires} with an expire");
            findings.add(Finding::new(Code::ResizeDbHint, offset..offset + 1, expected, found));
        }
    }
}
