//! Lives one after the other, each on the disk that the crash before it left, and anything in them: what no
//! other scenario has thought of.

use super::habits::Habits;
use super::judge::{Crash, Known};
use super::life::{End, start};
use super::trial::{BEGIN_MS, Broken, Lived, Trial};
use crate::persist::sim::crash::Random;
use crate::persist::sim::fault::{Fault, FaultKind, Repeat};
use crate::value::digest::Digest;

/// Lives in a run.
const LIVES: u64 = 3;

/// Disks that are tried after a crash.
const DISKS: u64 = 4;

impl Trial {
    /// Anything.
    pub(super) fn anything(&mut self) -> Result<(), Broken> {
        let store = self.scenario.store;
        let settings = Habits::of_anything(self.policy, store, &mut self.random).options;
        let mut lived = Lived {
            fs: self.new_disk()?,
            known: Known::new(Digest::default(), BEGIN_MS),
            now_ms: BEGIN_MS,
            end: End::Over,
        };
        for number in 0..LIVES {
            // Starting may be cut short as well, and must work the next time.
            if self.random.below(if number > 0 { 4 } else { 20 }) == 0 {
                let at = self.random.below(60);
                let fault = Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once };
                lived.fs.plan(Some(fault));
                // Whether it came up before the power went is all the same.
                drop(start(&lived.fs, &settings, lived.now_ms));
                self.crash(&lived, Crash::Power, &settings, DISKS)?;
                return Ok(());
            }
            let mut habits = Habits::of_anything(self.policy, store, &mut self.random);
            habits.options = settings.clone();
            let fault = self.any_fault(habits.has_pieces());
            let mut random = Random::new(self.random.bits());
            let Lived { fs, now_ms, .. } = lived;
            lived = self.lived(fs, &habits, &mut random, fault, now_ms)?;
            let killed = !matches!(lived.end, End::Dark) && self.random.below(3) == 0;
            let crash = if killed { Crash::Kill } else { Crash::Power };
            let left = self.crash(&lived, crash, &settings, DISKS)?;
            lived.fs = self.copy(&left);
        }
        Ok(())
    }

    fn any_fault(&mut self, in_pieces: bool) -> Option<Fault> {
        let kind = match self.random.below(12) {
            0..6 => FaultKind::PowerOff,
            6 => FaultKind::Fails(28),
            7 => FaultKind::Fails(5),
            8 => FaultKind::FailsAfter(5),
            9 if in_pieces => FaultKind::ShortWrite,
            _ => return None,
        };
        let at = self.random.below(700);
        // A write in a dozen pieces could leave holes of a byte or two.
        let once = kind == FaultKind::ShortWrite || self.random.below(2) == 0;
        let repeat = if once { Repeat::Once } else { Repeat::SameName };
        Some(Fault { at, kind, repeat })
    }
}
