//! Kills of a program, each at another moment of its life.

use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use rdbtool::persist::sim::crash::Random;

/// Kills to make. RDBTOOL_KILLS asks for more.
pub(crate) fn kills() -> u64 {
    std::env::var("RDBTOOL_KILLS").map_or(300, |kills| kills.parse().unwrap())
}

/// Whoever kills.
pub(crate) struct Killer {
    /// How long a program may live at most, in microseconds. Other work slows a machine down now and then, so
    /// this is learned anew from each: two in three are met alive.
    span: u64,
    random: Random,
    /// Programs that were met alive.
    pub(crate) killed: u64,
}

impl Killer {
    /// Of programs that live as long as one of them did.
    pub(crate) fn new(seed: u64, life: Duration) -> Killer {
        Killer { span: life.as_micros() as u64, random: Random::new(seed), killed: 0 }
    }

    /// Waits for a moment, and kills.
    pub(crate) fn kill(&mut self, mut child: Child) {
        sleep(Duration::from_micros(self.random.below(self.span)));
        child.kill().unwrap();
        let was_alive = child.wait().unwrap().code().is_none();
        self.killed += u64::from(was_alive);
        self.span = if was_alive { self.span * 33 / 32 } else { self.span * 15 / 16 }.max(1000);
    }
}
