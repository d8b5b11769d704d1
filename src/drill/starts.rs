//! Starts that are cut short, at each of their operations, and lives that nothing cuts short.

use super::habits::{Habits, options};
use super::judge::{Crash, Known, Policy};
use super::life::{End, digest, start};
use super::scenario::From;
use super::strike::changes;
use super::trial::{BEGIN_MS, Broken, Lived, Trial};
use crate::persist::sim::MemFs;
use crate::persist::sim::crash::Random;
use crate::persist::sim::fault::{Fault, FaultKind, Repeat};
use crate::store::Options;
use crate::value::digest::Digest;

/// Disks that are tried after a crash.
const DISKS: u64 = 4;

impl Trial {
    /// The power goes, or the process is killed, at each operation of a start that changes something.
    pub(super) fn starts(&mut self, from: From) -> Result<(), Broken> {
        let (lived, options) = self.found(from)?;
        let undisturbed = self.copy(&lived.fs);
        undisturbed.plan(None);
        let (store, _) = start(&undisturbed, &options, lived.now_ms)
            .map_err(|error| format!("it does not start: {error}"))?;
        let came = digest(&store, lived.now_ms);
        drop(store);
        let trace = undisturbed.trace();
        for (at, _) in (0u64..).zip(&trace).filter(|(_, op)| changes(op)) {
            let fs = self.copy(&lived.fs);
            fs.plan(Some(Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once }));
            // The last operations of a start may fail, and it is up all the same.
            drop(start(&fs, &options, lived.now_ms));
            for crash in self.scenario.crashes {
                for left in self.left(&fs, *crash, DISKS) {
                    let (store, again) = self.restart(&left, &options, lived.now_ms)?;
                    drop(store);
                    // What the first crash left is all there was to lose.
                    self.judge(&lived.known, Crash::Power, &again)?;
                    if again != came {
                        return Err(format!("cut short at step {at} it gives other data"));
                    }
                }
            }
        }
        Ok(())
    }

    /// What a start finds, and its settings.
    fn found(&mut self, from: From) -> Result<(Lived, Options), Broken> {
        let fs = self.new_disk()?;
        let mut random = Random::new(self.random.bits());
        let mut habits = Habits::of(self.scenario, self.policy, &mut self.random);
        let settings = habits.options.clone();
        match from {
            From::Nothing => {
                let known = Known::new(Digest::default(), BEGIN_MS);
                Ok((Lived { fs, known, now_ms: BEGIN_MS, end: End::Over }, settings))
            }
            From::Dump => {
                habits.options = options(Policy::Snapshots, self.scenario.store, &mut self.random);
                let lived = self.shut_down(fs, &habits, &mut random)?;
                Ok((Lived { fs: self.copy(&lived.fs), ..lived }, settings))
            }
            From::Crash => {
                let at = self.random.below(300);
                let fault = Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once };
                let lived = self.lived(fs, &habits, &mut random, Some(fault), BEGIN_MS)?;
                let fs = self.crash(&lived, Crash::Power, &settings, DISKS)?;
                Ok((Lived { fs, ..lived }, settings))
            }
        }
    }

    /// A life that is over when it is over.
    pub(super) fn life(&mut self) -> Result<(), Broken> {
        let fs = self.new_disk()?;
        let mut random = Random::new(self.random.bits());
        let habits = Habits::of(self.scenario, self.policy, &mut self.random);
        let lived = self.lived(fs, &habits, &mut random, None, BEGIN_MS)?;
        for crash in self.scenario.crashes {
            self.crash(&lived, *crash, &habits.options, DISKS)?;
        }
        Ok(())
    }

    /// The store is told to end, does, and then the power goes.
    pub(super) fn shutdown(&mut self) -> Result<(), Broken> {
        let fs = self.new_disk()?;
        let mut random = Random::new(self.random.bits());
        let habits = Habits::of(self.scenario, self.policy, &mut self.random);
        let lived = self.shut_down(fs, &habits, &mut random)?;
        self.crash(&lived, Crash::Power, &habits.options, DISKS)?;
        Ok(())
    }

    /// A life that ends as it should.
    fn shut_down(
        &mut self,
        fs: MemFs,
        habits: &Habits,
        random: &mut Random,
    ) -> Result<Lived, Broken> {
        let mut life = Trial::begin(&fs, habits, random, BEGIN_MS)?;
        let end = self.end(&mut life)?;
        if !life.shut_down() {
            return Err("it could not end, and nothing had gone wrong".to_owned());
        }
        let now_ms = life.now_ms + 1;
        Ok(Lived { known: life.known, now_ms, end, fs })
    }
}
