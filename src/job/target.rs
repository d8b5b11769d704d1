//! Would this server load that file? One answer, with every reason (FORMATS A.1, A.6, A.8).

use super::check::Report;
use crate::element::ModuleId;
use crate::finding::{Code, Finding, Severity, plural};
use crate::limits::HASH_PACKED;
use crate::rdb::header::{Dialect, Header};
use crate::rdb::object::hash::TTL_TEXT;
use crate::rdb::opcodes::Kind;
use crate::rdb::types::TYPES;
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

/// Before what a server must have, so that a reason is none.
const UNLESS: &str = ", unless";

impl Target {
    /// The reasons that hold for every server of the release, however it is set up.
    pub fn certain_reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().map(String::as_str).filter(|reason| !reason.contains(UNLESS))
    }

    /// Whether the server would load the file.
    pub fn loads(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Which servers a finding keeps from loading the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Those that check as much as this.
    From(Sanitize),
    /// Redis that counts what streams hold (8.8).
    NewestRedis,
    /// Valkey.
    Valkey,
    /// None.
    Never,
}

impl Refused {
    fn by(self, release: &Release) -> bool {
        match self {
            Refused::From(level) => release.sanitize >= level,
            Refused::NewestRedis => release.sanitize == Sanitize::Counts,
            Refused::Valkey => release.dialect == Dialect::Valkey,
            Refused::Never => false,
        }
    }
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
    backlens(report, release, &mut target);
    findings(report, release, &mut target);
    target
}

fn backlens(report: &Report, release: &Release, target: &mut Target) {
    let seen = report.facts.backlen;
    let entries = "listpack entries of 16383, 2097151 or 268435455 bytes";
    let wide = format!("{entries} as older servers write them (lp-backlen-wide)");
    let narrow = format!("{entries} as Redis 8.8 and Valkey 9.1 write them (lp-backlen-narrow)");
    let deep = release.sanitize == Sanitize::Deep;
    if release.narrow_backlen && seen.wide {
        match deep || seen.wide_in_stream {
            true => target.reasons.push(wide),
            false => target.doubts.push(wide),
        }
    } else if !release.narrow_backlen && seen.narrow {
        match deep {
            true => target.reasons.push(narrow),
            false => target.doubts.push(narrow),
        }
    }
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
        reasons.push(format!("key metadata (RDB 13), on {}", counted(met.count, "key")));
    }
    let imports = report.facts.opcodes().find(|(row, _)| row.kind == Kind::SlotImport);
    if let Some((_, met)) = imports.filter(|_| release.dialect == Dialect::Valkey) {
        reasons.push(format!(
            "{} in progress{UNLESS} it runs as a cluster",
            counted(met.count, "slot import")
        ));
    }
    // Engines other than Lua come with modules of Valkey.
    let is_lua = |engine: &Vec<u8>| engine.eq_ignore_ascii_case(b"lua");
    let engines = report.facts.functions().filter_map(|library| library.engine.as_ref());
    let others = engines.filter(|engine| !is_lua(engine)).count();
    if others > 0 && release.rdb_version >= 10 {
        let unless = if release.dialect == Dialect::Valkey && release.version() >= (8, 1) {
            format!("{UNLESS} that is loaded")
        } else {
            String::new()
        };
        let functions = counted(others as u64, "function");
        reasons.push(format!("{functions} of an engine other than Lua{unless}"));
    }
    let functions_pre_ga = report.facts.functions().filter(|library| library.pre_ga).count();
    if functions_pre_ga > 0 && !release.functions_pre_ga && release.rdb_version >= 10 {
        let functions = counted(functions_pre_ga as u64, "function");
        reasons.push(format!("{functions} of the 7.0 release candidates"));
    }
}

fn modules(report: &Report, release: &Release, reasons: &mut Vec<String>) {
    let is_ours = |id: ModuleId| id == ModuleId::VECTORSET && release.vectorset;
    for (id, met) in report.facts.modules.iter().filter(|(id, _)| !is_ours(**id)) {
        let name = id.name();
        reasons.push(format!(
            "{} of module type {name}{UNLESS} it is loaded",
            counted(met.count, "key")
        ));
    }
    for fact in &report.facts.once {
        if let super::rdb_facts::Fact::ModuleAux(id, ..) = fact {
            reasons.push(format!("data of module type {}{UNLESS} it is loaded", id.name()));
        }
    }
}

