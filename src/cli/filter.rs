//! Which keys a verb is about.

use clap::Args;

use super::args::size;
use crate::job::filter::{Filter, Ttl, slots, type_words};

/// Help of `--ttl`; not a doc comment, which would take it for HTML.
const TTL: &str = "Keys by the time they have left: none, any, expired, or <TIME and >TIME such as '<1h' or '>7d'";

/// Conditions on keys; a key must meet all of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which keys")]
pub(crate) struct FilterArgs {
    /// Keys of this database. May be repeated.
    #[arg(long, value_name = "N")]
    db: Vec<u64>,

    /// Keys of this type: string, list, set, zset, hash, stream, array, vectorset, or the name of a
    /// module's type. May be repeated.
    #[arg(long = "type", value_name = "TYPE", value_parser = type_word)]
    types: Vec<String>,

    /// Keys whose name matches this glob, as KEYS and SCAN read it. May be repeated.
    #[arg(long, value_name = "GLOB")]
    key: Vec<String>,

    /// Not the keys whose name matches this glob. May be repeated.
    #[arg(long, value_name = "GLOB")]
    not_key: Vec<String>,

    /// Keys of these slots of a cluster: N or A-B, or a list of them with commas. May be repeated.
    #[arg(long, value_name = "SLOTS", value_delimiter = ',', value_parser = slots)]
    slot: Vec<(u16, u16)>,

    /// Keys that take at least so many bytes in the file: 10k, 10kb, 5MB, 1GiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    min_size: Option<u64>,

    /// Keys that take at most so many bytes in the file.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,

    #[arg(long, help = TTL, value_name = "TTL", value_parser = Ttl::parse)]
    ttl: Option<Ttl>,
}

impl FilterArgs {
    /// The filter.
    pub(crate) fn filter(&self) -> Filter {
        let globs = |globs: &[String]| globs.iter().map(|glob| glob.clone().into_bytes()).collect();
        Filter {
            dbs: self.db.clone(),
            types: self.types.clone(),
            keys: globs(&self.key),
            not_keys: globs(&self.not_key),
            slots: self.slot.clone(),
            min_size: self.min_size,
            max_size: self.max_size,
            ttl: self.ttl,
        }
    }
}

/// Length of a module type's name.
const MODULE_NAME: usize = 9;

/// A word of TYPE, or what can be a module type's name.
fn type_word(text: &str) -> Result<String, String> {
    let charset = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let module = text.len() == MODULE_NAME && text.chars().all(charset);
    if module || type_words().contains(&text) {
        return Ok(text.to_owned());
    }
    let words = type_words().join(", ");
    Err(format!("expected one of {words}, or the nine characters of a module type's name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for word in ["string", "zset", "vectorset", "ReJSON-RL", "TSDB-TYPE"] {
            assert!(type_word(word).is_ok(), "{word}");
        }
        for word in ["sorted-set", "json", "hashes", ""] {
            assert!(type_word(word).is_err(), "{word}");
        }
    }
}
