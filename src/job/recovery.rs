//! How far a repair goes.

/// A policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Recovery {
    /// Only what a checksum proves.
    Strict,
    /// Also a damaged end is cut off, as servers do it themselves.
    #[default]
    Tail,
    /// Also what is damaged in the middle is left out, and the rest kept.
    Salvage,
}

impl Recovery {
    /// The word used in options and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Recovery::Strict => "strict",
            Recovery::Tail => "tail",
            Recovery::Salvage => "salvage",
        }
    }
}
