//! One file a job: options in, a report out. Jobs print nothing and know no command line.

pub mod behind;
pub mod check;
pub mod duplicates;
pub mod filter;
pub mod inspect;
pub mod pipeline;
pub mod rdb_facts;
pub mod rdb_file;
pub mod tally;
pub mod target;
