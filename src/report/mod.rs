//! Reports for people and for programs: text, JSON Lines, hex around an offset, progress. The only
//! place that formats. Nothing that came from a file is written but through [`escape`] or [`json`].

pub mod advice;
pub mod check;
pub mod check_json;
pub mod escape;
pub mod hex;
pub mod json;
pub mod palette;
pub mod progress;
pub mod size;
pub mod time;
