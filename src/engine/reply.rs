//! What a command answers, and how that goes over the wire.
//!
//! A reply says what it means (a map, a double, nothing); the writer knows that RESP2 has only
//! arrays, bulk strings and two kinds of nil to say it with.
//! ```text
//!             RESP2                   RESP3
//! Simple      +OK                     +OK
//! Error       -ERR …                  -ERR …
//! Int         :1                      :1
//! Bulk        $3 abc                  $3 abc
//! Nil         $-1                     _
//! NilArray    *-1                     _
//! Array       *n …                    *n …
//! Map         *2n k v …               %n k v …
//! Pairs       *2n k v …               *n of *2 k v
//! Set         *n …                    ~n …
//! Double      $… text                 ,text
//! Number      $… text                 ,text
//! Bool        :0 :1                   #f #t
//! Verbatim    $… text                 =… txt:text
//! ```

use crate::encoding::Entry;
use crate::encoding::number::{double_grisu, write_i64};
use crate::engine::failure::Failure;
use crate::value::zset::whole;

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A short word such as OK.
    Simple(&'static str),
    /// A word that is not known beforehand, said the same way.
    Word(String),
    /// The command failed.
    Error(Failure),
    /// A number.
    Int(i64),
    /// A byte string.
    Bulk(Vec<u8>),
    /// Nothing, where a string might be.
    Nil,
    /// Nothing, where an array might be.
    NilArray,
    /// Several replies.
    Array(Vec<Reply>),
    /// Names and what belongs to them.
    Map(Vec<(Reply, Reply)>),
    /// Twos that belong together, such as members with their scores.
    Pairs(Vec<(Reply, Reply)>),
    /// Several replies without an order.
    Set(Vec<Reply>),
    /// A floating point number.
    Double(f64),
    /// A floating point number whose text is another than today's servers would print.
    Number(Vec<u8>),
    /// Yes or no.
    Bool(bool),
    /// A text for people.
    Verbatim(Vec<u8>),
}

/// The version of the protocol a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resp {
    /// RESP2, what every client speaks unless it asks for more.
    #[default]
    V2,
    /// RESP3.
    V3,
}

impl Reply {
    /// `OK`
    pub const OK: Reply = Reply::Simple("OK");

    /// A copy of `bytes` as a bulk string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(bytes.as_ref().to_vec())
    }

    /// A word, without line breaks.
    pub fn word(word: &str) -> Reply {
        Reply::Word(word.to_owned())
    }

    /// A count.
    pub fn count(count: usize) -> Reply {
        Reply::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// 1 or 0, as the commands of old say yes and no.
    pub fn flag(yes: bool) -> Reply {
        Reply::Int(yes.into())
    }

    /// The text of a packed entry.
    pub fn entry(entry: Entry<'_>) -> Reply {
        let mut text = Vec::with_capacity(entry.text_len());
        entry.write_text(&mut text);
        Reply::Bulk(text)
    }

    /// An array of bulk strings.
    pub fn bulks<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Reply {
        Reply::Array(items.into_iter().map(Reply::bulk).collect())
    }

    /// Did the command fail?
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// Appends the reply as `resp` has it.
    pub fn write(&self, resp: Resp, out: &mut Vec<u8>) {
        let v3 = resp == Resp::V3;
        match self {
            Reply::Simple(word) => line(out, b'+', word.as_bytes()),
            Reply::Word(word) => line(out, b'+', word.as_bytes()),
            Reply::Error(failure) => line(out, b'-', failure.as_bytes()),
            Reply::Int(number) => head(out, b':', *number),
            Reply::Bulk(bytes) => bulk(out, b'$', b"", bytes),
            Reply::Nil if v3 => line(out, b'_', b""),
            Reply::Nil => line(out, b'$', b"-1"),
            Reply::NilArray if v3 => line(out, b'_', b""),
            Reply::NilArray => line(out, b'*', b"-1"),
            Reply::Array(items) => all(out, b'*', items, resp),
            Reply::Set(items) => all(out, if v3 { b'~' } else { b'*' }, items, resp),
            Reply::Map(pairs) if v3 => {
                count(out, b'%', pairs.len());
                pairs.iter().for_each(|pair| both(out, pair, resp));
            }
            Reply::Pairs(pairs) if v3 => {
                count(out, b'*', pairs.len());
                for pair in pairs {
                    count(out, b'*', 2);
                    both(out, pair, resp);
                }
            }
            Reply::Map(pairs) | Reply::Pairs(pairs) => {
                count(out, b'*', pairs.len() * 2);
                pairs.iter().for_each(|pair| both(out, pair, resp));
            }
            Reply::Double(number) => {
                let mut text = Vec::with_capacity(24);
                double_text(*number, &mut text);
                if v3 { line(out, b',', &text) } else { bulk(out, b'$', b"", &text) }
            }
            Reply::Number(text) if v3 => line(out, b',', text),
            Reply::Number(text) => bulk(out, b'$', b"", text),
            Reply::Bool(yes) if v3 => line(out, b'#', if *yes { b"t" } else { b"f" }),
            Reply::Bool(yes) => head(out, b':', i64::from(*yes)),
            Reply::Verbatim(text) if v3 => bulk(out, b'=', b"txt:", text),
            Reply::Verbatim(text) => bulk(out, b'$', b"", text),
        }
    }

    /// The reply as RESP2 bytes.
    pub fn to_resp2(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(Resp::V2, &mut out);
        out
    }
}

