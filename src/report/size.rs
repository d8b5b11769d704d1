//! Numbers as people read them: `1,234,567` and `415 MiB`.

use crate::finding::plural;

/// A count with commas between thousands.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun, `1 key` or `2 keys`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    format!("{} {}", count(n), plural(n, noun))
}

/// Bytes in binary units with three significant digits.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64;
    let mut name = "B";
    for unit in UNITS {
        // 1023.5 would be shown as 1024 of the smaller unit.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {name}")
}

/// The same for a column of a table: `34.6K`, `512`.
pub(crate) fn short(n: u64) -> String {
    let text = bytes(n);
    match text.split_once(' ') {
        Some((number, "B")) => number.to_owned(),
        Some((number, unit)) => format!("{number}{}", unit.trim_end_matches("iB")),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(2, "key"), "2 keys");
        assert_eq!(counted(0, "library"), "0 libraries");
    }

    #[test]
    fn sizes() {
        for (n, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (35_432, "34.6 KiB"),
            (1_048_575, "1.00 MiB"),
            (435_000_000, "415 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(n), want, "{n}");
        }
        assert_eq!([12, 35_432].map(short), ["12", "34.6K"]);
    }
}
