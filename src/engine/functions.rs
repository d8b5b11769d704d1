//! Function libraries: their code is kept, not run.
//!
//! ```text
//! #!lua name=mylib\n code …                                   a library: FUNCTION LOAD, opcode FUNCTION2
//! { F5 | str code } …  | u16le RDB version | u64le CRC-64     FUNCTION DUMP and RESTORE (FORMATS A.9)
//! ```
//! So a library with code that a server would not compile gets in, and FUNCTION LIST does not know the
//! functions of any.

use super::failure::Failure;
use crate::encoding::crc64::crc64;
use crate::rdb::string::string;

/// The opcode before each library of a payload.
const FUNCTION2: u8 = 0xf5;
/// Version and checksum behind them.
const FOOTER: usize = 10;

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

/// The codes in a payload of FUNCTION DUMP.
///
/// # Errors
/// When version or checksum are wrong, or it holds something else.
pub fn unpack(payload: &[u8], newest_version: u16) -> Result<Vec<Vec<u8>>, Failure> {
    let wrong = || Failure::new("ERR DUMP payload version or checksum are wrong");
    let (mut rest, footer) =
        payload.len().checked_sub(FOOTER).map(|at| payload.split_at(at)).ok_or_else(wrong)?;
    let Some((&version, checksum)) = footer.split_first_chunk::<2>() else { return Err(wrong()) };
    let body = payload.get(..rest.len() + 2).unwrap_or_default();
    if u16::from_le_bytes(version) > newest_version || checksum != crc64(body).to_le_bytes() {
        return Err(wrong());
    }
    let mut codes = Vec::new();
    while let Some((&opcode, code_at)) = rest.split_first() {
        if opcode != FUNCTION2 {
            return Err(Failure::new("ERR given type is not a function"));
        }
        let bad = || Failure::new("ERR Failed loading library code");
        let (after, code) = string(code_at).map_err(|_| bad())?;
        codes.push(code.bytes(&mut Vec::new()).map_err(|_| bad())?.to_vec());
        rest = after;
    }
    Ok(codes)
}

/// The payload that holds these codes, for servers of this RDB version.
pub fn pack<'a>(codes: impl Iterator<Item = &'a [u8]>, version: u16) -> Vec<u8> {
    let mut payload = Vec::new();
    for code in codes {
        payload.push(FUNCTION2);
        // The 32-bit form of a length is right for every length that a command can have.
        payload.push(0x80);
        payload.extend_from_slice(&u32::try_from(code.len()).unwrap_or(u32::MAX).to_be_bytes());
        payload.extend_from_slice(code);
    }
    payload.extend_from_slice(&version.to_le_bytes());
    payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    payload
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

    /// The payload that Redis 8.8 logged.
    #[test]
    fn a_servers_payload() {
        let hex = "f5c3405f40641f23216c7561206e616d653d6d796c69620a72656469732e72656769737465725f0e\
                   66756e6374696f6e28276631272c20e0000e0a6b2c61292072657475726e200640321063616c6c2827\
                   736574272c6b5b315d2c612004052920656e64290e009e7bf9a54a31c2a4";
        let payload: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let codes = unpack(&payload, 14).unwrap();
        assert_eq!(Shebang::parse(&codes[0]).unwrap().name, b"mylib");
        assert!(unpack(&payload, 13).is_err(), "too new");
        for at in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[at] ^= 1;
            assert!(unpack(&damaged, 14).is_err(), "byte {at}");
            assert!(unpack(&payload[..at], 14).is_err(), "cut at {at}");
        }
        let ours = pack(codes.iter().map(Vec::as_slice), 14);
        assert_eq!(unpack(&ours, 14).unwrap(), codes);
    }
}