impl From<Result<Reply, Failure>> for Reply {
    fn from(result: Result<Reply, Failure>) -> Reply {
        result.unwrap_or_else(Reply::Error)
    }
}

/// A double as servers answer it since 7.2: unlike in a digest, what is an integer looks like one.
pub(super) fn double_text(number: f64, out: &mut Vec<u8>) {
    let negative_zero = number == 0.0 && number.is_sign_negative();
    match whole(number).filter(|_| !negative_zero) {
        Some(whole) => write_i64(whole, out),
        None => double_grisu(number, out),
    }
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn head(out: &mut Vec<u8>, kind: u8, number: i64) {
    out.push(kind);
    write_i64(number, out);
    out.extend_from_slice(b"\r\n");
}

fn count(out: &mut Vec<u8>, kind: u8, count: usize) {
    head(out, kind, i64::try_from(count).unwrap_or(i64::MAX));
}

fn bulk(out: &mut Vec<u8>, kind: u8, prefix: &[u8], bytes: &[u8]) {
    count(out, kind, prefix.len() + bytes.len());
    out.extend_from_slice(prefix);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn all(out: &mut Vec<u8>, kind: u8, items: &[Reply], resp: Resp) {
    count(out, kind, items.len());
    items.iter().for_each(|item| item.write(resp, out));
}

fn both(out: &mut Vec<u8>, (name, value): &(Reply, Reply), resp: Resp) {
    name.write(resp, out);
    value.write(resp, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_forms() {
        let pair = || vec![(Reply::bulk("f"), Reply::Int(1))];
        let cases: &[(Reply, &str, &str)] = &[
            (Reply::OK, "+OK\r\n", "+OK\r\n"),
            (Reply::Int(-5), ":-5\r\n", ":-5\r\n"),
            (Reply::bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (Reply::Nil, "$-1\r\n", "_\r\n"),
            (Reply::NilArray, "*-1\r\n", "_\r\n"),
            (Reply::Map(pair()), "*2\r\n$1\r\nf\r\n:1\r\n", "%1\r\n$1\r\nf\r\n:1\r\n"),
            (Reply::Pairs(pair()), "*2\r\n$1\r\nf\r\n:1\r\n", "*1\r\n*2\r\n$1\r\nf\r\n:1\r\n"),
            (Reply::Set(vec![Reply::Nil]), "*1\r\n$-1\r\n", "~1\r\n_\r\n"),
            (Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (Reply::Double(-0.0), "$2\r\n-0\r\n", ",-0\r\n"),
            (Reply::Double(1e16), "$17\r\n10000000000000000\r\n", ",10000000000000000\r\n"),
            (Reply::Double(5e18), "$5\r\n5e+18\r\n", ",5e+18\r\n"),
            (Reply::Number(b"1.50".to_vec()), "$4\r\n1.50\r\n", ",1.50\r\n"),
            (Reply::Bool(true), ":1\r\n", "#t\r\n"),
            (Reply::Verbatim(b"hi".to_vec()), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
            (Reply::Error(Failure::SYNTAX), "-ERR syntax error\r\n", "-ERR syntax error\r\n"),
        ];
        for (reply, v2, v3) in cases {
            let mut out = Vec::new();
            reply.write(Resp::V3, &mut out);
            assert_eq!((reply.to_resp2(), out), (v2.as_bytes().to_vec(), v3.as_bytes().to_vec()));
        }
    }
}
