//! Settings of the network side. Those of the store are the store's.

use std::ops::RangeInclusive;

use crate::limits::serve as limits;

/// How clients are served. CONFIG SET changes most of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What AUTH has to say, if anything: `requirepass`.
    pub password: Option<Vec<u8>>,
    /// Clients at a time: `maxclients`.
    pub max_clients: usize,
    /// Seconds after which a client that says nothing is closed; 0 is never: `timeout`.
    pub timeout_s: u64,
    /// Longest argument in bytes: `proto-max-bulk-len`.
    pub bulk: usize,
    /// Bytes of requests that may wait: `client-query-buffer-limit`.
    pub query_buffer: usize,
    /// Bytes of answers that may wait: the hard limit of `client-output-buffer-limit normal`.
    pub output_buffer: usize,
    /// Microseconds from which on SLOWLOG keeps a command; negative: none: `slowlog-log-slower-than`.
    pub slower_than_us: i64,
    /// Commands that it keeps: `slowlog-max-len`.
    pub slow_log: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            password: None,
            max_clients: limits::CLIENTS,
            timeout_s: 0,
            bulk: limits::BULK,
            query_buffer: limits::QUERY,
            output_buffer: limits::OUTPUT,
            slower_than_us: 10_000,
            slow_log: 128,
        }
    }
}

/// Why a setting was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSet {
    /// There is none of this name that can be set.
    Unknown,
    /// The value is none of its values.
    Value,
}

impl Settings {
    /// Sets one by its name in redis.conf.
    ///
    /// # Errors
    /// When there is none of this name, or the value is none of its values.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), NotSet> {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let bytes = crate::aof::settings::memory(value).and_then(|n| usize::try_from(n).ok());
        let number = text.parse::<u64>().ok();
        let bytes = |range: RangeInclusive<usize>| {
            bytes.filter(|bytes| range.contains(bytes)).ok_or(NotSet::Value)
        };
        match name {
            "requirepass" => self.password = (!value.is_empty()).then(|| value.to_vec()),
            "maxclients" => {
                let most = number.filter(|n| (1..=1_000_000).contains(n)).ok_or(NotSet::Value)?;
                self.max_clients = usize::try_from(most).unwrap_or(limits::CLIENTS);
            }
            "timeout" => {
                self.timeout_s = number.filter(|s| *s <= i32::MAX as u64).ok_or(NotSet::Value)?;
            }
            // The longest string of the engine stays what it is: more is of no use.
            "proto-max-bulk-len" => self.bulk = bytes(1 << 20..=limits::BULK)?,
            "client-query-buffer-limit" => self.query_buffer = bytes(1 << 20..=usize::MAX)?,
            "client-output-buffer-limit" => {
                let words: Vec<&[u8]> = value.split(|byte| *byte == b' ').collect();
                let [class, hard, _, _] = words[..] else { return Err(NotSet::Value) };
                let hard = crate::aof::settings::memory(hard).filter(|hard| *hard > 0);
                let hard = hard.filter(|_| class == b"normal").ok_or(NotSet::Value)?;
                self.output_buffer = usize::try_from(hard).unwrap_or(usize::MAX);
            }
            "slowlog-log-slower-than" => {
                let limit = text.parse().ok().filter(|limit| *limit >= -1);
                self.slower_than_us = limit.ok_or(NotSet::Value)?;
            }
            "slowlog-max-len" => self.slow_log = text.parse().map_err(|_| NotSet::Value)?,
            _ => return Err(NotSet::Unknown),
        }
        Ok(())
    }

    /// Every one with its name.
    pub(super) fn all(&self) -> Vec<(&'static str, Vec<u8>)> {
        let text = |number: usize| number.to_string().into_bytes();
        vec![
            ("requirepass", self.password.clone().unwrap_or_default()),
            ("maxclients", text(self.max_clients)),
            ("timeout", self.timeout_s.to_string().into_bytes()),
            ("proto-max-bulk-len", text(self.bulk)),
            ("client-query-buffer-limit", text(self.query_buffer)),
            ("slowlog-log-slower-than", self.slower_than_us.to_string().into_bytes()),
            ("slowlog-max-len", text(self.slow_log)),
            (
                "client-output-buffer-limit",
                format!("normal {} 0 0", self.output_buffer).into_bytes(),
            ),
        ]
    }

    /// `timeout` in ms, if there is one.
    pub(super) fn timeout_ms(&self) -> Option<i64> {
        let ms = i64::try_from(self.timeout_s).ok()?.checked_mul(1000)?;
        (ms > 0).then_some(ms)
    }

    /// Is this the password? Takes as long for every guess of the same length.
    pub(super) fn is_password(&self, guess: &[u8]) -> bool {
        let Some(password) = &self.password else { return true };
        let differences = password.iter().zip(guess).fold(0, |all, (a, b)| all | (a ^ b));
        (differences == 0) & (password.len() == guess.len())
    }
}
