//! Commands that servers have and no log does: about the server, its connections and its peers. Where a log has one
//! all the same, the server runs it as any other, and the data is as before: those of 7.0.15 were asked, each
//! in a log. A few are more than a server gets over, or lead it away from its data: those are stray.

use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::{Outcome, Reply};

const S7_2: Since = Since::both(7, 2);

/// A row; its number of arguments is that of the servers.
const fn idle(name: &'static str, arity: i16, since: Since) -> Command {
    cmd(name, arity, 0, Keys::None, since, nothing)
}

/// Nobody calls it: what is here is only looked up.
fn nothing(_: &mut crate::engine::Ctx<'_>, _: &[&[u8]]) -> Outcome {
    Ok(Reply::OK)
}

/// Those that a server may crash, end or stop at (PSYNC, SHUTDOWN, WAIT), that select another database (RESET), send keys away
/// (MIGRATE), or replace the data by another server's.
const STRAY: [&str; 9] =
    ["migrate", "psync", "replicaof", "reset", "shutdown", "slaveof", "sync", "wait", "waitaof"];

/// Whether a log with it is in danger.
pub(super) fn is_stray(row: &Command) -> bool {
    STRAY.contains(&row.name)
}

/// All of them. Of containers that the engine has as well, these are the other subcommands; of DEBUG
/// servers tell no subcommands.
pub(super) const TABLE: &[Command] = &[
    container("acl", Since::both(6, 0), ACL),
    idle("asking", 1, Since::both(3, 0)),
    idle("auth", -2, Since::both(1, 0)),
    idle("bgrewriteaof", 1, Since::both(1, 0)),
    idle("bgsave", -1, Since::both(1, 0)),
    container("client", Since::both(2, 4), CLIENT),
    container("cluster", Since::both(3, 0), CLUSTER),
    idle("clusterscan", -2, Since::valkey(9, 1)),
    idle("command", -1, Since::both(2, 8)),
    container("commandlog", Since::valkey(8, 1), COMMANDLOG),
    container("config", Since::both(2, 0), CONFIG),
    idle("debug", -2, Since::both(1, 0)),
    idle("failover", -1, Since::both(6, 2)),
    container("function", Since::both(7, 0), FUNCTION),
    idle("hello", -1, Since::both(6, 0)),
    idle("lastsave", 1, Since::both(1, 0)),
    container("latency", Since::both(2, 8), LATENCY),
    idle("lolwut", -1, Since::both(5, 0)),
    container("memory", Since::both(4, 0), MEMORY),
    idle("migrate", -6, Since::both(2, 6)),
    container("module", Since::both(4, 0), MODULE),
    idle("monitor", 1, Since::both(1, 0)),
    container("object", Since::both(2, 2), OBJECT),
    idle("pfselftest", 1, Since::both(2, 8)),
    idle("psubscribe", -2, Since::both(2, 0)),
    idle("psync", -3, Since::both(2, 8)),
    container("pubsub", Since::both(2, 8), PUBSUB),
    idle("punsubscribe", -1, Since::both(2, 0)),
    idle("quit", -1, Since::both(7, 0)),
    idle("readonly", 1, Since::both(3, 0)),
    idle("readwrite", 1, Since::both(3, 0)),
    idle("replconf", -1, Since::both(2, 8)),
    idle("replicaof", 3, Since::both(5, 0)),
    idle("reset", 1, Since::both(6, 2)),
    idle("role", 1, Since::both(2, 8)),
    idle("save", 1, Since::both(1, 0)),
    container("script", Since::both(2, 6), SCRIPT),
    idle("shutdown", -1, Since::both(1, 0)),
    idle("slaveof", 3, Since::both(1, 0)),
    container("slowlog", Since::both(2, 2), SLOWLOG),
    idle("ssubscribe", -2, Since::both(7, 0)),
    idle("subscribe", -2, Since::both(2, 0)),
    idle("sunsubscribe", -1, Since::both(7, 0)),
    idle("sync", 1, Since::both(1, 0)),
    idle("unsubscribe", -1, Since::both(2, 0)),
    idle("wait", 3, Since::both(3, 0)),
    idle("waitaof", 4, S7_2),
    container("xgroup", Since::both(5, 0), XGROUP),
    container("xinfo", Since::both(5, 0), XINFO),
];

