//! An RDB into the store, or JSON Lines, which stand for one.

use std::io::Read;

use super::{Place, Report, Rest, Run, Stop, too_large};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Findings, KeyPlace};
use crate::input::source::Input;
use crate::job::check::{self, whole_file};
use crate::job::load::{Builder, Loaded, Out, Spare};
use crate::job::rdb_facts::Facts;
use crate::job::rdb_file::{Extent, RdbFile};
use crate::job::{lines_file, pipeline};
use crate::limits::Limits;

impl Run<'_> {
    /// Loads an RDB; what follows it comes back, and where that begins.
    pub(super) fn rdb(
        &mut self,
        reader: Box<dyn Read + Send>,
        input: &Input,
        extent: Extent,
    ) -> Result<(Option<Rest>, u64)> {
        let options = self.options;
        let failed = |err| Error::io(input.path(), "read", err);
        let mut file = RdbFile::new(reader, options.limits);
        let spare = Spare::default();
        let mut loading = Loading::new(&mut self.report, options.limits, &spare);
        let server = options.whose.server(&options.engine);
        let make = || Builder::new(options.limits, options.engine.packed, server, &spare);
        let workers = pipeline::run(&mut file, options.jobs, make, |out| loading.take(out));
        let (facts, mut findings) = loading.end(workers.map_err(failed)?, input)?;
        let end = file.end(extent, &facts).map_err(failed)?;
        let check = check::Options { limits: options.limits, ..check::Options::default() };
        whole_file::check(&facts, &end.outcome, &end.tail, &check, &mut findings);
        findings.extend(self.too_late(&facts));
        findings.sort();
        if end.outcome.damage.is_some() {
            self.report.stop = Some(Stop::Damage(end.outcome.end));
        }
        let start = end.outcome.end;
        if let Some(part) = self.report.parts.last_mut() {
            part.findings = findings;
            part.rdb = Some((facts, end.outcome));
        }
        self.follow_writer();
        Ok((end.rest, start))
    }

    /// Loads JSON Lines.
    pub(super) fn lines(&mut self, reader: Box<dyn Read + Send>, input: &Input) -> Result<()> {
        let options = self.options;
        let spare = Spare::default();
        let mut loading = Loading::new(&mut self.report, options.limits, &spare);
        let server = options.whose.server(&options.engine);
        let make = || Builder::new(options.limits, options.engine.packed, server, &spare);
        let bounds = (options.limits, options.jobs);
        let (workers, outcome) =
            lines_file::run(reader, input, bounds, make, |out| loading.take(out))?;
        let (facts, findings) = loading.end(workers, input)?;
        if let Some(part) = self.report.parts.last_mut() {
            part.findings = findings;
            part.rdb = Some((facts, outcome));
        }
        self.follow_writer();
        Ok(())
    }

    /// Whether the RDB was written behind the moment to go back to.
    fn too_late(&self, facts: &Facts) -> Option<Finding> {
        let Some(Place::Time(time)) = self.options.until else { return None };
        let made = std::str::from_utf8(facts.aux_value(b"ctime")?).ok()?.parse::<i64>().ok()?;
        let found = format!("one of {made}");
        (made > time).then(|| {
            Finding::new(Code::ReplayUntil, 0..9, format!("an RDB of {time} or before"), found)
        })
    }
}

/// What workers hand out, on its way into the store.
struct Loading<'r> {
    report: &'r mut Report,
    spare: &'r Spare,
    facts: Facts,
    findings: Findings,
    /// It does not fit the memory allowed.
    full: bool,
}

impl<'r> Loading<'r> {
    fn new(report: &'r mut Report, limits: Limits, spare: &'r Spare) -> Loading<'r> {
        let findings = Findings::new(limits.findings);
        Loading { report, spare, facts: Facts::default(), findings, full: false }
    }

    fn take(&mut self, mut out: Out) {
        out.once.into_iter().for_each(|fact| self.facts.keep(fact));
        self.findings.append(&mut out.findings);
        self.report.left_out += out.left_out;
        self.report.beside.extend(out.beside);
        for (name, code) in out.functions {
            if let Some(engine) = self.report.store.each_mut().next() {
                engine.put_function(&name, &code);
            }
        }
        for key in out.keys.drain(..) {
            let Loaded { db, key, item, offset, type_name } = key;
            match self.report.store.put(db, &key, item) {
                Ok(false) => {}
                Ok(true) => self.findings.add(twice(db, &key, offset, type_name)),
                Err(_) => self.full = true,
            }
        }
        self.spare.give(out.keys);
    }

    fn end(self, workers: Vec<Builder<'_>>, input: &Input) -> Result<(Facts, Findings)> {
        let Loading { mut facts, findings, full, .. } = self;
        if full {
            return Err(too_large(input));
        }
        workers.into_iter().for_each(|worker| facts.merge(worker.facts));
        Ok((facts, findings))
    }
}

fn twice(db: u64, key: &[u8], offset: u64, type_name: &'static str) -> Finding {
    let span = offset..offset.saturating_add(1);
    let mut finding = Finding::new(Code::DupKey, span, "each key once", "a key that was there");
    finding.key = Some(KeyPlace { db, key: key.to_vec(), type_name, elements: None });
    finding
}
