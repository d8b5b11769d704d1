//! Every bound on what a file can make us hold or do, in one place.

/// Bounds that a caller may widen. A claimed length never allocates: bytes must be there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest string that is expanded in memory, in bytes. Redis's `proto-max-bulk-len` is 512 MiB.
    pub string: u64,
    /// Largest single record held in memory, in bytes.
    pub record: u64,
    /// Findings kept for one file; the rest are only counted.
    pub findings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { string: 512 << 20, record: 4 << 30, findings: 1000 }
    }
}

/// Bytes of a chunk: small enough to stay in a core's cache between cutting and walking.
pub const CHUNK: usize = 1 << 20;

/// LZF turns three bytes into 264 at most, so an honest compressed string expands no more than this.
pub const LZF_RATIO: u64 = 88;

/// Databases a default server has (`databases 16`).
pub const DATABASES: u64 = 16;

/// Highest database number a server can be configured for: the setting is a C int.
pub const DATABASES_MAX: u64 = i32::MAX as u64;

/// The latest expire time of a hash field that commands of Redis take, in ms since 1970.
pub const FIELD_EXPIRE_MAX_MS: i64 = (1 << 46) - 1;

/// Elements up to which servers build a hash packed, and do not look for duplicates.
pub const HASH_PACKED: u64 = 512;

/// Bytes shown around a finding.
pub const EXCERPT: usize = 48;

/// Bytes of a reply that repeats what there is (`SRANDMEMBER key -1000000`, `SORT … GET … GET …`).
pub const REPLY: usize = 256 << 20;

/// Bounds on what clients can make `serve` hold or do.
pub mod serve {
    /// Longest line of a request: an inline request, or a count.
    pub const LINE: usize = 64 << 10;
    /// Most arguments of a request: a C int since Redis 7.0. What they take is bounded with the request's bytes.
    pub const ARGS: usize = i32::MAX as usize;
    /// Longest argument, `proto-max-bulk-len`.
    pub const BULK: usize = 512 << 20;
    /// Most arguments, and the longest, of somebody who has not said the password.
    pub const STRANGER_ARGS: usize = 10;
    /// See [`STRANGER_ARGS`].
    pub const STRANGER_BULK: usize = 16 << 10;
    /// Bytes of requests that wait at one client, `client-query-buffer-limit`.
    pub const QUERY: usize = 1 << 30;
    /// Bytes of answers that one client has not taken yet: who takes none is closed.
    pub const OUTPUT: usize = 512 << 20;
    /// Clients at a time, `maxclients`.
    pub const CLIENTS: usize = 10_000;
    /// Bytes read from one client before it is another's turn.
    pub const READ: usize = 64 << 10;
    /// Buffers of a client larger than this are given back when they are empty.
    pub const KEEP: usize = 64 << 10;
}

/// Where packed collections unfold into tables: the servers' settings and their defaults (FORMATS F).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedLimits {
    /// `hash-max-listpack-entries`
    pub hash_entries: usize,
    /// `hash-max-listpack-value`
    pub hash_value: usize,
    /// `set-max-intset-entries`
    pub set_intset: usize,
    /// `set-max-listpack-entries`
    pub set_entries: usize,
    /// `set-max-listpack-value`
    pub set_value: usize,
    /// `zset-max-listpack-entries`
    pub zset_entries: usize,
    /// `zset-max-listpack-value`
    pub zset_value: usize,
    /// Packed scores keep the sign of −0, as in the ziplists that servers had up to 6.2.
    pub zset_minus_zero: bool,
    /// `list-max-listpack-size -2`: bytes of one packed node.
    pub list_node: usize,
    /// `stream-node-max-bytes`
    pub stream_node_bytes: usize,
    /// `stream-node-max-entries`
    pub stream_node_entries: usize,
    /// `hll-sparse-max-bytes`
    pub hll_sparse: usize,
}

impl PackedLimits {
    /// The defaults of today's servers.
    pub const DEFAULT: PackedLimits = PackedLimits {
        hash_entries: 512,
        hash_value: 64,
        set_intset: 512,
        set_entries: 128,
        set_value: 64,
        zset_entries: 128,
        zset_value: 64,
        zset_minus_zero: false,
        list_node: 8192,
        stream_node_bytes: 4096,
        stream_node_entries: 100,
        hll_sparse: 3000,
    };
}

impl Default for PackedLimits {
    fn default() -> Self {
        PackedLimits::DEFAULT
    }
}