const ACL: &[Command] = &[
    idle("acl|cat", -2, Since::both(6, 0)),
    idle("acl|deluser", -3, Since::both(6, 0)),
    idle("acl|dryrun", -4, Since::both(6, 0)),
    idle("acl|genpass", -2, Since::both(6, 0)),
    idle("acl|getuser", 3, Since::both(6, 0)),
    idle("acl|help", 2, Since::both(6, 0)),
    idle("acl|list", 2, Since::both(6, 0)),
    idle("acl|load", 2, Since::both(6, 0)),
    idle("acl|log", -2, Since::both(6, 0)),
    idle("acl|save", 2, Since::both(6, 0)),
    idle("acl|setuser", -3, Since::both(6, 0)),
    idle("acl|users", 2, Since::both(6, 0)),
    idle("acl|whoami", 2, Since::both(6, 0)),
];

const CLIENT: &[Command] = &[
    idle("client|caching", 3, Since::both(2, 4)),
    idle("client|capa", -3, Since::valkey(8, 0)),
    idle("client|getname", 2, Since::both(2, 4)),
    idle("client|getredir", 2, Since::both(2, 4)),
    idle("client|help", 2, Since::both(2, 4)),
    idle("client|id", 2, Since::both(2, 4)),
    idle("client|import-source", 3, Since::valkey(8, 1)),
    idle("client|info", 2, Since::both(2, 4)),
    idle("client|kill", -3, Since::both(2, 4)),
    idle("client|list", -2, Since::both(2, 4)),
    idle("client|no-evict", 3, Since::both(2, 4)),
    idle("client|no-touch", 3, S7_2),
    idle("client|pause", -3, Since::both(2, 4)),
    idle("client|reply", 3, Since::both(2, 4)),
    idle("client|setinfo", 4, S7_2),
    idle("client|setname", 3, Since::both(2, 4)),
    idle("client|tracking", -3, Since::both(2, 4)),
    idle("client|trackinginfo", 2, Since::both(2, 4)),
    idle("client|unblock", -3, Since::both(2, 4)),
    idle("client|unpause", 2, Since::both(2, 4)),
];

const CLUSTER: &[Command] = &[
    idle("cluster|addslots", -3, Since::both(3, 0)),
    idle("cluster|addslotsrange", -4, Since::both(3, 0)),
    idle("cluster|bumpepoch", 2, Since::both(3, 0)),
    idle("cluster|cancelslotmigrations", 2, Since::valkey(9, 0)),
    idle("cluster|count-failure-reports", 3, Since::both(3, 0)),
    idle("cluster|countkeysinslot", 3, Since::both(3, 0)),
    idle("cluster|delslots", -3, Since::both(3, 0)),
    idle("cluster|delslotsrange", -4, Since::both(3, 0)),
    idle("cluster|failover", -2, Since::both(3, 0)),
    idle("cluster|flushslots", 2, Since::both(3, 0)),
    idle("cluster|forget", 3, Since::both(3, 0)),
    idle("cluster|getkeysinslot", 4, Since::both(3, 0)),
    idle("cluster|getslotmigrations", 2, Since::valkey(9, 0)),
    idle("cluster|help", 2, Since::both(3, 0)),
    idle("cluster|info", 2, Since::both(3, 0)),
    idle("cluster|keyslot", 3, Since::both(3, 0)),
    idle("cluster|links", 2, Since::both(3, 0)),
    idle("cluster|meet", -4, Since::both(3, 0)),
    idle("cluster|migrateslots", -4, Since::valkey(9, 0)),
    idle("cluster|myid", 2, Since::both(3, 0)),
    idle("cluster|myshardid", 2, S7_2),
    idle("cluster|nodes", 2, Since::both(3, 0)),
    idle("cluster|replicas", 3, Since::both(3, 0)),
    idle("cluster|replicate", -3, Since::both(3, 0)),
    idle("cluster|reset", -2, Since::both(3, 0)),
    idle("cluster|saveconfig", 2, Since::both(3, 0)),
    idle("cluster|set-config-epoch", 3, Since::both(3, 0)),
    idle("cluster|setslot", -4, Since::both(3, 0)),
    idle("cluster|shards", 2, Since::both(3, 0)),
    idle("cluster|slaves", 3, Since::both(3, 0)),
    idle("cluster|slot-stats", -4, Since::each((8, 2), (8, 0))),
    idle("cluster|slots", 2, Since::both(3, 0)),
    idle("cluster|syncslots", -3, Since::valkey(9, 0)),
];

