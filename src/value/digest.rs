//! The fingerprint of one value, as `DEBUG DIGEST-VALUE` gives it (FORMATS D).
//!
//! With H = SHA-1 over bytes and ^ a bytewise xor of 20 bytes:
//! ```text
//! mix(m):  sum = H(sum ^ H(m))    order counts          (M in FORMATS)
//! xor(m):  sum = sum ^ H(m)       order does not count  (X in FORMATS)
//! value:   mix(type number, u32 big endian), then what the type contributes,
//!          then xor("!!expire!!") if the key has an expire time
//! ```
//! Each type contributes through [`super::DataType::digest`], in its own file.

use sha1::digest::core_api::Block;
use sha1::{Digest as _, Sha1, Sha1Core, compress};

use super::Value;
use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, double_17g, double_grisu, write_i64};

/// Twenty bytes, shown as forty hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 20]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// How a server writes a score into its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreText {
    /// `%.17g`: Redis up to 7.0.
    Legacy17g,
    /// The Grisu2 digits of fpconv: Redis since 7.2, every Valkey.
    Grisu,
}

/// What a server's digest makes of a hash field with an expire time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldTtl {
    /// Such fields carry the mark `!!hexpire!!`, expired or not: Redis since 7.4.
    Marked,
    /// No mark, and fields whose time is before this one are left out: Valkey since 9.0.
    SkipExpired {
        /// The clock, in milliseconds; `i64::MIN` leaves nothing out.
        now_ms: i64,
    },
}

/// What differs between servers in one digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Text of a score.
    pub score_text: ScoreText,
    /// Fields with an expire time.
    pub field_ttl: FieldTtl,
}

impl Default for Style {
    /// The newest Redis.
    fn default() -> Self {
        Style { score_text: ScoreText::Grisu, field_ttl: FieldTtl::Marked }
    }
}

/// A digest in the making.
#[derive(Debug, Clone)]
pub struct Fold {
    sum: Digest,
    style: Style,
    text: Vec<u8>,
}

impl Fold {
    /// Nothing yet.
    pub fn new(style: Style) -> Fold {
        Fold { sum: Digest::default(), style, text: Vec::new() }
    }

    /// The style asked for.
    pub fn style(&self) -> Style {
        self.style
    }

    /// What has come together.
    pub fn sum(&self) -> Digest {
        self.sum
    }

    /// Takes in what another fold of the same unordered whole has come to.
    pub fn merge(&mut self, other: Digest) {
        self.sum.0.iter_mut().zip(other.0).for_each(|(to, from)| *to ^= from);
    }

    /// Takes `message` in, order counting.
    pub fn mix(&mut self, message: &[u8]) {
        self.xor(message);
        self.sum = hash(&self.sum.0);
    }

    /// Takes `message` in, order not counting.
    pub fn xor(&mut self, message: &[u8]) {
        self.merge(hash(message));
    }

    /// [`mix`](Self::mix) of a number's decimal text.
    pub fn mix_int(&mut self, number: i64) {
        self.mix_text(|text, _| write_i64(number, text));
    }

    /// [`mix`](Self::mix) of the text of a packed entry.
    pub fn mix_entry(&mut self, entry: Entry<'_>) {
        self.mix(entry.text(&mut [0; MAX_I64_TEXT]));
    }

    /// [`xor`](Self::xor) of the text of a packed entry.
    pub fn xor_entry(&mut self, entry: Entry<'_>) {
        self.xor(entry.text(&mut [0; MAX_I64_TEXT]));
    }

    /// [`mix`](Self::mix) of a score's text, in this digest's style.
    pub fn mix_score(&mut self, score: f64) {
        self.mix_text(|text, style| match style.score_text {
            ScoreText::Legacy17g => double_17g(score, text),
            ScoreText::Grisu => double_grisu(score, text),
        });
    }

    fn mix_text(&mut self, write: impl FnOnce(&mut Vec<u8>, Style)) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write(&mut text, self.style);
        self.mix(&text);
        self.text = text;
    }

    /// Takes one member of an unordered collection in: `build` folds its parts from zero, and the
    /// result is xored in (hashed once more, as the servers do).
    pub fn element(&mut self, build: impl FnOnce(&mut Fold)) {
        let outer = std::mem::take(&mut self.sum);
        build(self);
        let element = std::mem::replace(&mut self.sum, outer);
        self.xor(&element.0);
    }
}

fn hash(message: &[u8]) -> Digest {
    short_hash(message).unwrap_or_else(|| Digest(Sha1::digest(message).into()))
}

/// The same of a message that fits into one block, as nearly all names and members do: to pad it in the
/// general way takes two fifths of what hashing it does.
fn short_hash(message: &[u8]) -> Option<Digest> {
    /// What padding takes at least: the mark of the end, and the length in bits.
    const PADDING: usize = 9;
    const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut block = Block::<Sha1Core>::default();
    let (text, rest) = block.split_at_mut_checked(message.len())?;
    if rest.len() < PADDING {
        return None;
    }
    text.copy_from_slice(message);
    *rest.first_mut()? = 0x80;
    *rest.last_chunk_mut()? = (8 * message.len() as u64).to_be_bytes();
    let mut state = START;
    compress(&mut state, &[block]);
    let mut digest = Digest::default();
    for (to, word) in digest.0.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    Some(digest)
}

/// What a value adds to a fold that may already hold its key's name.
pub fn fold_value(fold: &mut Fold, value: &Value, has_expire: bool) {
    fold.mix(&(value.data_type() as u32).to_be_bytes());
    value.digest(fold);
    if has_expire {
        fold.xor(b"!!expire!!");
    }
}

/// `DEBUG DIGEST-VALUE` of one key.
pub fn of_value(value: &Value, has_expire: bool, style: Style) -> Digest {
    let mut fold = Fold::new(style);
    fold_value(&mut fold, value, has_expire);
    fold.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_have_the_hash_that_all_have() {
        let text: Vec<u8> = (0..200).collect();
        for len in 0..text.len() {
            let message = text.get(..len).unwrap_or_default();
            assert_eq!(hash(message), Digest(Sha1::digest(message).into()), "{len} bytes");
            assert_eq!(short_hash(message).is_some(), len < 56, "{len} bytes");
        }
    }
}
