//! Commands over time, by the timestamps of an AOF. Memory is bounded: where the seconds are too many,
//! two of them are put together, and so on; the busiest second is kept aside.

/// Steps of time that are kept.
const STEPS: usize = 1 << 12;

/// Commands between two timestamps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Unix time in seconds.
    pub seconds: i64,
    /// Commands.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Commands over time.
#[derive(Debug, Clone, Default)]
pub struct Rate {
    /// Seconds of a step, a power of two.
    step: i64,
    steps: Vec<Moment>,
    second: Moment,
    busiest: Moment,
    first: Option<i64>,
    last: i64,
}

impl Rate {
    /// Counts what came at one time. Call in the order of the file.
    pub fn add(&mut self, moment: Moment) {
        let first = *self.first.get_or_insert(moment.seconds);
        self.last = self.last.max(moment.seconds).max(first);
        if self.second.seconds != moment.seconds {
            self.second = Moment { seconds: moment.seconds, ..Moment::default() };
        }
        self.second.commands += moment.commands;
        self.second.bytes += moment.bytes;
        if self.second.commands > self.busiest.commands {
            self.busiest = self.second;
        }
        self.step = self.step.max(1);
        let seconds = moment.seconds.saturating_sub(moment.seconds.rem_euclid(self.step));
        match self.steps.last_mut() {
            // A clock that was set back does not open the past again.
            Some(step) if step.seconds >= seconds => {
                step.commands += moment.commands;
                step.bytes += moment.bytes;
            }
            _ => self.steps.push(Moment { seconds, ..moment }),
        }
        while self.steps.len() > STEPS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.step = self.step.saturating_mul(2);
        let mut steps: Vec<Moment> = Vec::new();
        for step in self.steps.drain(..) {
            let seconds = step.seconds.saturating_sub(step.seconds.rem_euclid(self.step));
            match steps.last_mut() {
                Some(last) if last.seconds == seconds => {
                    last.commands += step.commands;
                    last.bytes += step.bytes;
                }
                _ => steps.push(Moment { seconds, ..step }),
            }
        }
        self.steps = steps;
    }

    /// The first time and the last; `None` without timestamps.
    pub fn span(&self) -> Option<(i64, i64)> {
        self.first.map(|first| (first, self.last))
    }

    /// Commands a second, on average over the time between.
    pub fn average(&self) -> f64 {
        let commands: u64 = self.steps.iter().map(|step| step.commands).sum();
        let seconds = self.first.map_or(1, |first| self.last.saturating_sub(first));
        commands as f64 / seconds.saturating_add(1).max(1) as f64
    }

    /// The second with the most commands.
    pub fn busiest(&self) -> Moment {
        self.busiest
    }

    /// Commands by steps of time, and the seconds of a step. Steps without commands are left out.
    pub fn steps(&self) -> (i64, &[Moment]) {
        (self.step, &self.steps)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn long_times_are_put_together_and_nothing_is_lost() {
        let mut rate = Rate::default();
        for seconds in 0..100_000 {
            let commands = if seconds == 77_777 { 500 } else { 3 };
            rate.add(Moment { seconds, commands, bytes: 30 });
        }
        let (step, steps) = rate.steps();
        assert!(steps.len() <= STEPS && step == 32);
        assert_eq!(steps.iter().map(|step| step.commands).sum::<u64>(), 300_497);
        assert_eq!(rate.busiest(), Moment { seconds: 77_777, commands: 500, bytes: 30 });
        assert_eq!(rate.span(), Some((0, 99_999)));
        assert!((rate.average() - 3.0).abs() < 0.01);
    }

    #[test]
    fn odd_clocks() {
        let mut rate = Rate::default();
        for seconds in [i64::MAX, i64::MIN, 0, 5, 4, i64::MAX] {
            rate.add(Moment { seconds, commands: 1, bytes: 1 });
        }
        assert_eq!(rate.steps().1.iter().map(|step| step.commands).sum::<u64>(), 6);
        assert!(rate.average() > 0.0);
    }
}
