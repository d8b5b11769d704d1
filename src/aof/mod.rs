//! AOF files: cutting a stream of commands into chunks, reading them, and the folders, manifests and
//! settings that say which files make one AOF.

pub mod damage;
pub mod reader;
pub mod skim;
pub mod state;
