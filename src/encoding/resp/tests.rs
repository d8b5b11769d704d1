//! Framing of commands, row by row of FORMATS B.1.

#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;

fn take(forms: Forms, bytes: &[u8]) -> Result<(usize, Vec<&[u8]>, Vec<Code>), Box<Stop>> {
    let mut framer = Framer::new(forms, 1 << 20);
    framer.last = true;
    let mut args = Vec::new();
    let len = framer.command(bytes, |arg| args.push(arg))?;
    Ok((len, args, framer.odd.iter().map(|odd| odd.code).collect()))
}

/// What servers read and check tools do not: strict reading stops with the code that tolerant
/// reading notes.
#[test]
fn forms_that_servers_read() {
    use Code::{AofArgumentEnd as End, AofLineEnd as Lf, AofNumber as Number};
    let cases: &[(&[u8], &[Code])] = &[
        (b"*1\r\n$4\r\nPING\r\n", &[]),
        (b"*1\n$4\nPING\r\n", &[Lf, Lf]),
        (b"*1\r\n$4\r\nPING\n\n", &[End]),
        (b"*1\r\n$4\r\nPINGxy", &[End]),
        (b"*+1\r\n$04\r\nPING\r\n", &[Number, Number]),
        (b"* 1\r\n$4 bytes\r\nPING\r\n", &[Number, Number]),
        (b"*1\0\n$4\r\nPING\r\n", &[Number, Lf]),
        (b"*1\0\0\r\n$4\0\r\nPING\r\n", &[Number, Number]),
        (b"*1\r\n$4\r\nPING\0\0", &[End]),
        (b"*1\r\n$4\r\nPING\r\0", &[End]),
        (b"*1x\n$4\r\nPING\r\n", &[Number, Lf]),
        (b"*0\r\n", &[Code::AofArgc]),
        (b"*-1\r\n", &[Code::AofArgc]),
    ];
    for (bytes, want) in cases {
        let (len, args, odd) = take(Forms::Tolerant, bytes).unwrap();
        assert_eq!((len, odd.as_slice()), (bytes.len(), *want), "{}", bytes.escape_ascii());
        assert!(args.is_empty() || args == [b"PING"], "{}", bytes.escape_ascii());
        let strict = take(Forms::Strict, bytes);
        match want.first().filter(|code| **code != Code::AofArgc) {
            None => assert!(strict.is_ok(), "{}", bytes.escape_ascii()),
            Some(_) if bytes.contains(&0) => {
                assert_eq!(strict.unwrap_err().fault().code(), Code::AofFormat);
            }
            Some(code) => assert_eq!(strict.unwrap_err().fault().code(), *code),
        }
    }
}

/// A length without a digit is 0 for servers.
#[test]
fn a_length_without_a_digit() {
    for bytes in [&b"*1\r\n$x\r\n\r\n"[..], b"*1\r\n$\r\n\r\n", b"*1\r\n$\0\r\n\r\n"] {
        let (len, args, odd) = take(Forms::Tolerant, bytes).unwrap();
        assert_eq!((len, args), (bytes.len(), vec![&b""[..]]), "{}", bytes.escape_ascii());
        assert_eq!(odd, [Code::AofNumber]);
        let stop = take(Forms::Strict, bytes).unwrap_err();
        assert_eq!(stop.fault().code(), Code::AofFormat, "{}", bytes.escape_ascii());
    }
}

