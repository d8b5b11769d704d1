//! rdbtool-seal(5), the format of seals: prose by hand in `seal.5.in`, the example made by the code.

use std::fmt::Write as _;

use crate::job::seal::example;

const TEMPLATE: &str = include_str!("seal.5.in");

/// The page.
pub(super) fn page() -> String {
    let version = concat!("rdbtool ", env!("CARGO_PKG_VERSION"));
    TEMPLATE.replace("@VERSION@", version).replace("@EXAMPLE@", hex().trim_end())
}

/// The seal of a small file, eight bytes a line.
fn hex() -> String {
    let mut text = String::new();
    for (line, bytes) in example(b"123456789").chunks(8).enumerate() {
        let _ = write!(text, "{:6}  ", line * 8);
        bytes.iter().for_each(|byte| {
            let _ = write!(text, "{byte:02x} ");
        });
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
