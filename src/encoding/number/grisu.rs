//! Doubles as Redis 7.2 and later, and every Valkey from 7.2 on, print them (FORMATS D, "Score text").
//!
//! The digits come from Grisu2 (F. Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with
//! Integers", PLDI 2010). It always reads back to the same double and nearly always is the shortest text
//! that does; in about one of a thousand doubles it has a digit more, or is not the closest of the
//! shortest. Those digits are in DEBUG DIGEST, so no other algorithm will do.
//!
//! The idea: scale the double and the two ends of the interval that rounds to it by a cached power of
//! ten, so that the integer part fits 32 bits, then emit digits of the upper end until what is left
//! falls inside the interval, and step the last digit down towards the double.

/// Text of `value`: digits by Grisu2, laid out plainly or in scientific notation, whichever a server takes.
pub fn double_grisu(value: f64, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if value == 0.0 {
        out.push(b'0');
    } else {
        let mut digits = Digits::default();
        let exponent = grisu2(value.abs(), &mut digits);
        lay_out(digits.as_slice(), exponent, out);
    }
}

/// The value is `digits`, read as an integer, times 10^`exponent`.
fn lay_out(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let count = digits.len() as i32;
    // The exponent with one digit before the point.
    let scientific = exponent + count - 1;
    if exponent >= 0 && scientific < count + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
    } else if exponent < 0 && (exponent > -7 || scientific.abs() < 4) {
        let (whole, part) = digits.split_at((count + exponent).max(0) as usize);
        out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
        out.push(b'.');
        out.resize(out.len() + (-count - exponent).max(0) as usize, b'0');
        out.extend_from_slice(part);
    } else {
        let (first, more) = digits.split_at(1);
        out.extend_from_slice(first);
        if !more.is_empty() {
            out.push(b'.');
            out.extend_from_slice(more);
        }
        out.extend_from_slice(if scientific < 0 { b"e" } else { b"e+" });
        super::write_i64(scientific.into(), out);
    }
}

/// Room for the digits of one double: Grisu2 makes 17 at most.
#[derive(Default)]
struct Digits {
    bytes: [u8; 20],
    len: usize,
}

impl Digits {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends a digit; zeros before the first are dropped.
    fn push(&mut self, digit: u64) {
        if digit != 0 || self.len != 0 {
            self.bytes[self.len] = b'0' + digit as u8;
            self.len += 1;
        }
    }

    /// Steps the last digit down while that brings the text closer to the double and stays inside the
    /// interval. `rest` is how far the text is below the upper end, `target` how far the double is,
    /// `unit` what a step takes.
    fn round_down(&mut self, interval: u64, mut rest: u64, unit: u64, target: u64) {
        while rest < target
            && interval - rest >= unit
            && (rest + unit < target || target - rest > rest + unit - target)
        {
            self.bytes[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

/// A number `fraction`·2^`exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

/// Bits of a double's fraction.
const FRACTION_BITS: u32 = 52;
/// The bit that a normal double does not store.
const HIDDEN: u64 = 1 << FRACTION_BITS;

/// The digits of a positive finite `value`, and the power of ten they are to be multiplied by.
fn grisu2(value: f64, digits: &mut Digits) -> i32 {
    let exact = unpack(value);
    let (lower, upper) = boundaries(exact);
    let shift = exact.fraction.leading_zeros();
    let exact = exact.fraction << shift;
    let (power, ten) = cached_power(upper.exponent);
    let exponent = upper.exponent + power.exponent + 64;
    // Each product may be off by one unit: the interval is narrowed so that it is inside the true one.
    let upper = multiply(upper.fraction, power.fraction) - 1;
    let lower = multiply(lower, power.fraction) + 1;
    let exact = multiply(exact, power.fraction);
    generate(upper, upper - exact, upper - lower, exponent, digits) - ten
}

fn unpack(value: f64) -> Scaled {
    let bits = value.to_bits();
    let fraction = bits & (HIDDEN - 1);
    match (bits >> FRACTION_BITS) as i32 & 0x7ff {
        0 => Scaled { fraction, exponent: -1074 },
        biased => Scaled { fraction: fraction | HIDDEN, exponent: biased - 1075 },
    }
}

/// Half way to the next double down and up, both with the exponent of the upper, which is normalized.
fn boundaries(exact: Scaled) -> (u64, Scaled) {
    let fraction = exact.fraction << 1 | 1;
    let shift = fraction.leading_zeros();
    let upper = Scaled { fraction: fraction << shift, exponent: exact.exponent - 1 - shift as i32 };
    // Below a power of two the doubles are twice as dense.
    let closer = if exact.fraction == HIDDEN { 2 } else { 1 };
    let lower = (exact.fraction << closer) - 1;
    (lower << (exact.exponent - closer - upper.exponent), upper)
}

/// The upper half of the product, rounded.
fn multiply(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b) + (1 << 63)) >> 64) as u64
}

/// Digits of `upper`·2^`exponent`, stopping as soon as what is left is below `interval`; returns how many
/// places before the point they end. `target` is how far the double is below `upper`.
fn generate(upper: u64, target: u64, interval: u64, exponent: i32, digits: &mut Digits) -> i32 {
    let point = -exponent;
    let one = 1 << point;
    let (mut whole, mut part) = (upper >> point, upper & (one - 1));
    let mut place = 10;
    let mut unit = 1_000_000_000;
    while place > 0 {
        digits.push(whole / unit);
        whole %= unit;
        place -= 1;
        let rest = (whole << point) + part;
        if rest <= interval {
            digits.round_down(interval, rest, unit << point, target);
            return place;
        }
        unit /= 10;
    }
    let (mut interval, mut target) = (interval, target);
    loop {
        part *= 10;
        interval *= 10;
        target *= 10;
        place -= 1;
        digits.push(part >> point);
        part &= one - 1;
        if part < interval {
            digits.round_down(interval, part, one, target);
            return place;
        }
    }
}

/// The exponent of the first entry of [`POWERS`].
const FIRST_TEN: i32 = -348;
/// The step between entries.
const TEN_STEP: i32 = 8;

/// The smallest cached power of ten that, times something with this exponent, leaves an exponent of -60
/// or more (and then it is -32 or less); and which power it is.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    // The smallest ten with 10^ten >= 2^(-61 - exponent): 78913/2^18 is log10(2), near enough.
    let ten = ((-61 - exponent) * 78_913 + ((1 << 18) - 1)) >> 18;
    let index = (ten - FIRST_TEN + TEN_STEP - 1) / TEN_STEP;
    let ten = FIRST_TEN + index * TEN_STEP;
    let fraction = POWERS[index as usize];
    (Scaled { fraction, exponent: floor_log2_of_ten(ten) - 63 }, ten)
}

