//! How servers read the damaged end of an AOF, which is more loosely than anybody should: lines come in
//! pieces of their buffer, numbers end where digits do, and the two bytes behind an argument are not looked
//! at (FORMATS B.1). Whether a server cuts the file or refuses it hangs on such things:
//!
//! ```text
//! ...$4\r 00 00 00          the line goes on to the end: a short read, the file is cut
//! ...$4\r 00 00 00 ...      more than a line's buffer: an argument of NULs, then a format error
//! ```

/// How a server's reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At the end of the file, with nothing to complain of.
    Clean,
    /// Inside a command.
    Short,
    /// At something that is no command.
    Format,
}

/// The bytes from the damaged record to the end of the file: some as they are, and NULs behind them.
#[derive(Debug, Clone, Copy)]
pub struct Tail<'a> {
    /// The first bytes.
    pub head: &'a [u8],
    /// How many there are in all.
    pub len: u64,
    /// Bytes of the server's line buffer: 128 before Redis 7.0, 1024 since.
    pub line: usize,
}

impl Tail<'_> {
    /// Reads to the end as a server does.
    pub fn read(&self) -> Ending {
        let mut pos = 0;
        loop {
            match self.command(&mut pos) {
                Ok(true) => {}
                Ok(false) => return Ending::Clean,
                Err(ending) => return ending,
            }
        }
    }

    /// A command or annotation; false at the end.
    fn command(&self, pos: &mut u64) -> Result<bool, Ending> {
        let Some(line) = self.line(pos) else { return Ok(false) };
        match line.as_slice() {
            [b'#', ..] => return Ok(true),
            // A NUL ends the line for the server, which takes that for the end of the file where it is near.
            [b'*'] | [b'*', 0, ..] => {
                let is_last = line.len() + 1 < self.line && !line.ends_with(b"\n");
                return Err(if is_last { Ending::Short } else { Ending::Format });
            }
            [b'*', ..] => {}
            _ => return Err(Ending::Format),
        }
        let argc = number(&line);
        if argc < 1 {
            return Err(Ending::Format);
        }
        for _ in 0..argc {
            let line = self.line(pos).ok_or(Ending::Short)?;
            if line.first() != Some(&b'$') {
                return Err(Ending::Format);
            }
            // A negative length is more memory than there is.
            let len = u64::try_from(number(&line)).map_err(|_| Ending::Format)?;
            *pos = pos.saturating_add(len).saturating_add(2);
            if *pos > self.len {
                return Err(Ending::Short);
            }
        }
        Ok(true)
    }

    /// What `fgets` gives: up to a line feed or the end of the buffer.
    fn line(&self, pos: &mut u64) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        while line.len() + 1 < self.line && *pos < self.len {
            let byte = usize::try_from(*pos).ok().and_then(|pos| self.head.get(pos));
            let byte = byte.copied().unwrap_or(0);
            *pos += 1;
            line.push(byte);
            if byte == b'\n' {
                break;
            }
        }
        (!line.is_empty()).then_some(line)
    }
}

/// What `atoi` makes of a line behind its mark.
fn number(line: &[u8]) -> i64 {
    let text = line.get(1..).unwrap_or_default();
    let blank = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0x0b;
    let text = text.get(text.iter().take_while(blank).count()..).unwrap_or_default();
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value = digits.fold(0i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    value.saturating_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Redis 7.0.15 was seen to read them.
    #[test]
    fn ends_that_servers_cut_and_ends_that_they_refuse() {
        let set = b"*3\r\n$3\r\nSET\r\n$4\r";
        let cases: &[(&[u8], u64, Ending)] = &[
            (b"", 0, Ending::Clean),
            (b"*", 0, Ending::Short),
            (b"*3", 0, Ending::Short),
            (b"*3\r\n$3\r\nSET\r\n", 0, Ending::Short),
            (b"*-", 0, Ending::Format),
            (b"*", 254, Ending::Short),
            (b"*", 1021, Ending::Short),
            (b"*", 1022, Ending::Format),
            (b"*\0\n", 0, Ending::Format),
            (b"#", 254, Ending::Clean),
            (b"#TS:17", 0, Ending::Clean),
            (b"*1\r\n$4\r\nPING", 0, Ending::Short),
            (b"*1\r\n$4\r\nPING", 1, Ending::Short),
            (b"*1\r\n$4\r\nPING", 2, Ending::Clean),
            (b"*1\r\n$4\r\nPING", 3, Ending::Format),
            (b"", 1, Ending::Format),
            (set, 12, Ending::Short),
            (set, 2000, Ending::Format),
            (b"*1\r\n$-1\r\n", 0, Ending::Format),
        ];
        for (head, nuls, want) in cases {
            let tail = Tail { head, len: head.len() as u64 + nuls, line: 1024 };
            assert_eq!(tail.read(), *want, "{} and {nuls} NULs", head.escape_ascii());
        }
    }
}
