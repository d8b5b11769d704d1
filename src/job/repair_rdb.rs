//! Repairing an RDB: a sound file from a damaged one.
//!
//! ```text
//! heal      a small change that the checksum proves                       [`super::heal`]
//! survey    what can be read: runs of records, gaps, bad values           [`survey`], [`resync`], [`unit`], [`stride`]
//! census    what of that is kept: keys, suspects, what is lost            [`census`]
//! sections  which database keys are of that have a gap before them        [`sections`]
//! plan      which of these is to be done, and who must agree to it        [`plan`]
//! run       into a new file, read back and checked                        [`run`]
//! ```

pub mod census;
pub mod guess;
pub mod plan;
pub mod prospect;
pub mod resync;
pub mod run;
pub mod sections;
pub mod stride;
pub mod survey;
pub mod unit;