const COMMANDLOG: &[Command] = &[
    idle("commandlog|get", 4, Since::valkey(8, 1)),
    idle("commandlog|help", 2, Since::valkey(8, 1)),
    idle("commandlog|len", 3, Since::valkey(8, 1)),
    idle("commandlog|reset", 3, Since::valkey(8, 1)),
];

const CONFIG: &[Command] = &[
    idle("config|get", -3, Since::both(2, 0)),
    idle("config|help", 2, Since::both(2, 0)),
    idle("config|resetstat", 2, Since::both(2, 0)),
    idle("config|rewrite", 2, Since::both(2, 0)),
    idle("config|set", -4, Since::both(2, 0)),
];

const FUNCTION: &[Command] = &[
    idle("function|help", 2, Since::both(7, 0)),
    idle("function|kill", 2, Since::both(7, 0)),
    idle("function|stats", 2, Since::both(7, 0)),
];

const LATENCY: &[Command] = &[
    idle("latency|doctor", 2, Since::both(2, 8)),
    idle("latency|graph", 3, Since::both(2, 8)),
    idle("latency|help", 2, Since::both(2, 8)),
    idle("latency|histogram", -2, Since::both(2, 8)),
    idle("latency|history", 3, Since::both(2, 8)),
    idle("latency|latest", 2, Since::both(2, 8)),
    idle("latency|reset", -2, Since::both(2, 8)),
];

const MEMORY: &[Command] = &[
    idle("memory|doctor", 2, Since::both(4, 0)),
    idle("memory|help", 2, Since::both(4, 0)),
    idle("memory|malloc-stats", 2, Since::both(4, 0)),
    idle("memory|purge", 2, Since::both(4, 0)),
    idle("memory|stats", 2, Since::both(4, 0)),
];

const MODULE: &[Command] = &[
    idle("module|help", 2, Since::both(4, 0)),
    idle("module|list", 2, Since::both(4, 0)),
    idle("module|load", -3, Since::both(4, 0)),
    idle("module|loadex", -3, Since::both(4, 0)),
    idle("module|unload", 3, Since::both(4, 0)),
];

const OBJECT: &[Command] = &[idle("object|help", 2, Since::both(2, 2))];

const PUBSUB: &[Command] = &[
    idle("pubsub|channels", -2, Since::both(2, 8)),
    idle("pubsub|help", 2, Since::both(2, 8)),
    idle("pubsub|numpat", 2, Since::both(2, 8)),
    idle("pubsub|numsub", -2, Since::both(2, 8)),
    idle("pubsub|shardchannels", -2, Since::both(2, 8)),
    idle("pubsub|shardnumsub", -2, Since::both(2, 8)),
];

const SCRIPT: &[Command] = &[
    idle("script|debug", -3, Since::both(2, 6)),
    idle("script|help", 2, Since::both(2, 6)),
    idle("script|show", 3, Since::valkey(8, 0)),
];

const SLOWLOG: &[Command] = &[
    idle("slowlog|get", -2, Since::both(2, 2)),
    idle("slowlog|help", 2, Since::both(2, 2)),
    idle("slowlog|len", 2, Since::both(2, 2)),
    idle("slowlog|reset", 2, Since::both(2, 2)),
];

const XGROUP: &[Command] = &[idle("xgroup|help", 2, Since::both(5, 0))];

const XINFO: &[Command] = &[idle("xinfo|help", 2, Since::both(5, 0))];
