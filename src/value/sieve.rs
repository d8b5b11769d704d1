//! Names met so far, near enough. A name that certainly is new needs no search through a listpack, and most
//! names are: a command that fills a collection names each element once.

use twox_hash::XxHash3_64;

/// Words of 64 bits: with 128 names, the most a listpack holds by default, one in 32 is searched for in vain.
const WORDS: usize = 64;

/// Names that were met.
#[derive(Debug)]
pub(super) struct Sieve([u64; WORDS]);

impl Sieve {
    /// None yet.
    pub(super) fn new() -> Sieve {
        Sieve([0; WORDS])
    }

    /// Takes note of a name. Is it certainly new?
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        let hash = XxHash3_64::oneshot(name) as usize;
        let Some(word) = self.0.get_mut(hash / 64 % WORDS) else { return false };
        let bit = 1 << (hash % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_never_new() {
        let names: Vec<_> = (0..128).map(|n| format!("field:{n}").into_bytes()).collect();
        let mut sieve = Sieve::new();
        let new = names.iter().filter(|name| sieve.add(name)).count();
        assert!((120..=128).contains(&new), "{new}");
        assert!(!names.iter().any(|name| sieve.add(name)));
    }
}
