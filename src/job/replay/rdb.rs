//! An RDB into the store.

use std::io::Read;

use super::{Place, Rest, Run, Stop, too_large};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, KeyPlace};
use crate::input::source::Input;
use crate::job::check::{self, Kept, whole_file};
use crate::job::load::{Builder, Loaded, Out};
use crate::job::pipeline;
use crate::job::rdb_facts::Facts;
use crate::job::rdb_file::{Extent, RdbFile};

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
        let mut facts = Facts::default();
        let mut kept = Kept { list: Vec::new(), dropped: 0, limit: options.limits.findings };
        let mut full = false;
        let report = &mut self.report;
        let make = || Builder::new(options.limits, options.engine.packed);
        let workers = pipeline::run(&mut file, options.jobs, make, |out: Out| {
            out.once.into_iter().for_each(|fact| facts.keep(fact));
            kept.extend(out.findings, 0);
            report.left_out += out.left_out;
            report.beside.extend(out.beside);
            for (name, code) in out.functions {
                if let Some(engine) = report.store.each_mut().next() {
                    engine.put_function(&name, &code);
                }
            }
            for key in out.keys {
                let Loaded { db, key, item, offset, type_name } = key;
                match report.store.put(db, &key, item) {
                    Ok(false) => {}
                    Ok(true) => {
                        kept.extend(vec![twice(db, &key, offset, type_name)], 0);
                    }
                    Err(_) => full = true,
                }
            }
        })
        .map_err(failed)?;
        if full {
            return Err(too_large(input));
        }
        for worker in workers {
            facts.merge(worker.facts);
        }
        let end = file.end(extent, &facts).map_err(failed)?;
        let check = check::Options { limits: options.limits, ..check::Options::default() };
        whole_file::check(&facts, &end.outcome, &end.tail, &check, &mut kept);
        kept.list.extend(self.too_late(&facts));
        kept.list.sort_by_key(|finding| finding.span.start);
        self.report.dropped += kept.dropped;
        if end.outcome.damage.is_some() {
            self.report.stop = Some(Stop::Damage(end.outcome.end));
        }
        let start = end.outcome.end;
        if let Some(part) = self.report.parts.last_mut() {
            part.findings = kept.list;
            part.rdb = Some((facts, end.outcome));
        }
        Ok((end.rest, start))
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

fn twice(db: u64, key: &[u8], offset: u64, type_name: &'static str) -> Finding {
    let span = offset..offset.saturating_add(1);
    let mut finding = Finding::new(Code::DupKey, span, "each key once", "a key that was there");
    finding.key = Some(KeyPlace { db, key: key.to_vec(), type_name, elements: None });
    finding
}