#[test]
fn bytes_that_are_no_command() {
    let cases: &[(&[u8], Code, usize)] = &[
        (b"*2\r\n$3\r\nGET\r\n*1\r\n", Code::AofFormat, 13),
        (b"*1\r\n$-1\r\n", Code::AofLength, 4),
        (b"*1\r\n$9223372036854775000\r\n", Code::AofLength, 4),
        (b"*1\r\n$1048577\r\n", Code::AofLength, 4),
        (b"*99999999999\r\n", Code::AofLength, 0),
        (b"*x\r\n", Code::AofFormat, 0),
        (b"*1\r\n$\r\nPING\r\n", Code::AofFormat, 4),
        (b"*1\r\n$x\r\nPING\r\n", Code::AofFormat, 4),
        (b"*1\r\n$3\r\nPING\r\n", Code::AofFormat, 11),
        (b"*1\r\n$4\r\nPING\0\0\0", Code::AofFormat, 12),
        (b"*1\r\n$4\r\nPING\0", Code::AofFormat, 12),
        (b"*1\r\n$4\r\0\0\0\0", Code::AofFormat, 7),
        (b"*1\r\n$4\r\nPING\r\0\0", Code::AofFormat, 13),
        // The line goes on to its LF, and then it is another than it was.
        (b"*1\r\0$4\r\nPING\r\n", Code::AofFormat, 3),
        (b"*1\r\n$4\r\0PING\r\n*1\r\n$4\r\nPING\r\n", Code::AofFormat, 7),
    ];
    for (bytes, code, pos) in cases {
        for forms in [Forms::Strict, Forms::Tolerant] {
            match *take(forms, bytes).unwrap_err() {
                Stop::Bad(why) => {
                    let fault = why.fault();
                    let at = bytes.len() - fault.rest();
                    assert_eq!((fault.code(), at), (*code, *pos), "{}", bytes.escape_ascii());
                }
                Stop::Short { .. } => panic!("{} is short", bytes.escape_ascii()),
            }
        }
    }
}

#[test]
fn every_prefix_is_short_and_needs_no_more_than_the_whole() {
    let bytes = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$123\r\n";
    let bytes = [bytes.as_slice(), &[b'x'; 123], b"\r\n"].concat();
    for end in 1..bytes.len() {
        match *take(Forms::Strict, &bytes[..end]).unwrap_err() {
            Stop::Short { need, .. } => assert!(need > end && need <= bytes.len(), "{end}"),
            Stop::Bad(why) => panic!("{end}: {why:?}"),
        }
    }
    assert_eq!(take(Forms::Strict, &bytes).unwrap().0, bytes.len());
}

#[test]
fn what_is_written_is_read() {
    let args: [&[u8]; 4] = [b"SET", b"", &[0, b'\r', b'\n', 255], &[b'y'; 5000]];
    let mut bytes = Vec::new();
    write_command(args.into_iter(), &mut bytes);
    let (len, read, odd) = take(Forms::Strict, &bytes).unwrap();
    assert_eq!((len, read.as_slice(), odd.len()), (bytes.len(), args.as_slice(), 0));
}

#[test]
fn annotations() {
    let mut framer = Framer::new(Forms::Tolerant, 0);
    assert_eq!(framer.annotation(b"#TS:1\r\n*").unwrap(), (&b"TS:1"[..], 7));
    assert!(framer.odd.is_empty());
    assert_eq!(framer.annotation(b"#\n").unwrap(), (&b""[..], 2));
    assert_eq!(framer.odd[0].code, Code::AofLineEnd);
    let line = |len: usize| [&vec![b'#'; len - 2][..], b"\r\n"].concat();
    assert_eq!(framer.annotation(&line(1024)).unwrap().1, 1024);
    assert!(framer.odd.is_empty());
    framer.annotation(&line(1025)).unwrap();
    assert_eq!(framer.odd[0].code, Code::AofAnnotationLong);
    assert!(matches!(*framer.annotation(b"#TS:1").unwrap_err(), Stop::Short { need: 6, .. }));
    assert!(matches!(*framer.annotation(&[b'#'; 100_000]).unwrap_err(), Stop::Bad(_)));
    assert!(matches!(*framer.annotation(b"#\0\n").unwrap_err(), Stop::Short { need: 4, .. }));
    assert!(matches!(*framer.annotation(b"#\0\n\0").unwrap_err(), Stop::Bad(_)));
    framer.annotation(b"#\0\r\n*").unwrap();
    assert_eq!(framer.odd[0].code, Code::AofTimestamp);
    let mut strict = Framer::new(Forms::Strict, 0);
    assert!(matches!(*strict.annotation(b"#\0\r\n*").unwrap_err(), Stop::Bad(_)));
}
