//! Why a command failed, in the server's own words: clients and tests compare them.

use std::borrow::Cow;
use std::fmt;

/// An error reply: a code word, a blank, a sentence.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(Cow<'static, [u8]>);

/// What a command gives back.
pub type Outcome = Result<super::Reply, Failure>;

macro_rules! texts {
    ($($name:ident $text:literal)*) => {
        impl Failure { $(#[doc = $text] pub const $name: Failure = Failure::of($text);)* }
    };
}

texts! {
    SYNTAX "ERR syntax error"
    WRONG_TYPE "WRONGTYPE Operation against a key holding the wrong kind of value"
    NOT_INT "ERR value is not an integer or out of range"
    NOT_FLOAT "ERR value is not a valid float"
    NO_KEY "ERR no such key"
    SAME_OBJECT "ERR source and destination objects are the same"
    DB_RANGE "ERR DB index is out of range"
    INDEX_RANGE "ERR index out of range"
    OFFSET_RANGE "ERR offset is out of range"
    NOT_POSITIVE "ERR value is out of range, must be positive"
    OVERFLOW "ERR increment or decrement would overflow"
    NAN_OR_INF "ERR increment would produce NaN or Infinity"
    STRING_TOO_LONG "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    OUT_OF_MEMORY "OOM command not allowed when used memory > 'maxmemory'."
    NESTED_MULTI "ERR MULTI calls can not be nested"
    EXEC_WITHOUT_MULTI "ERR EXEC without MULTI"
    DISCARD_WITHOUT_MULTI "ERR DISCARD without MULTI"
    WATCH_INSIDE_MULTI "ERR WATCH inside MULTI is not allowed"
    NO_AUTH "NOAUTH Authentication required."
    EXEC_ABORT "EXECABORT Transaction discarded because of previous errors."
}

/// How errors begin that no server gives.
const UNSUPPORTED: &str = "ERR this engine cannot run ";

/// As much of a client's argument as a server repeats.
const ECHO: usize = 128;

impl Failure {
    const fn of(text: &'static str) -> Failure {
        Failure(Cow::Borrowed(text.as_bytes()))
    }

    /// An error with this text, code word first. Line breaks become blanks: they would end the reply.
    #[cold]
    pub fn new(text: impl Into<Vec<u8>>) -> Failure {
        let mut text = text.into();
        text.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
        Failure(Cow::Owned(text))
    }

    /// A server would have run this; this engine cannot.
    #[cold]
    pub fn unsupported(what: &str) -> Failure {
        Failure::new(format!("{UNSUPPORTED}{what}"))
    }

    /// Is it an error that a server would not have given, so that what follows in a log is in doubt?
    pub fn is_unsupported(&self) -> bool {
        self.0.starts_with(UNSUPPORTED.as_bytes())
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// No command has this name.
    #[cold]
    pub fn unknown_command(argv: &[&[u8]]) -> Failure {
        let (name, args) = argv.split_first().map_or((&b""[..], &[][..]), |(n, a)| (*n, a));
        let mut echo = Vec::new();
        for arg in args {
            if echo.len() >= ECHO {
                break;
            }
            let room = ECHO - echo.len();
            echo.push(b'\'');
            echo.extend_from_slice(c_text(arg, room));
            echo.extend_from_slice(b"' ");
        }
        let mut text = b"ERR unknown command '".to_vec();
        text.extend_from_slice(c_text(name, ECHO));
        text.extend_from_slice(b"', with args beginning with: ");
        text.extend_from_slice(&echo);
        Failure::new(text)
    }

    /// The command has no subcommand of this name.
    #[cold]
    pub fn unknown_subcommand(command: &str, name: &[u8]) -> Failure {
        let mut text = b"ERR unknown subcommand '".to_vec();
        text.extend_from_slice(c_text(name, ECHO));
        text.extend_from_slice(format!("'. Try {} HELP.", command.to_ascii_uppercase()).as_bytes());
        Failure::new(text)
    }

    /// A subcommand that exists, with arguments that it does not take.
    #[cold]
    pub fn subcommand_syntax(command: &str, name: &[u8]) -> Failure {
        let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
        text.extend_from_slice(c_text(name, ECHO));
        text.extend_from_slice(format!("'. Try {} HELP.", command.to_ascii_uppercase()).as_bytes());
        Failure::new(text)
    }

    /// A text with `%s` in it, for each of which one argument is put in, up to its first NUL.
    #[cold]
    pub fn format(text: &str, args: &[&[u8]]) -> Failure {
        let mut out = Vec::new();
        let mut args = args.iter();
        for (n, part) in text.split("%s").enumerate() {
            if n > 0 {
                out.extend(args.next().into_iter().flat_map(|arg| c_text(arg, arg.len())));
            }
            out.extend_from_slice(part.as_bytes());
        }
        Failure::new(out)
    }

    /// Too few or too many arguments for the command with this full name ("object|freq").
    #[cold]
    pub fn arity(full_name: &str) -> Failure {
        Failure::new(format!("ERR wrong number of arguments for '{full_name}' command"))
    }

    /// An expire time that no clock reaches.
    #[cold]
    pub fn expire_time(full_name: &str) -> Failure {
        Failure::new(format!("ERR invalid expire time in '{full_name}' command"))
    }

    /// A number outside of what this argument may be.
    #[cold]
    pub fn range(min: i64, max: i64) -> Failure {
        Failure::new(format!("ERR value is out of range, value must between {min} and {max}"))
    }
}

/// `text` as C's `%.*s` prints it: up to `max` bytes, or to the first NUL.
pub(super) fn c_text(text: &[u8], max: usize) -> &[u8] {
    let end = text.iter().take(max).position(|byte| *byte == 0).unwrap_or(text.len().min(max));
    text.get(..end).unwrap_or(text)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl std::error::Error for Failure {}
