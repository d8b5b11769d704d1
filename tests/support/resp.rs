//! Commands for tests, and a reader of them that shares nothing with the crate: slow, strict, plain.

#![allow(dead_code, reason = "every test file uses a part of it")]

/// A command as servers write it.
pub(crate) fn command(args: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n{arg}\r\n", arg.len()).bytes());
    }
    bytes
}

/// A line up to CRLF, and what is behind it.
fn line(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = (0..bytes.len().saturating_sub(1)).find(|at| &bytes[*at..*at + 2] == b"\r\n")?;
    Some((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 2..]))
}

fn number(mark: char, bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (text, rest) = line(bytes)?;
    let number = text.strip_prefix(mark)?.parse::<usize>().ok()?;
    (text == format!("{mark}{number}")).then_some((number, rest))
}

/// The command or annotation at the start: its words, none for an annotation.
pub(crate) fn slow_record(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, &[u8])> {
    if bytes.first() == Some(&b'#') {
        let (_, rest) = line(bytes)?;
        return Some((Vec::new(), rest));
    }
    let (argc, mut rest) = number('*', bytes)?;
    let mut args = Vec::new();
    for _ in 0..argc {
        let (len, behind) = number('$', rest)?;
        if behind.len() < len + 2 || &behind[len..len + 2] != b"\r\n" {
            return None;
        }
        args.push(behind[..len].to_vec());
        rest = &behind[len + 2..];
    }
    (argc > 0).then_some((args, rest))
}

/// Behind the last whole record that is in no open transaction.
pub(crate) fn slow_valid_up_to(bytes: &[u8], from: usize) -> u64 {
    let (mut rest, mut valid, mut open) = (&bytes[from..], from, false);
    while let Some((args, behind)) = slow_record(rest) {
        match args.first().map(|name| name.to_ascii_uppercase()).as_deref() {
            Some(b"MULTI") if !open => open = true,
            Some(b"EXEC") if open => open = false,
            Some(b"MULTI" | b"EXEC") => break,
            _ => {}
        }
        rest = behind;
        if !open {
            valid = bytes.len() - rest.len();
        }
    }
    valid as u64
}
