//! Getting data back from damaged RDBs and AOFs: healing by the checksum or by the one byte that makes commands of
//! what is none, and salvage of what cannot be healed. Damage is made with seeds, so what is true is known.
//!
//! By default a sample of the trials is run; `RDBTOOL_FULL=1 cargo test --test salvage -- --nocapture` runs
//! all of them and prints the yields, beside those of other tools; `RDBTOOL_KIND='1 byte'` only those of one kind.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "support/made.rs"]
mod made;
#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;
#[path = "support/resp.rs"]
mod resp;
#[path = "support/servers.rs"]
mod servers;

#[path = "salvage/aof_hostile.rs"]
mod aof_hostile;
#[path = "salvage/aof_incidents.rs"]
mod aof_incidents;
#[path = "salvage/aof_lab.rs"]
mod aof_lab;
#[path = "salvage/aof_yields.rs"]
mod aof_yields;
#[path = "salvage/damage.rs"]
mod damage;

#[path = "salvage/heal.rs"]
mod heal;
#[path = "salvage/hostile.rs"]
mod hostile;
#[path = "salvage/incidents.rs"]
mod incidents;
#[path = "salvage/lab.rs"]
mod lab;
#[path = "salvage/table.rs"]
mod table;
#[path = "salvage/yields.rs"]
mod yields;
