//! Would this server load that AOF? One answer, with every reason, and what goes wrong although it loads
//! (FORMATS B.1, B.4, B.5).

use super::check_aof::{Named, Report};
use super::check_set;
use super::fate::{Fate, Why};
use super::target::{Target, judge};
use crate::aof::settings::Settings;
use crate::aof::startup::refuses;
use crate::engine::command::Since;
use crate::finding::Code;
use crate::rdb::header::Dialect;
use crate::rdb::versions::Release;

/// Judges a checked AOF for a server. `last`: no other file comes after it.
pub fn judge_aof(
    report: &Report,
    release: &'static Release,
    settings: &Settings,
    last: bool,
) -> Target {
    let mut target = Target { release, reasons: Vec::new(), doubts: Vec::new() };
    if let Some(preamble) = &report.preamble {
        target = judge(preamble, release);
        if !release.has_redis(4, 0) {
            target.reasons.insert(0, "an RDB preamble, which came with 4.0".to_owned());
        }
    }
    if report.annotations > 0 && !release.has_redis(7, 0) {
        let found = format!("{} annotations, which came with 7.0", report.annotations);
        target.reasons.push(found);
    }
    names(report, release, &mut target);
    findings(report, release, &mut target);
    end(report, release, settings, last, &mut target);
    target
}

/// Judges a checked multi-part AOF for a server.
pub fn judge_set(
    report: &check_set::Report,
    release: &'static Release,
    settings: &Settings,
) -> Target {
    let mut target = Target { release, reasons: Vec::new(), doubts: Vec::new() };
    if !release.has_redis(7, 0) {
        target.reasons.push("an AOF of several files, which came with 7.0".to_owned());
        return target;
    }
    for finding in report.own_findings() {
        let code = finding.code;
        let text = format!("{}: {} ({code})", finding.expected, finding.found);
        match code {
            Code::AofFileMissing | Code::AofNoManifest | Code::ManifestNoFiles => {
                target.reasons.push(format!("{} ({code})", finding.found));
            }
            // Servers follow links.
            Code::AofFileKind => target.doubts.push(text),
            Code::AofSameName | Code::ManifestDupFile => target.doubts.push(text),
            _ if refuses(code) && report.set.manifest_findings.contains(finding) => {
                target.reasons.push(text);
            }
            _ => {}
        }
    }
    let count = report.parts.len();
    for (index, part) in report.parts.iter().enumerate() {
        let name = part.name.to_string_lossy();
        let own = judge_aof(&part.report, release, settings, index + 1 == count);
        let named = |text: String| format!("{name}: {text}");
        target.reasons.extend(own.reasons.into_iter().map(named));
        target.doubts.extend(own.doubts.into_iter().map(named));
    }
    target
}

/// Commands that came later, or were never there.
fn names(report: &Report, release: &Release, target: &mut Target) {
    for Named { row, met } in report.names.values() {
        let Since { redis, valkey } = row.since;
        let since = match release.dialect {
            Dialect::Redis => redis,
            Dialect::Valkey => valkey,
        };
        let first = met.first;
        match since {
            Some(since) if since <= release.version() => {}
            Some((major, minor)) => target.reasons.push(format!(
                "{} commands {}, which came with {major}.{minor}, first at {first:#x}",
                met.count, row.name
            )),
            None => target.reasons.push(format!(
                "{} commands {}, which it does not have, first at {first:#x}",
                met.count, row.name
            )),
        }
    }
}

fn findings(report: &Report, release: &Release, target: &mut Target) {
    let mut told = std::collections::BTreeSet::new();
    for finding in &report.findings {
        let code = finding.code;
        let checks_arity = release.dialect == Dialect::Valkey && release.version() >= (8, 1);
        let refused = match code {
            Code::AofArgc | Code::AofAnnotationLong | Code::AofUnknownCommand => true,
            Code::AofModuleCommand => !(release.vectorset && is_vectorset(&finding.found)),
            Code::AofArity => checks_arity,
            Code::AofMultiNested | Code::AofExecAlone | Code::AofMultiTorn => false,
            Code::AofStrayCommand => false,
            Code::AofDbRange | Code::AofDbInvalid => false,
            // The end has its own reasons; the rest is read by every server.
            _ => continue,
        };
        if code == Code::AofModuleCommand && !refused {
            continue;
        }
        if !told.insert(code) {
            continue;
        }
        let count = report.findings.iter().filter(|other| other.code == code).count();
        let at = finding.span.start;
        let text = match code {
            Code::AofModuleCommand => {
                format!("{count} commands of modules, unless they are loaded, first at {at:#x}")
            }
            _ => format!("{}, {count} of them, first at {at:#x} ({code})", finding.found),
        };
        match refused {
            true => target.reasons.push(text),
            false => target.doubts.push(text),
        }
    }
}

/// Whether a finding is about a command of vector sets, which are built in from Redis 8.0 on.
fn is_vectorset(found: &str) -> bool {
    let name = found.trim_matches('"').to_ascii_lowercase();
    ["vadd", "vrem", "vsetattr"].contains(&name.as_str())
}

/// What becomes of the end of the file.
fn end(report: &Report, release: &Release, settings: &Settings, last: bool, target: &mut Target) {
    let Some(outcome) = &report.outcome else { return };
    let at = outcome.end;
    let damage = outcome.damage.as_ref();
    let code = damage.map_or(Code::AofMultiOpen, |damage| damage.finding.code);
    let inside = if damage.is_some() { "a command" } else { "a transaction" };
    let ends = format!("ends inside {inside}");
    let count = report.open_multi().map_or(0, |multi| multi.commands);
    let (reason, doubt) = match Fate::of(outcome, release, settings, last) {
        Fate::Whole => return,
        Fate::Unnoticed => {
            (None, Some(format!("damage at {at:#x} that it does not notice ({code})")))
        }
        Fate::Cut(from) if report.open_multi().is_some() => {
            let text =
                format!("ends inside a transaction: cut at {from:#x}, {count} commands are lost");
            (None, Some(text))
        }
        Fate::Cut(from) => (None, Some(format!("{ends} at {from:#x}, where it is cut"))),
        Fate::CutDamage(from) => {
            let left = report.size - from;
            (None, Some(format!("damage at {from:#x}: cut off with {left} bytes ({code})")))
        }
        Fate::TornAnnotation => {
            let text = format!(
                "an annotation without its end at {at:#x}: it writes on behind it, and the start \
                 after that is refused"
            );
            (None, Some(text))
        }
        Fate::OpenMulti(from) => {
            let text = format!(
                "ends inside a command of a transaction: {count} commands from {from:#x} on are not \
                 run, but their MULTI stays in the file, and all that is written until the next start \
                 is lost then"
            );
            (None, Some(text))
        }
        Fate::Refused(why) => {
            let text = match why {
                Why::Damage => format!("damage at {at:#x} ({code})"),
                Why::Annotation => {
                    format!("an annotation at {at:#x}; these came with 7.0")
                }
                Why::NotLast => {
                    format!("{ends} at {at:#x} and is not the last file: it is cut, and refused")
                }
                Why::Truncated if settings.load_truncated => format!("{ends} at {at:#x}"),
                Why::Truncated => format!("{ends} at {at:#x} with `aof-load-truncated no`"),
            };
            (Some(text), None)
        }
    };
    target.reasons.extend(reason);
    target.doubts.extend(doubt);
}
