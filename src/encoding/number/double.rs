//! Doubles as C prints them with `%.17g` and reads them with `strtod` or `scanf`'s `%lg`: the scores of
//! type 3, of packed sorted sets and of AOF commands (FORMATS A.3, D).

use std::io::{Cursor, Write};

/// The integer that a score is, if it is one that servers write as such: up to half of what an i64 holds.
pub fn whole(score: f64) -> Option<i64> {
    let whole = score.trunc() == score && score.abs() <= (i64::MAX / 2) as f64;
    whole.then_some(score as i64)
}

/// Appends `value` as C's `%.17g`: 17 significant digits without trailing zeros, in scientific notation
/// below 1e-4 and from 1e17 on. It always reads back to the same double.
pub fn double_17g(value: f64, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(b"inf");
    }
    let (digits, exponent) = seventeen_digits(value.abs());
    let significant = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let digits = &digits[..significant];
    match exponent {
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-1 - exponent) as usize, b'0');
            out.extend_from_slice(digits);
        }
        0..=16 => {
            let places = exponent as usize + 1;
            let (whole, fraction) = digits.split_at(places.min(significant));
            out.extend_from_slice(whole);
            out.resize(out.len() + places - whole.len(), b'0');
            push_fraction(fraction, out);
        }
        _ => {
            let (first, fraction) = digits.split_at(1);
            out.extend_from_slice(first);
            push_fraction(fraction, out);
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.abs() < 10 {
                out.push(b'0');
            }
            super::write_i64(exponent.abs().into(), out);
        }
    }
}

fn push_fraction(digits: &[u8], out: &mut Vec<u8>) {
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits);
    }
}

/// The digits of a finite `value` of no sign, correctly rounded, and the power of ten of the first.
fn seventeen_digits(value: f64) -> ([u8; 17], i32) {
    // "d.dddddddddddddddde-eee" is 23 bytes at most, so the write cannot fail.
    let mut text = Cursor::new([0; 24]);
    let _ = write!(text, "{value:.16e}");
    let len = text.position() as usize;
    let text = text.into_inner();
    let mut digits = [text[0]; 17];
    digits[1..].copy_from_slice(&text[2..18]);
    let exponent = super::parse_i64(&text[19..len]).unwrap_or(0);
    (digits, exponent as i32)
}

