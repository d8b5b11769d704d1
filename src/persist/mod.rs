//! Writing that survives: the only place that creates, renames, cuts or removes files.
//!
//! | module | what |
//! |---|---|
//! | [`replace`] | a file replaced, or made: the old or the new one at every moment |
//! | [`append`] | a file that grows by whole pieces |
//! | [`cut`] | the tail of a huge file cut off in place, and saved first |
//! | [`aofdir`] | which files make a multi-part AOF, changed by its manifest |
//! | [`folder`] | a new folder, whole or not at all |
//! | [`target`] | what may be written to |
//! | [`temp`], [`signals`] | temporary files, and that they do not outlive the run |
//! | [`overlay`] | a file as a change would make it |
//! | [`fs`] | what all that needs of a file system: [`real`] or, for tests and drills, [`sim`] |
//!
//! After an error the target is untouched; after a crash, the power going included, it is the old or the
//! new one; after success it is the new one, and a crash does not change that. `tests/persist_crash.rs`
//! tries every moment and every way.

pub mod aofdir;
pub mod append;
pub mod cut;
pub mod folder;
pub mod fs;
pub mod overlay;
pub mod real;
pub mod replace;
pub mod signals;
pub mod sim;
pub mod target;
pub mod temp;
