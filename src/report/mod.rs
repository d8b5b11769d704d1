//! Reports for people and for programs: text, JSON Lines, hex around an offset, progress. The only
//! place that formats. Nothing that came from a file is written but through [`escape`] or [`json`].

pub(crate) mod advice;
pub(crate) mod aof_advice;
pub(crate) mod check;
pub(crate) mod check_aof;
pub(crate) mod check_aof_json;
pub(crate) mod check_json;
pub(crate) mod convert;
pub(crate) mod convert_json;
pub(crate) mod digest;
pub(crate) mod escape;
pub(crate) mod facts;
pub(crate) mod facts_json;
pub(crate) mod hex;
pub(crate) mod inspect;
pub(crate) mod inspect_aof;
pub(crate) mod inspect_aof_json;
pub(crate) mod inspect_json;
pub(crate) mod json;
pub(crate) mod log;
pub(crate) mod progress;
pub(crate) mod redis_check_aof;
pub(crate) mod redis_check_rdb;
pub(crate) mod repair;
pub(crate) mod repair_json;
pub(crate) mod replay;
pub(crate) mod replay_json;
pub(crate) mod rewrite;
pub(crate) mod screen;
pub(crate) mod size;
pub(crate) mod startup;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod verify;
pub(crate) mod wrap;
