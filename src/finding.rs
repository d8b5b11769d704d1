//! Everything that can be wrong with a file, each with a stable code: the one table that `check`, its
//! JSON, the tests and the man page read. A code never changes its meaning; new ones are added.

mod findings;

use std::fmt;
use std::ops::Range;

pub use self::findings::Findings;
use crate::limits::EXCERPT;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, harmless: no server minds. Does not change the exit code.
    Note,
    /// Loads, but something cannot be relied on (an absent checksum, bytes nobody reads).
    Warning,
    /// Damage: a server refuses the file, drops data or misbehaves later.
    Error,
}

impl Severity {
    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $about:literal)*) => {
        /// The code of a finding. `as_str` is what users see, and is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $about] $variant,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// Whether it says no more than that nothing vouches for the bytes.
            pub fn is_of_no_checksum(self) -> bool {
                matches!(self, Code::RdbCrcDisabled | Code::RdbCrcAbsent)
            }

            /// Whether it is about counters that do not add up, which few servers look at: others made them.
            pub fn is_of_counters(self) -> bool {
                matches!(self, Code::StreamEntriesAdded | Code::GroupEntriesRead)
            }

            /// One sentence for the man page.
            pub fn about(self) -> &'static str {
                match self { $(Code::$variant => $about,)* }
            }
        }
    };
}

