//! Words of a line, as servers split the lines of a manifest and of redis.conf (FORMATS B.4).
//!
//! ```text
//! file "my \"own\" file" 'it\'s' plain     words between blanks
//!       \n \r \t \a \b \xHH \c              inside double quotes
//!       \'                                  inside single quotes
//! ```

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take, take_while};
use nom::combinator::{eof, map, map_opt, peek, success, value, verify};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// Splits a line; `None` when a quote has no end, or a word goes on behind one.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = blanks(line).ok()?.0;
    while !rest.is_empty() {
        let (behind, word) = word(rest).ok()?;
        words.push(word);
        rest = blanks(behind).ok()?.0;
    }
    Some(words)
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn blanks(i: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(is_blank).parse(i)
}

/// A word is plain text, then perhaps a quoted piece, which ends it.
fn word(i: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let plain = take_while(|byte| !is_blank(byte) && !b"\"'\0".contains(&byte));
    let quoted = alt((double_quoted, single_quoted, success(Vec::new())));
    let end =
        peek(alt((eof, verify(take(1usize), |byte: &[u8]| byte.iter().all(|b| is_blank(*b))))));
    let word = |(plain, quoted): (&[u8], Vec<u8>)| [plain, &quoted].concat();
    map(terminated((plain, quoted), end), word).parse(i)
}

fn double_quoted(i: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let byte = alt((escape, map(is_not("\"\\"), <[u8]>::to_vec)));
    delimited(tag("\""), joined(byte), tag("\"")).parse(i)
}

fn single_quoted(i: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let quote = value(b"'".to_vec(), tag("\\'"));
    let backslash = value(b"\\".to_vec(), tag("\\"));
    let byte = alt((quote, backslash, map(is_not("'\\"), <[u8]>::to_vec)));
    delimited(tag("'"), joined(byte), tag("'")).parse(i)
}

fn joined<'a>(
    piece: impl Parser<&'a [u8], Output = Vec<u8>, Error = nom::error::Error<&'a [u8]>>,
) -> impl Parser<&'a [u8], Output = Vec<u8>, Error = nom::error::Error<&'a [u8]>> {
    fold_many0(piece, Vec::new, |mut all, piece| {
        all.extend_from_slice(&piece);
        all
    })
}

fn escape(i: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let hex = map_opt(take(2usize), |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u8::from_str_radix(digits, 16).ok().filter(|_| plain)
    });
    let letter = map(take(1usize), |byte: &[u8]| match byte[0] {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    });
    let byte = preceded(tag("\\"), alt((preceded(tag("x"), hex), letter)));
    map(byte, |byte| vec![byte]).parse(i)
}

/// A word as a server writes it: as it is, or in double quotes where something in it asks for them.
pub fn quote(word: &[u8], out: &mut Vec<u8>) {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\\\"'".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return out.extend_from_slice(word);
    }
    out.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_of_lines() {
        let cases: &[(&[u8], Option<&[&[u8]]>)] = &[
            (b"", Some(&[])),
            (b"  file a.aof \t seq\r\n", Some(&[b"file", b"a.aof", b"seq"])),
            (b"\"a b\" 'c d'", Some(&[b"a b", b"c d"])),
            (b"\"\\x2f\\n\\\"\\q\" ''", Some(&[b"/\n\"q", b""])),
            (b"\"\\xg1\"", Some(&[b"xg1"])),
            (b"'it\\'s' 'a\\n'", Some(&[b"it's", b"a\\n"])),
            (b"ab\"c d\" e", Some(&[b"abc d", b"e"])),
            (b"\"open", None),
            (b"'open", None),
            (b"\"a\"b", None),
            (b"'a'b", None),
            (b"\"a\\\"", None),
            (b"back\\slash", Some(&[b"back\\slash"])),
        ];
        for (line, want) in cases {
            let want = want.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
            assert_eq!(split(line), want, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        let cases: &[(&[u8], &str)] = &[
            (b"appendonly.aof.1.base.rdb", "appendonly.aof.1.base.rdb"),
            (b"", "\"\""),
            (b"a b", "\"a b\""),
            (b"it's", "\"it's\""),
            (b"\x07\x08\xff\"\\\n", "\"\\a\\b\\xff\\\"\\\\\\n\""),
        ];
        for (word, want) in cases {
            let mut text = Vec::new();
            quote(word, &mut text);
            assert_eq!(std::str::from_utf8(&text).unwrap(), *want);
            assert_eq!(split(&text), Some(vec![word.to_vec()]));
        }
    }
}