/// The exponent of the highest bit of 10^`ten`, for every power in [`POWERS`].
const fn floor_log2_of_ten(ten: i32) -> i32 {
    (ten * 217_706) >> 16
}

/// The top 64 bits of 10^-348, 10^-340 … 10^340, rounded to nearest.
static POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288,
    0xbaae_e17f_a23e_bf76,
    0x8b16_fb20_3055_ac76,
    0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d,
    0xe61a_cf03_3d1a_45df,
    0xab70_fe17_c79a_c6ca,
    0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c,
    0x8dd0_1fad_907f_fc3c,
    0xd351_5c28_3155_9a83,
    0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb,
    0xaecc_4991_4078_536d,
    0x823c_1279_5db6_ce57,
    0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f,
    0xd774_85cb_2582_3ac7,
    0xa086_cfcd_97bf_97f4,
    0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e,
    0x84c8_d4df_d2c6_3f3b,
    0xc5dd_4427_1ad3_cdba,
    0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584,
    0xa3ab_6658_0d5f_daf6,
    0xf3e2_f893_dec3_f126,
    0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b,
    0xc9bc_ff60_34c1_3053,
    0x964e_858c_91ba_2655,
    0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f,
    0xf8a9_5fcf_8874_7d94,
    0xb944_7093_8fa8_9bcf,
    0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6,
    0x993f_e2c6_d07b_7fac,
    0xe45c_10c4_2a2b_3b06,
    0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e,
    0xbce5_0864_9211_1aeb,
    0x8cbc_cc09_6f50_88cc,
    0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000,
    0xe8d4_a510_0000_0000,
    0xad78_ebc5_ac62_0000,
    0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3,
    0x8f7e_32ce_7bea_5c70,
    0xd5d2_38a4_abe9_8068,
    0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27,
    0xb0de_6538_8cc8_ada8,
    0x83c7_088e_1aab_65db,
    0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758,
    0xda01_ee64_1a70_8dea,
    0xa26d_a399_9aef_774a,
    0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877,
    0x865b_8692_5b9b_c5c2,
    0xc835_53c5_c896_5d3d,
    0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3,
    0xa59b_c234_db39_8c25,
    0xf6c6_9a72_a398_9f5c,
    0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2,
    0xcc20_ce9b_d35c_78a5,
    0x9816_5af3_7b21_53df,
    0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396,
    0xfb9b_7cd9_a4a7_443c,
    0xbb76_4c4c_a7a4_4410,
    0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c,
    0x9b10_a4e5_e991_3129,
    0xe710_9bfb_a19c_0c9d,
    0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85,
    0xbf21_e440_03ac_dd2d,
    0x8e67_9c2f_5e44_ff8f,
    0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9,
    0xeb96_bf6e_badf_77d9,
    0xaf87_023b_9bf0_ee6b,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::encoding::number::parse_double;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        double_grisu(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The significant digits of a text.
    fn digits(text: &str) -> String {
        let mantissa = text.split('e').next().unwrap_or_default();
        mantissa.replace(['.', '-'], "").trim_matches('0').to_string()
    }

    /// A good hundred of the rows are doubles for which Grisu2 is not the shortest or closest text.
    #[test]
    fn prints_what_a_server_printed() {
        let table = include_str!("../../../testdata/number/grisu.tsv");
        let mut not_shortest = 0;
        for line in table.lines().skip(1) {
            let (bits, texts) = line.split_once('\t').unwrap();
            let (theirs, _) = texts.split_once('\t').unwrap();
            let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            assert_eq!(text(value), theirs, "{bits}");
            not_shortest += usize::from(digits(theirs) != digits(&format!("{value:e}")));
        }
        assert!(not_shortest >= 100, "{not_shortest}");
    }

    #[test]
    fn special_values() {
        assert_eq!(text(f64::NAN), "nan");
        assert_eq!(text(-f64::NAN), "-nan");
        assert_eq!(text(f64::NEG_INFINITY), "-inf");
        assert_eq!(text(-0.0), "-0");
    }

    #[test]
    fn the_power_for_every_exponent_is_the_smallest_in_the_window() {
        // From the smallest subnormal, 2^-1074, to the largest double, normalized.
        for exponent in -1137..=960 {
            let (power, ten) = cached_power(exponent);
            let scaled = exponent + power.exponent + 64;
            assert!((-60..=-32).contains(&scaled), "{exponent}: {scaled}");
            let before = exponent + floor_log2_of_ten(ten - TEN_STEP) - 63 + 64;
            assert!(before < -60, "{exponent}: {before}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_and_is_never_longer_than_17_digits(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = text(value);
            prop_assert_eq!(parse_double(text.as_bytes()).map(f64::to_bits), Some(bits));
            prop_assert!(digits(&text).len() <= 17, "{}", text);
        }
    }
}
