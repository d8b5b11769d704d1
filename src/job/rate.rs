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

    /// Commands by at most so many steps of time, all of them as long, and the seconds of a step, a number
    /// that clocks like: 15 s, 10 min, 6 h.
    pub fn over(&self, rows: i64) -> (i64, Vec<Moment>) {
        let Some((first, last)) = self.span() else { return (1, Vec::new()) };
        let start = |step: i64| first.saturating_sub(first.rem_euclid(step));
        let fits = |step: &i64| last.saturating_sub(start(*step)) / step < rows;
        let even = last.saturating_sub(first) / rows.max(1);
        let step = ROUND.into_iter().find(fits).unwrap_or(even.saturating_add(1));
        let start = start(step);
        let count = last.saturating_sub(start) / step + 1;
        let moment = |n| Moment { seconds: start.saturating_add(step * n), ..Moment::default() };
        let mut steps: Vec<Moment> = (0..count).map(moment).collect();
        for from in &self.steps {
            let at = from.seconds.max(start).saturating_sub(start) / step;
            let at = usize::try_from(at).unwrap_or(0).min(steps.len().saturating_sub(1));
            if let Some(into) = steps.get_mut(at) {
                into.commands += from.commands;
                into.bytes += from.bytes;
            }
        }
        (step, steps)
    }
}

/// Seconds that make good steps.
const ROUND: [i64; 24] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_209_600, 2_419_200, 7_257_600, 31_536_000,
];

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
        assert!(rate.steps.len() <= STEPS && rate.step == 32);
        let sum = |steps: &[Moment]| steps.iter().map(|step| step.commands).sum::<u64>();
        assert_eq!(sum(&rate.steps), 300_497);
        let (step, steps) = rate.over(12);
        assert_eq!((step, steps.len(), sum(&steps)), (10_800, 10, 300_497));
        assert_eq!(steps[1].seconds, 10_800);
        assert!(steps[1].commands.abs_diff(3 * 10_800) <= 3 * 32);
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
        assert_eq!(rate.steps.iter().map(|step| step.commands).sum::<u64>(), 6);
        assert!(rate.average() > 0.0);
        for rows in [0, 1, 12] {
            let (step, steps) = rate.over(rows);
            assert!(step > 0 && steps.len() <= 16, "{rows}: {}", steps.len());
            assert_eq!(steps.iter().map(|step| step.commands).sum::<u64>(), 6);
        }
    }
}