codes! {
    // The frame of an RDB file (FORMATS A.1).
    RdbEmptyFile "rdb-empty-file" Error "The file has no bytes at all."
    RdbMagic "rdb-magic" Error "The file does not begin with REDIS or VALKEY and a version."
    RdbVersion "rdb-version" Error "The version in the header is not one that any server accepts."
    RdbVersionUnknown "rdb-version-unknown" Warning "The version is newer than any known one; known bytes are read, unknown ones are reported."
    RdbTruncated "rdb-truncated" Error "The file ends in the middle of a record."
    RdbNoEof "rdb-no-eof" Error "The file ends without the EOF opcode."
    RdbCrc "rdb-crc" Error "The checksum at the end does not match the bytes before it."
    RdbCrcDisabled "rdb-crc-disabled" Warning "The stored checksum is 0: it was switched off (or zeroed), so nothing vouches for the bytes."
    RdbCrcAbsent "rdb-crc-absent" Warning "RDB versions below 5 carry no checksum: nothing vouches for the bytes."
    TrailingBytes "trailing-bytes" Warning "Bytes after the end of the RDB, which no server looks at."
    RdbOpcode "rdb-opcode" Error "An opcode or type byte that this dialect and version does not have: nothing after it can be framed."
    RdbRepeats "rdb-repeats" Error "The same bytes over and over where records should be: a hole, or a block that was written many times. No server writes a record twice in a row, so nothing after it is read."
    RdbTypeVersion "rdb-type-version" Warning "A type or opcode that came with a later RDB version than the header states."
    RdbTypeProvisional "rdb-type-provisional" Warning "A type or opcode of a release that was not at hand when this was written; it is read by its published description."
    ModulePreGa "module-pre-ga" Error "A module value of the 4.0 release candidates: it has no framing, so nothing after it can be read."
    DbRange "db-range" Warning "A database number at or above the server's `databases` setting: the server refuses to start."
    DbInvalid "db-invalid" Error "A database number that no server can be configured for."
    BesideLimit "beside-limit" Error "More function libraries and data of modules than any server writes: not all of them were looked at, so nothing is said of the whole."
    ResizeDbHint "resizedb-hint" Note "RESIZEDB states other counts than the database has; servers take it as a hint."
    AttrStray "attr-stray" Note "An expire, idle, freq or metadata opcode that is not directly before its key, or has no key."
    AttrTwice "attr-twice" Warning "The same attribute opcode twice before one key; the last one counts."
    ExpireRange "expire-range" Warning "An expire time below zero or further away than any clock."
    FreqIdle "freq-idle" Note "Both an LFU counter and an idle time on one key."
    AuxValue "aux-value" Warning "An AUX field whose value is not what its key promises."
    SlotRange "slot-range" Error "A cluster slot outside 0..16383, or a range that ends before it starts."
    SlotJob "slot-job" Error "The job name of a slot import is not 40 characters."
    FunctionPreGa "function-pre-ga" Warning "A function in the format of the 7.0 release candidates: 7.0 loads it, 7.2 and later refuse the file."
    FunctionCode "function-code" Error "A function library that does not start with `#!<engine> name=<name>`: the server refuses the file."
    DupFunction "dup-function" Error "Two function libraries of one name: the server refuses the file."
    KeyMeta "key-meta" Error "Key metadata that is not framed as a server writes it."
    DupKey "dup-key" Error "The same key twice in one database: Redis stops with a panic, and half of the tools keep one at random."
    // Lengths and strings (A.2, A.3).
    LengthEncoding "length-encoding" Error "A length whose first byte is none of the known forms."
    LengthLong "length-long" Note "A length written in a longer form than needed; servers accept it and never write it."
    StringEncoding "string-encoding" Error "A string whose encoding number is unknown."
    StringLzf "string-lzf" Error "A compressed string that does not decompress to its stated length."
    StringLimit "string-limit" Error "A string beyond the limit of what is expanded in memory (see --max-string)."
    RecordLimit "record-limit" Error "A single record beyond the limit of what is held in memory (see --max-record)."
    DoubleText "double-text" Error "A score in text form that is no number."
    // Values in general (A.5, A.8).
    EmptyCollection "empty-collection" Note "A collection without elements: servers skip the key, redis-check-rdb calls it an error."
    ValueTrailing "value-trailing" Error "Bytes left over inside a value; servers do not look at them."
    DupMember "dup-member" Error "The same member twice in a set or sorted set."
    DupField "dup-field" Error "The same field twice in a hash."
    PairOdd "pair-odd" Error "An odd number of entries where pairs (or triples) are stored."
    ZsetNan "zset-nan" Error "A score that is not a number (NaN)."
    ZsetScore "zset-score" Error "A score that is not a number: servers read it as 0."
    ZsetOrder "zset-order" Error "Members of a packed sorted set out of order: range commands give wrong answers."
    HashTtl "hash-ttl" Error "A field's expire time that is no integer or outside 0..2^48-1."
    HashTtlOrder "hash-ttl-order" Error "Fields of a packed hash not in the order of their expire times."
    ListContainer "list-container" Error "A list node whose container is neither 1 (plain) nor 2 (packed)."
    ListNodeEmpty "list-node-empty" Error "An empty list node where servers store at least one element."
    PackedType "packed-type" Error "A string of an impossible size where a packed encoding is stored."
    // Packed encodings (A.6).
    LpHeader "lp-header" Error "A listpack whose header, size or end byte is wrong."
    LpEntry "lp-entry" Error "A listpack entry with an invalid encoding, or one that reaches outside."
    LpBacklen "lp-backlen" Error "A listpack entry whose back length is wrong: reading it backwards goes astray."
    LpBacklenWide "lp-backlen-wide" Note "A listpack entry of exactly 16383, 2097151 or 268435455 bytes with the back length older servers write: Redis 8.8 and Valkey 9.1 refuse it."
    LpBacklenNarrow "lp-backlen-narrow" Note "A listpack entry of exactly 16383, 2097151 or 268435455 bytes with the back length that Redis 8.8 and Valkey 9.1 write: older servers misread it."
    LpCount "lp-count" Error "A listpack whose header states another number of entries."
    ZlHeader "zl-header" Error "A ziplist whose header, size or end byte is wrong."
    ZlEntry "zl-entry" Error "A ziplist entry with an invalid encoding, or one that reaches outside."
    ZlPrevlen "zl-prevlen" Error "A ziplist entry that states another size for the entry before it."
    ZlTail "zl-tail" Error "A ziplist whose tail offset is not its last entry."
    ZlCount "zl-count" Error "A ziplist whose header states another number of entries."
    IntsetHeader "intset-header" Error "An intset whose width, count and size do not fit."
    IntsetOrder "intset-order" Error "An intset whose numbers are not strictly ascending."
    ZipmapEntry "zipmap-entry" Error "A zipmap entry that reaches outside, or a length in a form no server reads."
    ZipmapCount "zipmap-count" Error "A zipmap whose first byte states another number of pairs."
    // Streams (A.7).
    StreamNodeKey "stream-node-key" Error "A stream node whose key is not 16 bytes, or that comes twice."
    StreamNode "stream-node" Error "A stream node whose entries are not built as servers build them."
    StreamNodeEmpty "stream-node-empty" Error "A stream node without even a master entry: every server refuses the file."
    StreamCounts "stream-counts" Error "A stream whose counts of live and deleted entries do not add up."
    StreamOrder "stream-order" Warning "Stream entries or nodes that are not in ascending order of their ids."
    StreamLastId "stream-last-id" Warning "The stream's last id is lower than an entry in it: XADD would create a duplicate id."
    StreamEntriesAdded "stream-entries-added" Error "The stream's count of entries ever added is lower than what it holds, or out of range."
    GroupDup "group-dup" Error "Two consumer groups of one name."
    GroupEntriesRead "group-entries-read" Error "A group that has read more entries than were ever added."
    ConsumerDup "consumer-dup" Error "Two consumers of one name in a group."
    PelDup "pel-dup" Error "The same id twice in a pending list."
    PelUnknown "pel-unknown" Error "A consumer's pending id that its group does not list."
    PelShared "pel-shared" Error "A pending id owned by two consumers: servers free it twice."
    PelOrphan "pel-orphan" Error "A pending id of a group that no consumer owns."
    PelDangling "pel-dangling" Note "Pending ids whose entry the stream no longer holds, as XDEL and XTRIM leave them."
    NackInvalid "nack-invalid" Error "An id in the NACK zone that is not pending, or that a consumer owns."
    StreamIdmp "stream-idmp" Error "Idempotence settings or records out of their range."
    // Arrays and modules (A.5).
    ArrayInvalid "array-invalid" Error "An array with a count, index, tag or value that no server accepts."
    ModuleOpcode "module-opcode" Error "Module data with an unknown opcode: nothing after it can be framed."
    ModuleUnknown "module-unknown" Note "Values of a module: kept as they are; a server without that module refuses the file."
    VectorSet "vectorset" Error "A vector set whose parts do not fit together."
    // AOF files: framing (B.1, B.5).
    AofTruncated "aof-truncated" Error "The file ends in the middle of a command: a server cuts it there (`aof-load-truncated yes`, the default) or refuses to start."
    AofFormat "aof-format" Error "Bytes that are no command where one should begin or go on: the server refuses to start."
    AofLength "aof-length" Error "An argument of negative length, or of more bytes than any server stores."
    AofArgc "aof-argc" Error "A command of no arguments (`*0`, `*-1`): redis-check-aof lets it pass, the server refuses to start."
    AofNulTail "aof-nul-tail" Error "NUL bytes up to the end, as a power cut leaves them: the server refuses to start."
    AofNulHole "aof-nul-hole" Error "A run of NUL bytes where commands should be, with other bytes behind it."
    AofDupBlock "aof-dup-block" Error "A block of bytes that is in the file twice, one copy directly behind the other."
    AofLineEnd "aof-line-end" Warning "A line that ends with LF alone: servers read it, redis-check-aof does not."
    AofNumber "aof-number" Warning "A count or length that is not plain digits (`+3`, `01`, `3 x`, NULs behind it, a length without a digit, which is 0): servers read it, redis-check-aof stops at most of them."
    AofArgumentEnd "aof-argument-end" Warning "An argument followed by two bytes other than CRLF, NULs perhaps: servers do not look at them, redis-check-aof does."
    // AOF files: commands and transactions (B.1, B.5).
    AofMultiOpen "aof-multi-open" Error "A transaction that never ends: servers drop it with all that follows. Where a cut command follows it as well, all servers but Valkey 9.1 leave its MULTI in the file, and the start after the next one drops everything written until then."
    AofMultiTorn "aof-multi-torn" Error "A transaction cut off when a server stopped, with the writes of the next run behind it: they count as part of it, and are dropped unless an EXEC follows."
    AofMultiNested "aof-multi-nested" Error "A MULTI inside a transaction: servers log an error and go on, redis-check-aof stops."
    AofExecAlone "aof-exec-alone" Error "An EXEC without its MULTI: servers log an error and go on, redis-check-aof stops."
    AofUnknownCommand "aof-unknown-command" Error "A command that no server knows: the server refuses to start."
    AofStrayCommand "aof-stray-command" Error "A command that no server logs, and that servers may crash or end at (PSYNC, SHUTDOWN, WAIT) or that leads them away from their data (RESET, REPLICAOF, MIGRATE)."
    AofModuleCommand "aof-module-command" Note "A command of a module: a server without that module refuses to start."
    AofSyntax "aof-syntax" Warning "A command with options that no server takes: servers log an error and go on without it. Damage can make one of two."
    AofArity "aof-arity" Error "A command with a wrong number of arguments: Redis runs it all the same and reads memory it should not, Valkey refuses to start from 8.1 on."
    AofDbRange "aof-db-range" Warning "A SELECT of a database at or above the server's `databases` setting: the server skips it, and what follows lands in another database."
    AofDbInvalid "aof-db-invalid" Error "A SELECT of what no server has as a database: it is skipped, and what follows lands in another database."
    // AOF files: annotations (B.2).
    AofAnnotationLong "aof-annotation-long" Error "An annotation line of more than 1024 bytes: servers read on inside it and refuse to start."
    AofAnnotationTorn "aof-annotation-torn" Error "An annotation without its line end at the end of the file: the server starts and writes on behind it, and the start after that is refused."
    AofTimestamp "aof-timestamp" Warning "A `#TS:` annotation without a number, or an annotation with NULs in it."
    AofTimestampOrder "aof-timestamp-order" Note "A timestamp earlier than the one before it: a clock was set back."
    AofEmpty "aof-empty" Note "An AOF without a single command."
    // Manifests of multi-part AOFs (B.4).
    ManifestEmpty "manifest-empty" Error "A manifest without a byte: the server refuses to start."
    ManifestNoFiles "manifest-no-files" Error "A manifest that names no file: the server starts without data."
    ManifestLine "manifest-line" Error "A manifest line that the server cannot read: it refuses to start."
    ManifestField "manifest-field" Error "A manifest line without its file, seq or type, or with one that no server accepts."
    ManifestName "manifest-name" Error "A file name in a manifest that is no plain name: it is not opened."
    ManifestTwoBases "manifest-two-bases" Error "More than one base file in a manifest: the server refuses to start."
    ManifestSeq "manifest-seq" Error "Incr files whose sequence numbers do not increase: the server refuses to start."
    ManifestDupFile "manifest-dup-file" Error "The same file twice in a manifest: its commands would run twice."
    ManifestOrder "manifest-order" Note "A base file that is not first in its manifest: servers read it first all the same."
    ManifestUnknown "manifest-unknown" Note "A pair in a manifest that is not known: servers ignore it, and drop it when they write the manifest."
    ManifestLoose "manifest-loose" Warning "A pair in a manifest that servers read, though none writes it so."
    ManifestOffsets "manifest-offsets" Warning "Replication offsets in a manifest that cannot be right."
    // Folders of multi-part AOFs, and what a server does with them (B.4).
    AofFileMissing "aof-file-missing" Error "A file that the manifest names and that is not there: the server refuses to start."
    AofFileKind "aof-file-kind" Error "A file that the manifest names and that is no regular file: it is not opened."
    AofHistoryMissing "aof-history-missing" Note "A history file that the manifest names and that is not there: nobody needs it."
    AofNotLast "aof-not-last" Error "Damage at the end of a file that is not the last: the server cuts the file on disk and then refuses to start."
    AofOrphan "aof-orphan" Warning "A part of an AOF that the manifest does not name: no server reads it."
    AofTempFile "aof-temp-file" Note "A temporary file that a server left behind."
    AofSameName "aof-same-name" Error "An incr file that the manifest does not name, under the name the server takes next: the server appends to it, and its old commands run at the start after that."
    AofNoManifest "aof-no-manifest" Error "Parts of an AOF without a manifest: the server starts empty."
    // What only running the commands tells (B.1).
    ReplayFailed "replay-failed" Error "A command that fails: the server logs it as CRITICAL, skips it and goes on."
    ReplayChance "replay-chance" Warning "A command that leaves to chance what it changes: the server may have changed something else."
    ReplayNotBuilt "replay-not-built" Warning "A command that servers run and this engine does not: what it did is missing."
    ReplayModule "replay-module" Warning "A command of a module, which this engine does not run: what it did is missing."
    ReplayDiscarded "replay-discarded" Note "Commands of a transaction behind its DISCARD: servers drop them."
    ReplayUntil "replay-until" Warning "The time asked for is before the RDB that the data begins with: that cannot be undone."
    StartIgnoresRdb "start-ignores-rdb" Error "`appendonly yes` and no AOF: the server starts empty, and does not read the RDB that is there."
    StartIgnoresAof "start-ignores-aof" Warning "`appendonly no` and an AOF: the server does not read it."
    StartUpgrades "start-upgrades" Note "An AOF of before 7.0: the server moves it into the folder and writes a manifest."
    StartOldAof "start-old-aof" Warning "An AOF of before 7.0 beside a folder with a manifest: the server does not read it."
    // Seals that lie beside files.
    SealBlock "seal-block" Error "Bytes that are not as they were sealed. Where a short burst explains that, the finding is of these bytes, else of the block."
    SealShort "seal-short" Error "The file is shorter than when it was sealed."
    SealOther "seal-other" Warning "A seal of what was here before: the file was written anew since, and its seal says nothing of it."
    SealUnusable "seal-unusable" Warning "A seal that is damaged itself, or no seal: it is not believed."
}

