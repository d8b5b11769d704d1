//! What a hand-made sample is: its file, what is in it, and what `check` should say.

/// One hand-made file.
pub(crate) struct Sample {
    /// Path below `testdata/made`.
    pub(crate) file: String,
    /// What it holds or what is wrong with it, for the ledger.
    pub(crate) what: String,
    /// The finding codes a check gives, separated by commas; none for a file without any.
    pub(crate) codes: String,
    /// The bytes of the file.
    pub(crate) bytes: Vec<u8>,
}

impl Sample {
    /// A sound file, perhaps with harmless notes.
    pub(crate) fn good(name: &str, what: &str, codes: &str, bytes: Vec<u8>) -> Sample {
        Sample { file: format!("{name}.rdb"), what: what.into(), codes: codes.into(), bytes }
    }

    /// A file that is there for one finding code; codes that come along unavoidably follow after `+`:
    /// `lp-count+pair-odd`.
    pub(crate) fn bad(codes: &str, name: &str, what: &str, bytes: Vec<u8>) -> Sample {
        let code = codes.split('+').next().unwrap_or_default();
        let file = format!("bad/{code}-{name}.rdb");
        Sample { file, what: what.into(), codes: codes.replace('+', ","), bytes }
    }

    /// One of the cases that the servers were asked about.
    pub(crate) fn case(case: &str, codes: &str, bytes: Vec<u8>) -> Sample {
        let file = format!("cases/{}.rdb", slug(case));
        Sample { file, what: format!("case: {case}"), codes: codes.into(), bytes }
    }
}

/// A case's name as a file name: lower case, with single hyphens for everything else.
pub(crate) fn slug(case: &str) -> String {
    let words = case.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words
        .collect::<Vec<_>>()
        .join("-")
        .to_ascii_lowercase()
        .replace("stream-length-live", "stream-length-differs")
}
