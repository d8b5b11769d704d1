//! AOF files: cutting a stream of commands into chunks, reading them, and the folders, manifests and
//! settings that say which files make one AOF.

pub mod damage;
pub mod folder;
pub mod loader;
pub mod manifest;
pub mod marks;
pub mod reader;
pub mod rebuild;
pub mod set;
pub mod settings;
pub mod skim;
pub mod startup;
pub mod state;
pub mod words;
