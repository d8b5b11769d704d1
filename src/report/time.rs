//! Moments and durations as people read them, always in UTC.

use jiff::Timestamp;

/// A Unix time in seconds: `2026-11-22 14:02:06 UTC`, or the number where no calendar has it.
pub(crate) fn moment_s(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{seconds} s"),
    }
}

/// A duration in its two largest units: `3 d 4 h`, `90 ms`.
pub(crate) fn duration_ms(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let mut left = ms;
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if left >= unit && parts.len() < 2 {
            parts.push(format!("{} {name}", left / unit));
            left %= unit;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0 ms".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(moment_s(1_795_357_326), "2026-11-22 14:22:06 UTC");
        assert_eq!(moment_s(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(moment_s(i64::MAX), "9223372036854775807 s");
    }

    #[test]
    fn durations() {
        let cases = [
            (0, "0 ms"),
            (90, "90 ms"),
            (1000, "1 s"),
            (5_400_000, "1 h 30 min"),
            (86_400_000 * 3 + 59_000, "3 d"),
            (86_400_000 + 3_600_000 * 4 + 1, "1 d 4 h"),
        ];
        for (ms, want) in cases {
            assert_eq!(duration_ms(ms), want, "{ms}");
        }
    }
}