/// The double that all of `text` spells, as `strtod` reads it: decimal or hexadecimal, `inf`, `infinity`,
/// `nan`, in any case, with a sign and leading blanks if it likes.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let (negative, text) = match &text[blanks..] {
        [b'-', text @ ..] => (true, text),
        [b'+', text @ ..] => (false, text),
        text => (false, text),
    };
    let value = match text {
        [b'0', b'x' | b'X', hex @ ..] => parse_hex(hex)?,
        [b'n' | b'N', ..] => parse_nan(text)?,
        // Rust reads these as C does, but would take a second sign.
        [b'0'..=b'9' | b'.' | b'i' | b'I', ..] => std::str::from_utf8(text).ok()?.parse().ok()?,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// `nan`, or with a tag that does not matter: `nan(word)`.
fn parse_nan(text: &[u8]) -> Option<f64> {
    let (nan, tag) = text.split_at_checked(3)?;
    let good = match tag {
        [] => true,
        [b'(', word @ .., b')'] => word.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_'),
        _ => false,
    };
    (good && nan.eq_ignore_ascii_case(b"nan")).then_some(f64::NAN)
}

/// What follows `0x`: `h.hhh` and perhaps `p` with a power of two.
fn parse_hex(text: &[u8]) -> Option<f64> {
    let (mut mantissa, mut exponent) = (0u64, 0i64);
    // Whether a bit beyond the 64 kept ones was set.
    let mut sticky = false;
    let (mut digits, mut point) = (false, false);
    let mut rest = text;
    while let [byte, next @ ..] = rest {
        match (*byte as char).to_digit(16) {
            Some(digit) => {
                digits = true;
                if mantissa >> 60 == 0 {
                    mantissa = mantissa << 4 | u64::from(digit);
                    exponent -= if point { 4 } else { 0 };
                } else {
                    sticky |= digit != 0;
                    exponent += if point { 0 } else { 4 };
                }
            }
            None if *byte == b'.' && !point => point = true,
            None => break,
        }
        rest = next;
    }
    let power = match rest {
        [] => 0,
        [b'p' | b'P', power @ ..] => parse_power(power)?,
        _ => return None,
    };
    digits.then(|| round(mantissa, sticky, exponent.saturating_add(power)))
}

/// An exponent: a sign if it likes and digits. Beyond i64 it is as good as infinite.
fn parse_power(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |byte: &u8| i64::from(byte - b'0');
    let power =
        digits.iter().fold(0i64, |n, byte| n.saturating_mul(10).saturating_add(digit(byte)));
    Some(power * sign)
}

/// `mantissa`·2^`exponent`, with a trifle more if `sticky`, rounded to the nearest double, ties to even.
fn round(mantissa: u64, sticky: bool, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let shift = mantissa.leading_zeros();
    let mantissa = mantissa << shift;
    // The power of two of the highest bit.
    let top = exponent.saturating_add(63 - i64::from(shift));
    if top > 1023 {
        return f64::INFINITY;
    }
    // A normal double keeps 53 bits, a subnormal one those from 2^-1074 up.
    let keep = (top + 1075).min(53);
    if keep < 0 {
        return 0.0;
    }
    let drop = 64 - keep as u32;
    let kept = mantissa.checked_shr(drop).unwrap_or(0);
    let (left, half) = (mantissa << keep, 1 << 63);
    let up = left > half || left == half && (sticky || kept & 1 == 1);
    // A carry out of the fraction runs into the exponent field, which is what it should do.
    let biased = (top + 1022).max(0) as u64;
    f64::from_bits((biased << 52) + kept + u64::from(up))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        double_17g(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prints_what_a_server_printed() {
        for line in include_str!("../../../testdata/number/grisu.tsv").lines().skip(1) {
            let (bits, texts) = line.split_once('\t').unwrap();
            let (_, theirs) = texts.split_once('\t').unwrap();
            let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            assert_eq!(text(value), theirs, "{bits}");
        }
        assert_eq!(text(f64::NAN), "nan");
        assert_eq!(text(-f64::NAN), "-nan");
    }

    #[test]
    fn reads_as_strtod_does() {
        let smallest = f64::from_bits(1);
        let table = [
            ("0", 0.0),
            ("1", 1.0),
            ("+1.5", 1.5),
            (" \t\n1", 1.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("001e+02", 100.0),
            ("1E2", 100.0),
            ("1e400", f64::INFINITY),
            ("-1e99999999999999999999", f64::NEG_INFINITY),
            ("1e-400", 0.0),
            ("4.9406564584124654e-324", smallest),
            ("inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            ("0x10", 16.0),
            ("0X.8p1", 1.0),
            ("-0x1.8P-1", -0.75),
            ("0xA.", 10.0),
            ("0x0.0000000000000000000000001p100", 1.0),
            ("0x10000000000000000000000000p-100", 1.0),
            // A tie goes to even; the least bit beyond it does not.
            ("0x1.00000000000008", 1.0),
            ("0x1.00000000000018", 1.0 + 2.0 * f64::EPSILON),
            ("0x1.00000000000008000000000000001", 1.0 + f64::EPSILON),
            ("0x1p-1074", smallest),
            ("0x1p-1075", 0.0),
            ("0x1.00001p-1075", smallest),
            ("0x1p-1076", 0.0),
            ("0x100000000000018p-1079", f64::from_bits(0x0008_0000_0000_0001)),
            ("0x1.fffffffffffffp-1023", f64::MIN_POSITIVE),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x1p99999999999999999999", f64::INFINITY),
            ("0x1p-99999999999999999999", 0.0),
            ("0x0p99999999999999999999", 0.0),
        ];
        for (text, value) in table {
            assert_eq!(parse_double(text.as_bytes()), Some(value), "{text:?}");
        }
        assert!(parse_double(b"-0").unwrap().is_sign_negative());
        for text in ["nan", "NaN", "-nan", "nan()", "NAN(abc_1)"] {
            assert!(parse_double(text.as_bytes()).unwrap().is_nan(), "{text:?}");
        }
    }

    #[test]
    fn all_of_the_text_must_be_a_number() {
        for text in [
            "", " ", "+", "-", ".", "e1", "1e", "1e+", "1 ", "1x", "+-1", "--1", "1_0", "infi",
            "infx", "na", "nan(", "nan(-)", "nanx", "0x", "0x.", "0x1p", "0x1p+", "0x1p1.", "0xg",
            "0x 1", "0x-1", "1..2", "0x1.2.3", "1\0", "\u{a0}1", "i", "n",
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_double(b"1\xff"), None);
    }

    proptest! {
        #[test]
        fn reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(parse_double(text(value).as_bytes()).map(f64::to_bits), Some(bits));
        }

        #[test]
        fn hexadecimal_is_exact(fraction in 0..1u64 << 53, power in -1100..1000i32) {
            let value = fraction as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2);
            // Both steps above are exact unless they leave the normal range.
            prop_assume!(value == 0.0 || value.is_normal());
            let text = format!("{fraction:#x}p{power}");
            prop_assert_eq!(parse_double(text.as_bytes()), Some(value));
        }

        #[test]
        fn no_text_panics(text: Vec<u8>) {
            let _ = parse_double(&text);
        }

        #[test]
        fn no_numeric_text_panics(text in "[-+]?(0x)?[0-9a-fin.]{0,30}[ep]?[-+]?[0-9]{0,22}") {
            let _ = parse_double(text.as_bytes());
        }
    }
}