fn findings(report: &Report, release: &Release, target: &mut Target) {
    let mut told = std::collections::BTreeSet::new();
    for finding in &report.findings {
        let refused = refused(finding).by(release);
        let serious = finding.severity() == Severity::Error;
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

/// Whether a finding keeps this server from taking a value.
pub fn refuses(release: &Release, finding: &Finding) -> bool {
    refused(finding).by(release)
}

/// Whether a value with this finding must not get to a server, or where it is for none, is no value. What is
/// damaged must not, whatever the server would do with it; counters that do not add up may where the
/// server does not look at them: servers made them.
pub fn keeps_out(server: Option<&Release>, finding: &Finding) -> bool {
    match finding.code.is_of_counters() {
        true => server.is_some_and(|release| refuses(release, finding)),
        false => finding.severity() == Severity::Error,
    }
}

fn refused(finding: &Finding) -> Refused {
    use Refused::{From, Never, NewestRedis, Valkey};
    use Sanitize::{Converted, Deep, Headers, None};
    match finding.code {
        // How a file is framed matters to every server.
        Code::RdbEmptyFile
        | Code::RdbMagic
        | Code::RdbVersion
        | Code::RdbTruncated
        | Code::RdbNoEof
        | Code::RdbCrc
        | Code::RdbOpcode
        | Code::RdbRepeats
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
        | Code::DoubleText
        | Code::SlotJob
        | Code::KeyMeta
        | Code::ListContainer
        | Code::StreamNodeKey
        | Code::StreamNodeEmpty
        | Code::GroupDup
        | Code::ConsumerDup
        | Code::PelDup
        | Code::PelUnknown
        // Servers with the fixes of July 2026 refuse it; others free it twice.
        | Code::PelShared
        | Code::ArrayInvalid
        | Code::VectorSet => From(None),
        Code::DupMember | Code::ZsetNan | Code::PairOdd => From(element_by_element(finding)),
        Code::DupField => duplicate_field(finding),
        Code::HashTtl => field_ttl(finding),
        Code::PackedType
        | Code::LpHeader
        | Code::ZlHeader
        | Code::IntsetHeader
        | Code::ZipmapEntry
        | Code::ZipmapCount
        | Code::ListNodeEmpty => From(Headers),
        Code::ZlEntry | Code::ZlPrevlen | Code::ZlTail | Code::ZlCount => From(Converted),
        Code::LpEntry
        | Code::LpBacklen
        | Code::LpCount
        | Code::IntsetOrder
        | Code::HashTtlOrder
        | Code::StreamNode
        | Code::PelOrphan => From(Deep),
        Code::StreamCounts | Code::NackInvalid | Code::StreamIdmp => From(Sanitize::Counts),
        Code::StreamEntriesAdded | Code::GroupEntriesRead => NewestRedis,
        // Redis reads slot sizes as a hint, Valkey's slot imports are orders.
        Code::SlotRange => Valkey,
        Code::AuxValue if finding.found.starts_with("slot-info=") => Valkey,
        _ => Never,
    }
}

fn type_name(finding: &Finding) -> &str {
    finding.key.as_ref().map_or("", |key| key.type_name)
}

fn encoding(finding: &Finding) -> &'static str {
    let row = TYPES.iter().find(|row| row.name == type_name(finding));
    row.map_or("", |row| row.encoding)
}

/// Tables are built element by element by every server, ziplists since 7.0; what else is packed goes
/// into memory as it is, but for those servers that look at everything.
fn element_by_element(finding: &Finding) -> Sanitize {
    match encoding(finding) {
        "listpack" | "listpackex" | "intset" => Sanitize::Deep,
        "ziplist" => Sanitize::Converted,
        _ => Sanitize::None,
    }
}

fn duplicate_field(finding: &Finding) -> Refused {
    let stated = finding.key.as_ref().and_then(|key| key.elements);
    let packs = encoding(finding) == "hashtable" && stated.is_some_and(|n| n <= HASH_PACKED);
    match packs && type_name(finding) != "hash-volatile-items" {
        true => Refused::From(Sanitize::Deep),
        false => Refused::From(element_by_element(finding)),
    }
}

fn field_ttl(finding: &Finding) -> Refused {
    match type_name(finding) {
        "hash-volatile-items" => Refused::From(Sanitize::None),
        "hash-hashtable-md" | "hash-metadata-pre-release" => Refused::Never,
        _ if finding.found == TTL_TEXT => Refused::From(Sanitize::None),
        _ => Refused::From(Sanitize::Deep),
    }
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {}", plural(n, noun))
}
