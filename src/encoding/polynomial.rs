//! The arithmetic of a CRC-64: polynomials over two elements, modulo the one that the checksum is named by.
//! All are reflected: bit 63 is x^0, bit 0 is x^63, and x^64 is implied.

/// A polynomial, and what follows from it.
#[derive(Debug)]
pub struct Polynomial {
    reflected: u64,
    /// x^(8·2^i).
    shifts: [u64; 64],
    /// x^(-8·2^i): x has an inverse, since the polynomial's last term is 1.
    unshifts: [u64; 64],
    /// What undoing the shift of a byte makes of the highest byte.
    steps: [u64; 256],
}

/// CRC-64 of Redis ("Jones"), at the end of an RDB.
pub static REDIS: Polynomial = Polynomial::new(0xad93_d235_94c9_35a9);

/// CRC-64/XZ (that of ECMA-182), of the blocks of a seal.
pub static XZ: Polynomial = Polynomial::new(0x42f0_e1eb_a9ea_3693);

impl Polynomial {
    /// Of a polynomial as it is usually written, the highest power first.
    pub const fn new(polynomial: u64) -> Polynomial {
        let reflected = polynomial.reverse_bits();
        let mut steps = [0; 256];
        let mut top = 0;
        while top < 256 {
            steps[top] = unshift_byte((top as u64) << 56, reflected);
            top += 1;
        }
        Polynomial {
            reflected,
            shifts: squares(1 << (63 - 8), reflected),
            unshifts: squares(unshift_byte(1 << 63, reflected), reflected),
            steps,
        }
    }

    /// What a remainder becomes when so many bytes of 0 are appended.
    pub fn after_zeros(&self, remainder: u64, count: u64) -> u64 {
        self.powers(&self.shifts, remainder, count)
    }

    /// What a remainder was before `count` bytes of 0 were appended.
    pub fn before_zeros(&self, remainder: u64, count: u64) -> u64 {
        self.powers(&self.unshifts, remainder, count)
    }

    /// The same for one byte.
    #[inline]
    pub fn step_back(&self, remainder: u64) -> u64 {
        let top = self.steps.get((remainder >> 56) as usize).copied().unwrap_or_default();
        remainder << 8 ^ top
    }

    /// Of 64 powers, those that the count is made of are multiplied.
    fn powers(&self, table: &[u64; 64], remainder: u64, count: u64) -> u64 {
        let powers = table.iter().enumerate().filter(|&(bit, _)| count >> bit & 1 == 1);
        powers.fold(remainder, |product, (_, &power)| multiply(product, power, self.reflected))
    }
}

/// The remainder before one byte of 0 was appended.
const fn unshift_byte(mut crc: u64, reflected: u64) -> u64 {
    let mut bit = 0;
    while bit < 8 {
        crc = if crc >> 63 == 1 { (crc ^ reflected) << 1 | 1 } else { crc << 1 };
        bit += 1;
    }
    crc
}

/// A power of x, its square, the square of that, and so on.
const fn squares(mut power: u64, reflected: u64) -> [u64; 64] {
    let mut squares = [0; 64];
    let mut i = 0;
    while i < 64 {
        squares[i] = power;
        power = multiply(power, power, reflected);
        i += 1;
    }
    squares
}

/// The product of two polynomials.
const fn multiply(a: u64, mut b: u64, reflected: u64) -> u64 {
    let mut product = 0;
    let mut bit = 64;
    while bit > 0 {
        bit -= 1;
        // b is now b·x^(63-bit); bit 63 of a stands for x^0.
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = b >> 1 ^ if b & 1 == 1 { reflected } else { 0 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn absurd_counts_are_defined() {
        for polynomial in [&REDIS, &XZ] {
            // x^(8·2^63) in two steps is x^(8·2^64 - 8) times x^8.
            let once = polynomial.after_zeros(polynomial.after_zeros(1, u64::MAX), 1);
            let twice = polynomial.after_zeros(polynomial.after_zeros(1, 1 << 63), 1 << 63);
            assert_eq!(once, twice);
        }
    }

    proptest! {
        #[test]
        fn back_and_forth(remainder: u64, count in 0..1u64 << 40) {
            for polynomial in [&REDIS, &XZ] {
                let after = polynomial.after_zeros(remainder, count);
                prop_assert_eq!(polynomial.before_zeros(after, count), remainder);
                let one = polynomial.after_zeros(remainder, 1);
                prop_assert_eq!(polynomial.step_back(one), remainder);
            }
        }
    }
}
