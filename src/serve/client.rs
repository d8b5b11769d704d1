//! One client: its socket, what it has sent and not been answered, what it has been answered and not taken.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::blocked::Wait;
use super::request::Reader;
use crate::engine::{Reply, Resp, Session};
use crate::limits::serve as limits;

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    /// Another for every connection, counted up from 1.
    pub(super) id: u64,
    /// Its place in the table.
    pub(super) at: usize,
    /// Where it comes from.
    pub(super) peer: SocketAddr,
    /// Which of our addresses it came to.
    pub(super) local: SocketAddr,
    stream: TcpStream,
    /// Database, transaction, watched keys, protocol.
    pub(super) session: Session,
    /// Requests that are not (wholly) there yet, or not run yet.
    pub(super) query: Vec<u8>,
    pub(super) reader: Reader,
    /// Answers, of which `sent` bytes have gone.
    pub(super) out: Vec<u8>,
    sent: usize,
    /// It has said the password, or there is none.
    pub(super) trusted: bool,
    /// Answers, or silence.
    pub(super) replies: Replies,
    /// What it waits for.
    pub(super) wait: Option<Wait>,
    /// Commands of the server that an open MULTI has: the place of each, and its arguments.
    pub(super) queued: Vec<(usize, Vec<Vec<u8>>)>,
    /// Names it gave itself, of the connection and of its library.
    pub(super) labels: Labels,
    /// When it came, and when it was last heard of, in ms since the start.
    pub(super) since_ms: i64,
    pub(super) heard_ms: i64,
    /// The full name of the command it sent last.
    pub(super) last: &'static str,
    /// How it ends.
    pub(super) end: End,
    /// There may be something to read.
    pub(super) readable: bool,
    /// The other side has closed.
    pub(super) hung_up: bool,
    /// It is in the list of those whose answers are to be sent.
    pub(super) listed: bool,
}

/// What CLIENT REPLY asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replies {
    On,
    Off,
    /// The next command is not answered.
    SkipNext,
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    No,
    /// When its answers are sent.
    Answered,
    /// At once.
    Now,
}

/// What a client says of itself.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) name: Vec<u8>,
    pub(super) lib_name: Vec<u8>,
    pub(super) lib_version: Vec<u8>,
}

/// What reading gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes, and perhaps there are more.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    Closed,
}

impl Client {
    pub(super) fn new(
        (id, at): (u64, usize),
        stream: TcpStream,
        peer: SocketAddr,
        local: SocketAddr,
        now_ms: i64,
    ) -> Client {
        Client {
            id,
            at,
            peer,
            local,
            stream,
            session: Session::new(),
            query: Vec::new(),
            reader: Reader::default(),
            out: Vec::new(),
            sent: 0,
            trusted: false,
            replies: Replies::On,
            wait: None,
            queued: Vec::new(),
            labels: Labels::default(),
            since_ms: now_ms,
            heard_ms: now_ms,
            last: "NULL",
            end: End::No,
            readable: false,
            hung_up: false,
            listed: false,
        }
    }

    /// The socket, to be registered and deregistered.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Reads what there is, up to the size of `into`.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Got {
        loop {
            return match self.stream.read(into) {
                Ok(0) => Got::Closed,
                Ok(len) => {
                    // A socket that gave less than it could have has no more; the next byte is an event. Only
                    // its end has been one already.
                    self.readable = len == into.len() || self.hung_up;
                    Got::Bytes(len)
                }
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    Got::Nothing
                }
                Err(_) => Got::Closed,
            };
        }
    }

    /// Adds an answer to those that will be sent.
    #[inline]
    pub(super) fn answer(&mut self, reply: &Reply) {
        if self.replies == Replies::On {
            reply.write(self.session.resp, &mut self.out);
        }
    }

    /// Bytes of answers that have not gone.
    pub(super) fn pending(&self) -> usize {
        self.out.len().saturating_sub(self.sent)
    }

    /// Sends what the socket takes. How much was it?
    pub(super) fn send(&mut self) -> io::Result<usize> {
        let before = self.sent;
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => self.sent += len,
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) => return Err(err),
            }
        }
        let sent = self.sent - before;
        if self.pending() == 0 {
            self.sent = 0;
            give_back(&mut self.out);
        } else if self.sent > limits::KEEP && self.sent > self.out.len() / 2 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        Ok(sent)
    }

    /// The session of somebody new, as after RESET, with the same protocol as at the beginning.
    pub(super) fn forget(&mut self) {
        self.session.resp = Resp::V2;
        self.session.select(0);
        self.labels.name.clear();
        self.replies = Replies::On;
    }

    /// Bytes it holds.
    pub(super) fn memory(&self) -> usize {
        let wait = self.wait.as_ref().map_or(0, Wait::memory);
        self.query.capacity()
            + self.out.capacity()
            + self.reader.memory()
            + wait
            + size_of::<Client>()
    }

    /// Its line of CLIENT LIST.
    pub(super) fn line(&self, now_ms: i64) -> Vec<u8> {
        let seconds = |since: i64| now_ms.saturating_sub(since).max(0) / 1000;
        let mut flags = String::new();
        let marks = [
            (self.session.in_multi(), 'x'),
            (self.wait.is_some(), 'b'),
            (self.end != End::No, 'c'),
        ];
        flags.extend(marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark));
        if flags.is_empty() {
            flags.push('N');
        }
        let multi =
            self.session.queued().map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX));
        let mut line =
            format!("id={} addr={} laddr={} name=", self.id, self.peer, self.local).into_bytes();
        line.extend_from_slice(&self.labels.name);
        line.extend_from_slice(
            format!(
                " age={} idle={} flags={flags} db={} multi={multi} qbuf={} obl={} tot-mem={} cmd={} resp={} lib-name=",
                seconds(self.since_ms),
                seconds(self.heard_ms),
                self.session.db(),
                self.query.len(),
                self.pending(),
                self.memory(),
                self.last,
                match self.session.resp {
                    Resp::V2 => 2,
                    Resp::V3 => 3,
                },
            )
            .as_bytes(),
        );
        line.extend_from_slice(&self.labels.lib_name);
        line.extend_from_slice(b" lib-ver=");
        line.extend_from_slice(&self.labels.lib_version);
        line.push(b'\n');
        line
    }
}

/// Empties a buffer, and gives it back if it has become large.
pub(super) fn give_back<T>(buffer: &mut Vec<T>) {
    buffer.clear();
    if buffer.capacity().saturating_mul(size_of::<T>()) > limits::KEEP {
        *buffer = Vec::new();
    }
}
