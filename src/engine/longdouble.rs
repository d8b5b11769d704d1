//! `INCRBYFLOAT` and `HINCRBYFLOAT` compute in C's `long double`, and what they leave is its text. On the
//! machines whose files we read that is the 80-bit format of x86: a sign, 64 bits of mantissa, an
//! exponent of 15 bits. Rust has no such type, so the three operations those commands need are here,
//! each rounded once, to nearest, ties to even, as the processor and the C library round:
//!
//! * [`LongDouble::parse`]: as `strtold` under the servers' checks. The decimal (or hexadecimal) text is
//!   turned into an exact quotient of big integers, then rounded.
//! * addition: 63 guard bits and a sticky bit.
//! * [`LongDouble::text`]: `%.17Lf` with the zeros at the end cut off. Exact: the fraction fits
//!   128 bits because 2^64 × 10^17 does.

use std::cmp::Ordering;

/// Longest text that is read as a number, as servers have it.
const MAX_TEXT: usize = 5 * 1024;
/// Exponent of the last mantissa bit of the smallest number.
const MIN_EXP: i64 = -16445;
/// Exponent of the first mantissa bit of the largest number.
const MAX_TOP: i64 = 16383;
/// Digits behind the point.
const DIGITS: u32 = 17;

/// A number of the 80-bit format; no NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magnitude {
    Zero,
    /// mantissa × 2^exp, the mantissa's top bit set.
    Finite {
        mantissa: u64,
        exp: i64,
    },
    Infinite,
}

impl LongDouble {
    /// An integer; every i64 has its exact number.
    pub fn from_int(number: i64) -> LongDouble {
        let limbs = Big(vec![number.unsigned_abs()]);
        LongDouble { negative: number < 0, magnitude: limbs.round(0, false) }
    }

    /// The number that a text stands for, as the servers read one: all of it must be number, and
    /// neither too large nor so small that nothing is left.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= MAX_TEXT {
            return None;
        }
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let magnitude = if [&b"inf"[..], b"infinity"].iter().any(|w| digits.eq_ignore_ascii_case(w))
        {
            Magnitude::Infinite
        } else {
            let (magnitude, zero) = match digits {
                [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
                rest => decimal(rest)?,
            };
            match magnitude {
                Magnitude::Infinite => return None,
                Magnitude::Zero if !zero => return None,
                finite => finite,
            }
        };
        Some(LongDouble { negative, magnitude })
    }

    /// Is it an infinity?
    pub fn is_infinite(self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// 0
    pub const ZERO: LongDouble = LongDouble { negative: false, magnitude: Magnitude::Zero };
    /// 1
    pub const ONE: LongDouble = LongDouble {
        negative: false,
        magnitude: Magnitude::Finite { mantissa: 1 << 63, exp: -63 },
    };
    /// The largest finite number, `LDBL_MAX`.
    pub const MAX: LongDouble = LongDouble {
        negative: false,
        magnitude: Magnitude::Finite { mantissa: u64::MAX, exp: MAX_TOP - 63 },
    };

    /// The number with the other sign.
    pub const fn negated(self) -> LongDouble {
        LongDouble { negative: !self.negative, ..self }
    }

    /// The sum; `None` where it would be infinite or not a number.
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        let (a, b) = (self.magnitude, other.magnitude);
        let (
            Magnitude::Finite { .. } | Magnitude::Zero,
            Magnitude::Finite { .. } | Magnitude::Zero,
        ) = (a, b)
        else {
            return None;
        };
        let ((mantissa_a, exp_a), (mantissa_b, exp_b)) = match (a, b) {
            (
                Magnitude::Finite { mantissa: ma, exp: ea },
                Magnitude::Finite { mantissa: mb, exp: eb },
            ) => ((ma, ea), (mb, eb)),
            (_, Magnitude::Zero) if a == Magnitude::Zero => {
                return Some(LongDouble { negative: self.negative && other.negative, ..self });
            }
            (_, Magnitude::Zero) => return Some(self),
            _ => return Some(other),
        };
        // The larger one first, both one bit below the top of 128 so that a carry has room.
        let swap = (exp_a, mantissa_a) < (exp_b, mantissa_b);
        let ((large, exp), (small, exp_small), negative) = match swap {
            true => ((mantissa_b, exp_b), (mantissa_a, exp_a), other.negative),
            false => ((mantissa_a, exp_a), (mantissa_b, exp_b), self.negative),
        };
        let (large, small) = (u128::from(large) << 63, u128::from(small) << 63);
        let shift = u32::try_from(exp - exp_small).unwrap_or(u32::MAX);
        let shifted = small.checked_shr(shift).unwrap_or(0);
        let sticky = shifted.checked_shl(shift).unwrap_or(0) != small;
        let sum = match self.negative == other.negative {
            true => large + shifted,
            // What was shifted out is a bit more to take away; the sticky bit says a part of it remains.
            false => large - shifted - u128::from(sticky),
        };
        let magnitude = Big(vec![sum as u64, (sum >> 64) as u64]).round(exp - 63, sticky);
        match magnitude {
            Magnitude::Infinite => None,
            Magnitude::Zero => Some(LongDouble { negative: false, magnitude }),
            _ => Some(LongDouble { negative, magnitude }),
        }
    }

    /// The text that the servers store: seventeen digits behind the point, rounded, without zeros at
    /// the end.
    pub fn text(self) -> Vec<u8> {
        let mut text = match self.magnitude {
            Magnitude::Zero => "0".to_owned(),
            Magnitude::Infinite => "inf".to_owned(),
            Magnitude::Finite { mantissa, exp } => match u32::try_from(exp) {
                Ok(exp) => Big(vec![mantissa]).shl(exp).decimal(),
                Err(_) => fraction(mantissa, u32::try_from(exp.unsigned_abs()).unwrap_or(u32::MAX)),
            },
        };
        if self.negative && text != "0" {
            text.insert(0, '-');
        }
        text.into_bytes()
    }
}

