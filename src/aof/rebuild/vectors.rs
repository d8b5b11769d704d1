//! Vector sets as the VADDs that make them: each with the vector that a command gave once, or, of an element
//! that lay in an RDB, with the one stored there. Servers divide a vector by its length and quantize it:
//! of a stored one that gives what is stored.

use super::{NEVER, Rebuild};
use crate::element::{Quantization, Scale, Str};
use crate::loss::Loss;

/// What the elements of a set share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vectors {
    pub(super) dimension: u64,
    pub(super) quantization: Quantization,
    pub(super) m: u64,
    pub(super) input_dimension: Option<u64>,
}

impl Default for Vectors {
    fn default() -> Self {
        let quantization = Quantization::Int8;
        Vectors { dimension: 0, quantization, m: 0, input_dimension: None }
    }
}

impl Rebuild {
    pub(super) fn vector(
        &mut self,
        element: Str<'_>,
        attributes: Option<Str<'_>>,
        stored: Str<'_>,
        given: Option<&[u8]>,
        scale: Scale,
    ) {
        if !self.server.has((8, 0), NEVER) {
            return self.lose(Loss::Type);
        }
        let Vectors { dimension, quantization, m, input_dimension } = self.vectors;
        let parts;
        let vector = match given {
            Some(given) => given,
            // What a projection made of it is all there is.
            None if input_dimension.is_some() => return self.lose(Loss::VectorGraph),
            None => {
                let mut text = Vec::new();
                let stored = stored.bytes(&mut text).unwrap_or_default();
                let mut floats = floats(stored, quantization, dimension);
                if !lengthen(&mut floats, quantization, scale) {
                    self.lose(Loss::VectorLength);
                }
                parts = floats.iter().flat_map(|part| part.to_le_bytes()).collect::<Vec<u8>>();
                &parts
            }
        };
        let (mut name, mut more) = (Vec::new(), Vec::new());
        let element = element.bytes(&mut name).unwrap_or_default();
        let attributes = attributes.map(|text| text.bytes(&mut more).unwrap_or_default());
        let (dimension, m) = (dimension.to_string(), m.to_string());
        let mut args: Vec<&[u8]> = Vec::new();
        if input_dimension.is_some() {
            args.extend([&b"REDUCE"[..], dimension.as_bytes()]);
        }
        let how: &[u8] = match quantization {
            Quantization::F32 => b"NOQUANT",
            Quantization::Int8 => b"Q8",
            Quantization::Binary => b"BIN",
        };
        args.extend([&b"FP32"[..], vector, element, how]);
        if let Some(attributes) = attributes {
            args.extend([&b"SETATTR"[..], attributes]);
        }
        args.extend([&b"M"[..], m.as_bytes()]);
        self.on_key(b"VADD", &args);
    }
}

/// Gives a vector the length that it was given with, where storing it again gives the same in spite of that. So
/// it does what was rounded to integers or bits; floats it might change in their last bit.
fn lengthen(parts: &mut [f32], quantization: Quantization, scale: Scale) -> bool {
    let factor = scale.length / Scale::length_of(parts);
    if quantization == Quantization::F32 || !factor.is_normal() {
        return scale.length == 1.0;
    }
    parts.iter_mut().for_each(|part| *part *= factor);
    true
}

/// A stored vector as numbers.
fn floats(stored: &[u8], quantization: Quantization, dimension: u64) -> Vec<f32> {
    let dimension = usize::try_from(dimension).unwrap_or(usize::MAX);
    match quantization {
        Quantization::F32 => {
            stored.as_chunks::<4>().0.iter().map(|part| f32::from_le_bytes(*part)).collect()
        }
        Quantization::Int8 => stored.iter().map(|part| f32::from(*part as i8)).collect(),
        Quantization::Binary => {
            let bits = stored.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
            let sign = |bit: u8| if bit == 1 { 1f32 } else { -1f32 };
            bits.take(dimension).map(sign).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_vectors_as_numbers() {
        assert_eq!(floats(&[95, 129, 0], Quantization::Int8, 3), [95.0, -127.0, 0.0]);
        let bits = 0b1011u64.to_le_bytes();
        assert_eq!(floats(&bits, Quantization::Binary, 4), [1.0, 1.0, -1.0, 1.0]);
        assert_eq!(floats(&0.5f32.to_le_bytes(), Quantization::F32, 1), [0.5]);
    }
}