impl Code {
    /// Whether it is about AOFs, their manifests and folders, or how servers start with them.
    pub fn is_about_aof(self) -> bool {
        ["aof-", "manifest-", "start-"].iter().any(|part| self.as_str().starts_with(part))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A piece of the file around a finding, kept when the bytes were at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes, a few lines of hex at most.
    pub bytes: Vec<u8>,
}

impl Excerpt {
    /// A few lines of the bytes around an offset; `bytes` lie at `base`.
    pub fn around(bytes: &[u8], base: u64, offset: u64) -> Option<Excerpt> {
        let pos = usize::try_from(offset.checked_sub(base)?).ok()?;
        let lead = (offset % 16) as usize + 16;
        let start = pos.saturating_sub(lead);
        let end = bytes.len().min(start.saturating_add(EXCERPT));
        let bytes = bytes.get(start..end)?.to_vec();
        Some(Excerpt { offset: base + start as u64, bytes })
    }
}

/// Which key a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// Database number.
    pub db: u64,
    /// The key's name, as the server would show it.
    pub key: Vec<u8>,
    /// The row's own name for the type, such as `hash-listpack`; empty before the type was known.
    pub type_name: &'static str,
    /// How many elements the value states in front of it, where its type does.
    pub elements: Option<u64>,
}

/// One thing that is wrong, at one place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// Absolute bytes of the (decompressed) file.
    pub span: Range<u64>,
    /// Position inside the expanded bytes, when `span` is an LZF-compressed string.
    pub inside: Option<u64>,
    /// What should have been there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// The key, when there is one.
    pub key: Option<KeyPlace>,
    /// Bytes around it.
    pub excerpt: Option<Excerpt>,
}

impl Finding {
    /// A finding about the file itself rather than one key.
    pub fn new(
        code: Code,
        span: Range<u64>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Finding {
            code,
            span,
            inside: None,
            expected: expected.into(),
            found: found.into(),
            key: None,
            excerpt: None,
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Bytes that are kept of a piece of the file in a message.
const SHOWN: usize = 64;

/// The noun for so many: `key`, `keys`, `library`, `libraries`.
pub fn plural(n: u64, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) if !noun.ends_with("ey") => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

/// A piece of the file for a message: quoted, escaped, and cut short where it is long.
pub fn shown(text: &[u8]) -> String {
    match text.get(..SHOWN) {
        Some(cut) if cut.len() < text.len() => format!("\"{}…\"", cut.escape_ascii()),
        _ => format!("\"{}\"", text.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_words() {
        let mut names: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