impl PartialOrd for LongDouble {
    fn partial_cmp(&self, other: &LongDouble) -> Option<Ordering> {
        // Mantissas have their top bit set, so the exponent decides first.
        let size = |number: &LongDouble| match number.magnitude {
            Magnitude::Zero => (0, 0, 0),
            Magnitude::Finite { mantissa, exp } => (1, exp, mantissa),
            Magnitude::Infinite => (2, 0, 0),
        };
        let zero = |number: &LongDouble| number.magnitude == Magnitude::Zero;
        Some(match (self.negative, other.negative) {
            _ if zero(self) && zero(other) => Ordering::Equal,
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        })
    }
}

/// mantissa × 2^−shift, to seventeen places.
fn fraction(mantissa: u64, shift: u32) -> String {
    let unit = 10u128.pow(DIGITS);
    let scaled = u128::from(mantissa) * unit;
    let quotient = scaled.checked_shr(shift).unwrap_or(0);
    let remainder = scaled - quotient.checked_shl(shift).unwrap_or(0);
    let half = 1u128.checked_shl(shift.saturating_sub(1)).unwrap_or(u128::MAX);
    let up = remainder > half || (remainder == half && quotient % 2 == 1);
    let quotient = quotient + u128::from(up);
    let (whole, part) = (quotient / unit, quotient % unit);
    let text = format!("{whole}.{part:0width$}", width = DIGITS as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Takes the digits at the start of `text`, the point among them dropped; gives the digits, how many
/// stood behind the point, and what follows.
fn digits(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<(Vec<u8>, i64, &[u8])> {
    let whole = text.iter().take_while(|byte| is_digit(byte)).count();
    let (whole, rest) = text.split_at_checked(whole)?;
    let (part, rest) = match rest {
        [b'.', behind @ ..] => {
            let count = behind.iter().take_while(|byte| is_digit(byte)).count();
            behind.split_at_checked(count)?
        }
        rest => (&[][..], rest),
    };
    let all = [whole, part].concat();
    if all.is_empty() { None } else { Some((all, i64::try_from(part.len()).ok()?, rest)) }
}

/// The exponent behind `e` or `p`; 0 if there is none. Far beyond what matters, any is as good.
fn exponent(rest: &[u8], letter: u8) -> Option<i64> {
    let digits = match rest {
        [] => return Some(0),
        [first, rest @ ..] if first.eq_ignore_ascii_case(&letter) => rest,
        _ => return None,
    };
    let (sign, digits) = match digits {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |size, digit| {
        size.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(1_000_000)
    });
    Some(sign * size)
}

/// The rounded number, and whether it is zero because the text says so.
fn decimal(text: &[u8]) -> Option<(Magnitude, bool)> {
    let (digits, behind_point, rest) = digits(text, u8::is_ascii_digit)?;
    let ten = exponent(rest, b'e')? - behind_point;
    let mut big = Big(Vec::new());
    digits.iter().for_each(|digit| big.mul_add(10, u64::from(digit - b'0')));
    if big.bits() == 0 {
        return Some((Magnitude::Zero, true));
    }
    // 5119 digits at most, so beyond these it is over or under whatever the digits are.
    let magnitude = match ten {
        ten if ten > 5000 => Magnitude::Infinite,
        ten if ten < -11_000 => Magnitude::Zero,
        ten if ten >= 0 => {
            (0..ten).for_each(|_| big.mul_add(10, 0));
            big.round(0, false)
        }
        ten => {
            // Enough bits that 66 and more remain of the quotient: log2(10) < 3.33.
            let tens = ten.unsigned_abs();
            let shift = u32::try_from(tens * 333 / 100 + 70).ok()?;
            let mut big = big.shl(shift);
            let mut sticky = false;
            (0..tens).for_each(|_| sticky |= big.div(10) != 0);
            big.round(-i64::from(shift), sticky)
        }
    };
    Some((magnitude, false))
}

fn hexadecimal(text: &[u8]) -> Option<(Magnitude, bool)> {
    let (digits, behind_point, rest) = digits(text, u8::is_ascii_hexdigit)?;
    let exp = exponent(rest, b'p')? - 4 * behind_point;
    let mut big = Big(Vec::new());
    for digit in digits {
        big.mul_add(16, u64::from(char::from(digit).to_digit(16)?));
    }
    let zero = big.bits() == 0;
    Some((big.round(exp, false), zero))
}

/// A natural number, lowest limb first.
struct Big(Vec<u64>);

impl Big {
    fn bits(&self) -> i64 {
        let top = self.0.iter().rposition(|limb| *limb != 0);
        let bits = |top: usize| {
            let limb = self.0.get(top).copied().unwrap_or_default();
            top as i64 * 64 + 64 - i64::from(limb.leading_zeros())
        };
        top.map_or(0, bits)
    }

    fn bit(&self, at: i64) -> bool {
        let limb = usize::try_from(at / 64).ok().and_then(|limb| self.0.get(limb));
        at >= 0 && limb.is_some_and(|limb| limb >> (at % 64) & 1 == 1)
    }

    /// × `factor` + `plus`
    fn mul_add(&mut self, factor: u64, plus: u64) {
        let mut carry = plus;
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            (*limb, carry) = (product as u64, (product >> 64) as u64);
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    /// Divides; the remainder is the answer.
    fn div(&mut self, divisor: u64) -> u64 {
        let mut rest = 0u128;
        for limb in self.0.iter_mut().rev() {
            let part = rest << 64 | u128::from(*limb);
            *limb = (part / u128::from(divisor)) as u64;
            rest = part % u128::from(divisor);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        rest as u64
    }

    fn shl(mut self, by: u32) -> Big {
        self.mul_add(1 << (by % 64), 0);
        self.0.splice(0..0, std::iter::repeat_n(0, by as usize / 64));
        self
    }

    fn decimal(mut self) -> String {
        const CHUNK: u64 = 10u64.pow(18);
        let mut chunks = Vec::new();
        while self.bits() > 0 {
            chunks.push(self.div(CHUNK));
        }
        let first = chunks.pop().unwrap_or(0).to_string();
        chunks.iter().rev().fold(first, |text, chunk| text + &format!("{chunk:018}"))
    }

    /// self × 2^exp, and a little more if `sticky`, rounded to the format. `sticky` needs at least 66
    /// bits here, or all of them would be mantissa and it could not be told which way to round.
    fn round(&self, exp: i64, sticky: bool) -> Magnitude {
        let bits = self.bits();
        let drop = (bits - 64).max(MIN_EXP - exp).max(0);
        let mut mantissa =
            (0..64.min(bits - drop)).fold(0u64, |m, n| m | u64::from(self.bit(drop + n)) << n);
        let mut exp = exp + drop;
        let half = drop > 0 && self.bit(drop - 1);
        let below = sticky || (0..drop - 1).any(|at| self.bit(at));
        if half && (below || mantissa & 1 == 1) {
            (mantissa, exp) = match mantissa.checked_add(1) {
                Some(mantissa) => (mantissa, exp),
                None => (1 << 63, exp + 1),
            };
        }
        if mantissa == 0 {
            return Magnitude::Zero;
        }
        let up = mantissa.leading_zeros();
        let (mantissa, exp) = (mantissa << up, exp - i64::from(up));
        if exp + 63 > MAX_TOP { Magnitude::Infinite } else { Magnitude::Finite { mantissa, exp } }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let sum = LongDouble::parse(a.as_bytes())?.plus(LongDouble::parse(b.as_bytes())?)?;
        Some(String::from_utf8(sum.text()).unwrap())
    }

    /// What redis-server 7.0.15 on x86-64 answers to `SET k a`, `INCRBYFLOAT k b`.
    #[test]
    fn sums_as_a_server_gives_them() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("0.1", "0.2", Some("0.3")),
            ("10.50", "0.1", Some("10.6")),
            ("3", "1.1", Some("4.1")),
            ("5.0e3", "2.0e2", Some("5200")),
            ("1", "-1", Some("0")),
            ("-0", "0", Some("0")),
            ("0x1.8p1", "0", Some("3")),
            ("1e20", "1", Some("100000000000000000000")),
            ("1e20", "5", Some("100000000000000000008")),
            ("inf", "1", None),
            ("1e4932", "1e4932", None),
        ];
        for (a, b, want) in cases {
            assert_eq!(sum(a, b).as_deref(), *want, "{a} + {b}");
        }
    }

    #[test]
    fn texts_that_are_no_numbers() {
        for text in
            ["", " 1", "1 ", "1e", "1e+", ".", "-", "--1", "nan", "1e4933", "1e-5000", "0x", "1_0"]
        {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in
            ["1.", ".5", "+1", "1E5", "0e99999999999", "-0", "1e-4950", "0X.8P3", "INFINITY"]
        {
            assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text:?}");
        }
    }

    #[test]
    fn numbers_have_an_order() {
        let texts = ["-inf", "-1e4932", "-2", "-1e-4950", "0", "1e-4950", "0.5", "1", "1.5", "inf"];
        let numbers = texts.map(|text| LongDouble::parse(text.as_bytes()).unwrap());
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert!(LongDouble::parse(b"-0") >= LongDouble::parse(b"0"));
        assert!(numbers[8] < LongDouble::MAX && LongDouble::MAX < numbers[9]);
    }

    #[test]
    fn integers_are_exact() {
        for number in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1] {
            let text = number.to_string();
            assert_eq!(LongDouble::from_int(number).text(), text.as_bytes());
            assert_eq!(LongDouble::parse(text.as_bytes()), Some(LongDouble::from_int(number)));
        }
    }

    /// Where 53 bits suffice, f64 gives the same.
    #[test]
    fn agrees_with_f64_on_small_binary_fractions() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let mut number = || f64::from(rng.i32(..)) / f64::from(1u32 << rng.u32(..16));
            let (a, b) = (number(), number());
            let exact = |number: f64| format!("{number:.17}");
            let want = exact(a + b).trim_end_matches('0').trim_end_matches('.').to_owned();
            assert_eq!(sum(&exact(a), &exact(b)), Some(want), "{a} + {b}");
        }
    }
}
