//! Function libraries: their code is kept, not run.
//!
//! ```text
//! #!lua name=mylib\n code …     a library
//! ```
//! A library with code that a server would not compile gets in, and FUNCTION LIST does not know the
//! functions of any.

use super::failure::Failure;

/// What the first line of a library's code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shebang<'a> {
    /// The engine, in lower case as a rule.
    pub engine: &'a [u8],
    /// The library's name.
    pub name: &'a [u8],
}

impl<'a> Shebang<'a> {
    /// Reads the first line of a library's code.
    ///
    /// # Errors
    /// As a server words them.
    pub fn parse(code: &'a [u8]) -> Result<Shebang<'a>, Failure> {
        let fail = |text: &str| Err(Failure::new(format!("ERR {text}")));
        let Some(line) = code.strip_prefix(b"#!") else {
            return fail("Missing library metadata");
        };
        let Some(end) = line.iter().position(|byte| *byte == b'\n') else {
            return fail("Invalid library metadata");
        };
        let line = line.get(..end).unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let engine = words.next().unwrap_or_default();
        let mut name = None;
        for word in words {
            let Some(value) = word.strip_prefix(b"name=") else {
                return Err(Failure::format("ERR Invalid metadata value given: %s", &[word]));
            };
            if name.replace(value).is_some() {
                return fail("Invalid metadata value, name argument was given multiple times");
            }
        }
        let Some(name) = name else { return fail("Library name was not given") };
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if name.is_empty() || !name.iter().all(plain) {
            return fail(
                "Library names can only contain letters, numbers, or underscores(_) and must be \
                 at least one character long",
            );
        }
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err(Failure::format("ERR Engine '%s' not found", &[engine]));
        }
        Ok(Shebang { engine, name })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn first_lines() {
        let cases: &[(&str, &str)] = &[
            ("#!lua name=mylib\ncode", "mylib"),
            ("#!LUA   name=a_1 \n", "a_1"),
            ("code", "ERR Missing library metadata"),
            ("#!lua name=x", "ERR Invalid library metadata"),
            ("#!lua\n", "ERR Library name was not given"),
            ("#!lua foo=bar\n", "ERR Invalid metadata value given: foo=bar"),
            (
                "#!lua name=a name=b\n",
                "ERR Invalid metadata value, name argument was given multiple times",
            ),
            ("#!js name=a\n", "ERR Engine 'js' not found"),
        ];
        for (code, want) in cases {
            let said = match Shebang::parse(code.as_bytes()) {
                Ok(shebang) => String::from_utf8_lossy(shebang.name).into_owned(),
                Err(failure) => failure.to_string(),
            };
            assert_eq!(said, *want, "{code:?}");
        }
        assert!(Shebang::parse(b"#!lua name=a-b\n").is_err());
        assert!(Shebang::parse(b"#!lua name=\n").is_err());
    }
}
