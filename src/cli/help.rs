//! What a verb's help and man page end with, once for both.

use std::fmt::Write as _;

/// What a verb's help ends with.
#[derive(Debug)]
pub(crate) struct Page {
    /// Commands and what they do.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// Exit statuses and what they mean.
    pub(crate) exit: &'static [(&'static str, &'static str)],
    /// Tables of the fields of `--json`; the man page lists them.
    pub(crate) json: &'static [&'static [(&'static str, &'static str)]],
}

impl Page {
    /// The end of `--help`.
    pub(crate) fn after_help(&self) -> String {
        let mut text = String::from("Examples:");
        for (command, what) in self.examples {
            let _ = write!(text, "\n  {command}\n      {what}");
        }
        text.push_str("\n\nExit status:");
        for (status, what) in self.exit {
            let _ = write!(text, "\n  {status}  {what}");
        }
        text
    }
}

/// Of the program as a whole.
pub(crate) const ALL: Page = Page {
    examples: &[
        ("rdbtool inspect dump.rdb", "What is in this dump?"),
        ("rdbtool check /backups", "Are all of these dumps sound?"),
        ("rdbtool check --target valkey-9.1 dump.rdb", "Would that server load this one?"),
        ("rdbtool check /var/lib/redis/appendonlydir", "Is this AOF sound, all of its files?"),
        (
            "rdbtool repair --dry-run appendonlydir",
            "What would a repair do, and what would be lost?",
        ),
        (
            "rdbtool convert --target valkey-9.1 dump.rdb -o new.rdb",
            "Make a file of it that this server loads.",
        ),
        ("rdbtool serve dump.rdb", "Look into it with redis-cli, as if it were a server."),
        ("ssh db1 cat /var/lib/redis/dump.rdb | rdbtool check -", "Check without a copy."),
    ],
    exit: &[
        ("0", "Done, and all is well."),
        (
            "1",
            "Done, and there is something to look at: damage, or nothing that vouches for the data.",
        ),
        ("2", "Could not be done: wrong usage, or a file that cannot be read."),
        ("70", "A bug in rdbtool."),
    ],
    json: &[],
};

/// Of the verbs' exit statuses, the one they share.
pub(crate) const FAILED: (&str, &str) =
    ("2", "Wrong usage, or a file could not be read; the others were.");

/// The page of a verb by its path of names, `check` or `rdb check`.
pub(crate) fn page(verb: &[&str]) -> Option<&'static Page> {
    match verb {
        [] => Some(&ALL),
        ["check"] => Some(&super::check::PAGE),
        ["rewrite"] => Some(&super::rewrite::PAGE),
        ["convert"] => Some(&super::convert::PAGE),
        ["inspect"] => Some(&super::inspect::PAGE),
        ["replay"] => Some(&super::replay::PAGE),
        ["serve"] => Some(&super::serve::PAGE),
        ["drill"] => Some(&super::drill::PAGE),
        ["digest"] => Some(&super::digest::PAGE),
        ["verify"] => Some(&super::verify::PAGE),
        ["seal"] => Some(&super::seal::PAGE),
        ["diff"] => Some(&super::diff::PAGE),
        ["repair"] => Some(&super::repair::PAGE),
        ["rdb"] => Some(&super::rdb::PAGE),
        ["aof"] => Some(&super::aof::PAGE),
        ["aof", "log"] => Some(&super::aof_log::PAGE),
        ["rdb" | "aof", verb] => page(&[verb]),
        _ => None,
    }
}
