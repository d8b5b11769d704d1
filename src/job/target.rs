//! Would this server load that file? One answer, with every reason (FORMATS A.1, A.6, A.8).

use super::check::Report;
use crate::element::ModuleId;
use crate::finding::{Code, Finding};
use crate::rdb::header::{Dialect, Header};
use crate::rdb::types::{DataType, TYPES};
use crate::rdb::versions::{Release, Sanitize};

/// What a server would do with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub release: &'static Release,
    /// Why it would not load it; empty when it would.
    pub reasons: Vec<String>,
    /// What goes wrong although it loads.
    pub doubts: Vec<String>,
}

impl Target {
    /// Whether the server would load the file.
    pub fn loads(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Which servers a finding keeps from loading the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Every one.
    Always,
    /// Those that look at packed values at all (Redis 6.2 on).
    Shallow,
    /// Those that count what streams hold (Redis 8.8, Valkey 9).
    Counts,
    /// Those that look at everything (Valkey 9).
    Deep,
    /// None.
    Never,
}

/// Judges a checked RDB for a server.
pub fn judge(report: &Report, release: &'static Release) -> Target {
    let mut target = Target { release, reasons: Vec::new(), doubts: Vec::new() };
    if let Some(header) = report.outcome.header {
        if let Err(reason) = release.takes_header(header) {
            target.reasons.push(reason);
        }
        rows(report, header, release, &mut target.reasons);
    }
    modules(report, release, &mut target.reasons);
    if release.narrow_backlen && report.facts.backlen.wide {
        target.reasons.push(
            "listpack entries of 16383, 2097151 or 268435455 bytes as older servers write them \
             (lp-backlen-wide)"
                .to_owned(),
        );
    }
    if !release.narrow_backlen && report.facts.backlen.narrow {
        target.reasons.push(
            "listpack entries of 16383, 2097151 or 268435455 bytes as Redis 8.8 and Valkey 9.1 \
             write them (lp-backlen-narrow)"
                .to_owned(),
        );
    }
    findings(report, release, &mut target);
    target
}

fn rows(report: &Report, header: Header, release: &Release, reasons: &mut Vec<String>) {
    let types = report.facts.types().map(|(row, met)| (row.name, row.since, row.dialects, met));
    let opcodes = report.facts.opcodes().map(|(row, met)| (row.name, row.since, row.dialects, met));
    for (name, since, dialects, met) in types.chain(opcodes) {
        if !release.knows(since, dialects) {
            let at = met.first;
            reasons.push(format!("{name} (RDB {since}), {} of them, first at {at:#x}", met.count));
        }
    }
    // With the magic REDIS, Valkey takes a byte for its own where it has one of that number.
    let foreign = release.dialect == Dialect::Valkey && header.dialect == Dialect::Redis;
    let key_meta = report.facts.key_meta.filter(|_| foreign || release.rdb_version < 13);
    if let Some(met) = key_meta {
        reasons.push(format!("key metadata on {} keys (RDB 13)", met.count));
    }
    let functions_pre_ga = report.facts.functions().filter(|library| library.pre_ga).count();
    if functions_pre_ga > 0 && !release.functions_pre_ga && release.rdb_version >= 10 {
        reasons.push(format!("{functions_pre_ga} functions of the 7.0 release candidates"));
    }
}

fn modules(report: &Report, release: &Release, reasons: &mut Vec<String>) {
    let is_ours = |id: ModuleId| id == ModuleId::VECTORSET && release.vectorset;
    for (id, met) in report.facts.modules.iter().filter(|(id, _)| !is_ours(**id)) {
        let name = id.name();
        reasons.push(format!("{} keys of module type {name}, unless it is loaded", met.count));
    }
    for fact in &report.facts.once {
        if let super::rdb_facts::Fact::ModuleAux(id, _) = fact {
            reasons.push(format!("data of module type {}, unless it is loaded", id.name()));
        }
    }
}

fn findings(report: &Report, release: &Release, target: &mut Target) {
    let mut told = std::collections::BTreeSet::new();
    for finding in &report.findings {
        let refused = match refused(finding) {
            Refused::Always => true,
            Refused::Shallow => release.sanitize >= Sanitize::Shallow,
            Refused::Counts => release.sanitize >= Sanitize::Counts,
            Refused::Deep => release.sanitize >= Sanitize::Deep,
            Refused::Never => false,
        };
        let serious = finding.severity() == crate::finding::Severity::Error;
        if !(refused || serious) || !told.insert((finding.code, refused)) {
            continue;
        }
        let count = report.findings.iter().filter(|other| other.code == finding.code).count();
        let at = finding.span.start;
        let text = match finding.code {
            Code::DbRange => {
                format!("database {} with `databases` as it is (db-range)", finding.found)
            }
            code => format!("{code}, {count} of them, first at {at:#x}"),
        };
        match refused {
            true => target.reasons.push(text),
            false => target.doubts.push(text),
        }
    }
}

fn refused(finding: &Finding) -> Refused {
    use Refused::{Always, Counts, Deep, Never, Shallow};
    match finding.code {
        // How a file is framed matters to every server.
        Code::RdbEmptyFile
        | Code::RdbMagic
        | Code::RdbVersion
        | Code::RdbTruncated
        | Code::RdbNoEof
        | Code::RdbCrc
        | Code::RdbOpcode
        | Code::ModulePreGa
        | Code::ModuleOpcode
        | Code::DbRange
        | Code::DbInvalid
        | Code::FunctionCode
        | Code::DupFunction
        | Code::DupKey
        | Code::LengthEncoding
        | Code::StringEncoding
        | Code::StringLzf
        | Code::SlotRange
        | Code::SlotJob
        | Code::KeyMeta
        | Code::ListContainer
        | Code::StreamNodeKey
        | Code::GroupDup
        | Code::ConsumerDup
        | Code::PelDup
        | Code::PelUnknown
        | Code::ArrayInvalid
        | Code::VectorSet => Always,
        Code::DupMember | Code::DupField | Code::ZsetNan | Code::PairOdd => packed(finding),
        Code::HashTtl => match is_packed(finding) {
            true => Deep,
            false => Always,
        },
        Code::PackedType
        | Code::LpHeader
        | Code::ZlHeader
        | Code::ZlEntry
        | Code::ZlPrevlen
        | Code::ZlTail
        | Code::ZlCount
        | Code::IntsetHeader
        | Code::ZipmapEntry
        | Code::ZipmapCount
        | Code::ListNodeEmpty => Shallow,
        Code::LpEntry
        | Code::LpBacklen
        | Code::LpCount
        | Code::IntsetOrder
        | Code::HashTtlOrder
        | Code::StreamNode
        | Code::PelOrphan => Deep,
        Code::StreamCounts
        | Code::StreamEntriesAdded
        | Code::GroupEntriesRead
        | Code::PelShared
        | Code::NackInvalid
        | Code::StreamIdmp => Counts,
        _ => Never,
    }
}

/// Values that are converted element by element are looked at by every server that can; those that go
/// into memory as they are only by the thorough ones.
fn packed(finding: &Finding) -> Refused {
    match is_packed(finding) {
        true => Refused::Deep,
        false => Refused::Always,
    }
}

fn is_packed(finding: &Finding) -> bool {
    let name = finding.key.as_ref().map_or("", |key| key.type_name);
    TYPES.iter().any(|row| {
        row.name == name
            && row.data != DataType::Stream
            && matches!(row.encoding, "listpack" | "listpackex" | "intset")
    })
}
