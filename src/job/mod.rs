//! One file a job: options in, a report out. Jobs print nothing and know no command line.

pub mod aof_file;
pub mod behind;
pub mod check;
pub mod check_aof;
pub mod check_set;
pub mod commands;
pub mod distinct;
pub mod duplicates;
pub mod filter;
pub mod inspect;
pub mod inspect_aof;
pub mod load;
pub mod log;
pub mod look;
pub mod pipeline;
pub mod rate;
pub mod rdb_facts;
pub mod rdb_file;
pub mod repair_aof;
pub mod replay;
pub mod rewrite_estimate;
pub mod subject;
pub mod tally;
pub mod target;
pub mod target_aof;
pub mod verify;
