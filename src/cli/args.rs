//! Arguments that verbs share, each with one meaning everywhere.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::job::log::Place;
use crate::limits::Limits;
use crate::report::check::Detail;

/// How output looks and where it goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Common {
    /// Results and errors only: no progress, notes, advice or summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// One JSON object a file, each on a line of its own.
    #[arg(long)]
    pub(crate) json: bool,

    /// Write to this file instead of standard output. It appears when it is complete.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Colours: auto is yes on a terminal, unless NO_COLOR is set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Threads; the result is the same for every number. The default is one a core.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

impl Common {
    /// Threads to use.
    pub(crate) fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        self.jobs.map_or_else(cores, usize::from)
    }

    /// How much to say, in text.
    pub(crate) fn detail(&self, verbose: bool) -> Detail {
        match (self.quiet, verbose) {
            (true, _) => Detail::Quiet,
            (false, false) => Detail::Normal,
            (false, true) => Detail::Verbose,
        }
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Bounds on what a file can make us hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Longest string to expand in memory.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "512MiB")]
    max_string: u64,

    /// Largest single key to hold in memory.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "4GiB")]
    max_record: u64,

    /// Findings to keep for one file, and the first of each kind in any case; the rest are counted.
    #[arg(long, value_name = "N", default_value_t = Limits::default().findings)]
    max_findings: usize,
}

impl LimitArgs {
    /// The bounds.
    pub(crate) fn limits(&self) -> Limits {
        Limits { string: self.max_string, record: self.max_record, findings: self.max_findings }
    }
}

/// The clock.
#[derive(Debug, Args)]
pub(crate) struct NowArgs {
    /// Judge expires at this moment: Unix time in s or ms, or RFC 3339. The default is now.
    #[arg(long, value_name = "TIME", value_parser = time_ms, allow_negative_numbers = true)]
    now: Option<i64>,
}

impl NowArgs {
    /// Unix time in ms.
    pub(crate) fn ms(&self) -> i64 {
        self.now.unwrap_or_else(|| Timestamp::now().as_millisecond())
    }

    /// The moment that was given.
    pub(crate) fn given(&self) -> Option<i64> {
        self.now
    }
}

/// From this number on a Unix time is in ms: as seconds it would be in the year 5138.
const MS_FROM: u64 = 100_000_000_000;

/// Reads a moment.
pub(crate) fn time_ms(text: &str) -> Result<i64, String> {
    if let Ok(number) = text.parse::<i64>() {
        let ms =
            if number.unsigned_abs() < MS_FROM { number.checked_mul(1000) } else { Some(number) };
        return ms.ok_or_else(|| "no clock shows this".to_owned());
    }
    let time: Result<Timestamp, _> = text.parse();
    time.map(|time| time.as_millisecond()).map_err(|_| {
        "expected a Unix time in s or ms, or RFC 3339 such as 2026-11-22T14:00:00Z".to_owned()
    })
}

/// Reads an offset or a time.
pub(crate) fn place(text: &str) -> Result<Place, String> {
    let offset = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    if let Some(offset) = offset {
        return Ok(Place::Offset(offset));
    }
    let seconds = match text.strip_prefix('@') {
        Some(number) => number.parse().ok(),
        None if text.trim_start_matches('-').contains('-') => {
            time_ms(text).ok().map(|ms| ms.div_euclid(1000))
        }
        None => None,
    };
    seconds.map(Place::Time).ok_or_else(|| {
        "expected an offset such as 35424 or 0x8a60, or a time such as @1795357326 or \
         2026-11-22T14:00:00Z"
            .to_owned()
    })
}

/// Reads a length of time with a sign, in ms.
pub(crate) fn duration_ms(text: &str) -> Result<i64, String> {
    let (sign, plain) = match text.strip_prefix('-') {
        Some(plain) => (-1, plain),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let ms = crate::job::filter::duration_ms(plain);
    ms.map(|ms| sign * ms).ok_or_else(|| "expected a time such as 7d, -90m or 250ms".to_owned())
}

/// Reads a number of bytes. Units as in redis.conf, in either case: `k` is 1000 bytes, `kb` 1024; `KiB` is
/// 1024 too.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (base, power) = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => (1, 0),
        "k" => (1000u64, 1),
        "m" => (1000, 2),
        "g" => (1000, 3),
        "t" => (1000, 4),
        "kb" | "kib" => (1024, 1),
        "mb" | "mib" => (1024, 2),
        "gb" | "gib" => (1024, 3),
        "tb" | "tib" => (1024, 4),
        _ => {
            return Err(
                "expected bytes, or a number with k, kb, KiB, m, mb, MiB, … g, t".to_owned()
            );
        }
    };
    let number: u64 =
        number.parse().map_err(|_| "expected a number such as 512 or 10mb".to_owned())?;
    number.checked_mul(base.pow(power)).ok_or_else(|| "more than 2^64 bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_in_redis_conf() {
        for (text, want) in [
            ("0", 0),
            ("512", 512),
            ("10k", 10_000),
            ("10kb", 10_240),
            ("10KiB", 10_240),
            ("5MB", 5 << 20),
            ("1GiB", 1 << 30),
            ("2t", 2_000_000_000_000),
        ] {
            assert_eq!(size(text), Ok(want), "{text}");
        }
        for text in ["", "k", "1.5k", "-1", "10x", "99999999999t"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments() {
        assert_eq!(time_ms("1795357326"), Ok(1_795_357_326_000));
        assert_eq!(time_ms("1795357326123"), Ok(1_795_357_326_123));
        assert_eq!(time_ms("-1"), Ok(-1000));
        assert_eq!(time_ms("2026-11-22T14:22:06Z"), Ok(1_795_357_326_000));
        assert_eq!(time_ms("2026-11-22T15:22:06+01:00"), Ok(1_795_357_326_000));
        assert!(time_ms("yesterday").is_err());
    }
}
