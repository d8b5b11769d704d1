//! What a server's RDB cannot hold or its commands cannot make, each with a stable code: what is lost when
//! a file is written for it.

macro_rules! losses {
    ($($variant:ident $name:literal $about:literal)*) => {
        /// The code of a loss. `as_str` is what users see, and is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Loss { $(#[doc = $about] $variant,)* }

        impl Loss {
            /// Every code, in the order of the table.
            pub const ALL: &[Loss] = &[$(Loss::$variant,)*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Loss::$variant => $name,)* }
            }

            /// One sentence for the man page.
            pub fn about(self) -> &'static str {
                match self { $(Loss::$variant => $about,)* }
            }
        }
    };
}

losses! {
    Type "type" "The server has no such data type (streams before Redis 5.0, modules before 4.0, arrays and vector sets but in the newest Redis): the key is left out."
    VectorGraph "vector-graph" "A vector set that commands built with REDUCE, or changed since it lay in an RDB: the projection that makes its vectors is drawn by the server and not known; the key is left out."
    VectorLength "vector-length" "The lengths of vectors, kept as floats, of a set that lay in an RDB and was changed since, which only VEMB shows: they are 1 then."
    FieldTtl "field-ttl" "Expire times of hash fields, which Redis has since 7.4 and Valkey since 9.0: the fields stay for ever."
    FieldTime "field-time" "An expire time of a hash field that only Valkey holds: beyond 2^48-1 ms in an RDB of Redis, beyond 2^46-1 ms in its commands. The latest that Redis holds is in its place."
    StreamCounters "stream-counters" "A stream's count of entries ever added, its highest deleted id, or what its groups have read, which came with Redis 7.0."
    ConsumerActive "consumer-active" "When consumers were last active, which came with 7.2."
    Idmp "idmp" "Idempotent producers of a stream, which came with Redis 8.6: a message sent again is added again."
    Nacked "nacked" "Pending entries given back by XNACK, which came with Redis 8.8: they are pending no more."
    ExpireTime "expire-time" "An expire time that seconds do not hold, of 32 bits in RDB versions below 3, and in commands before 2.6: it is rounded down."
    Access "access" "LRU or LFU marks, which came with RDB 9, and which no command but RESTORE sets."
    KeyMeta "key-meta" "Metadata that modules attach to a key, which came with Redis 8.6."
    ConsumerTimes "consumer-times" "When consumers were last seen and active: no command but RESTORE sets that."
    Consumer "consumer" "A consumer that owns nothing: before 6.2 no command makes one."
    PendingGone "pending-gone" "Pending entries that the stream no longer holds: no command makes them pending."
    Function "function" "A function library, which came with 7.0."
    ModuleAux "module-aux" "Data that a module keeps beside the keys, which came with Redis 5.0."
    SlotImport "slot-import" "A slot import in progress, which only Valkey 9.0 and later write."
    Opaque "opaque" "A record of a release that is not at hand: it is left out."
}

impl Loss {
    /// Whether a key that has it is left out as a whole.
    pub fn is_of_whole_keys(self) -> bool {
        matches!(self, Loss::Type | Loss::VectorGraph)
    }

    /// Whether the server itself loses it whenever it rewrites its AOF as commands: nothing that an
    /// operator would be asked about. It is told, and holds nothing up.
    pub fn is_usual_in_commands(self) -> bool {
        matches!(self, Loss::ConsumerTimes | Loss::PendingGone | Loss::Access)
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
