//! Requests of a client, one after the other: who may ask, what it is, who answers it.

use std::time::Instant;

use super::Server;
use super::blocked::Wait;
use super::client::{Client, End, Replies, give_back};
use super::own;
use super::request::{Bounds, Step};
use crate::engine::{Command, Failure, Reply, Session, resolve};
use crate::limits::serve as limits;

impl Server {
    /// Runs the requests in what has just been read, behind what there was before.
    pub(super) fn run_bytes(&mut self, client: &mut Client, bytes: &[u8]) {
        if !client.query.is_empty() {
            client.query.extend_from_slice(bytes);
            return self.run_query(client);
        }
        // Nearly always all of it is whole requests, and nothing has to be copied.
        let done = self.requests(client, bytes);
        let rest = bytes.get(done..).unwrap_or_default();
        client.query.extend_from_slice(rest);
    }

    /// Runs the requests that wait.
    pub(super) fn run_query(&mut self, client: &mut Client) {
        if client.query.len() < client.reader.needs() {
            return;
        }
        let mut query = std::mem::take(&mut client.query);
        let done = self.requests(client, &query);
        match done == query.len() {
            true => give_back(&mut query),
            false => drop(query.drain(..done)),
        }
        client.query = query;
    }

    /// Runs the whole requests at the start of `bytes`; how many bytes they take.
    fn requests(&mut self, client: &mut Client, bytes: &[u8]) -> usize {
        let mut done = 0;
        let mut argv: Vec<&[u8]> = Vec::with_capacity(8);
        let mut reader = std::mem::take(&mut client.reader);
        while client.end == End::No && client.wait.is_none() {
            let bounds =
                Bounds { args: limits::ARGS, bulk: self.settings.bulk, stranger: !client.trusted };
            let rest = bytes.get(done..).unwrap_or_default();
            match reader.next(rest, bounds) {
                Ok(Step::Request(len)) => {
                    argv.clear();
                    argv.extend(reader.args(rest));
                    self.request(client, &argv);
                    done += len;
                }
                Ok(Step::Line(len, words)) => {
                    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                    self.request(client, &words);
                    done += len;
                }
                Ok(Step::Nothing(len)) => done += len,
                Ok(Step::More) => break,
                Err(failure) => {
                    client.answer(&Reply::Error(failure));
                    client.end = End::Answered;
                }
            }
            if client.pending() > self.settings.output_buffer {
                client.end = End::Now;
            }
        }
        client.reader = reader;
        done
    }

    /// Runs a request and notes its answer.
    #[inline]
    fn request(&mut self, client: &mut Client, argv: &[&[u8]]) {
        let skip = client.replies == Replies::SkipNext;
        let reply = self.reply(client, argv);
        if skip && client.replies == Replies::SkipNext {
            client.replies = Replies::On;
        } else if let Some(reply) = reply {
            client.answer(&reply);
        }
    }

    /// The answer to a request; none if the client has to wait for it.
    fn reply(&mut self, client: &mut Client, argv: &[&[u8]]) -> Option<Reply> {
        let found = resolve(argv);
        match found {
            Ok(command) if client.trusted && command.name != "info" => {
                client.last = command.name;
                let reply = self.timed(client, command, argv);
                return match client.queued.is_empty() || client.session.in_multi() {
                    true => reply,
                    false => reply.map(|reply| self.run_queued(client, command, reply)),
                };
            }
            _ => {}
        }
        let name = argv.first().copied().unwrap_or_default();
        if let Some(own) = own::find(name) {
            client.last = own.name;
            return Some(self.run_own(client, own, argv).into());
        }
        client.last = "NULL";
        Some(match found {
            Err(failure) if client.trusted => self.unknown(client, argv, failure),
            _ => Reply::Error(own::NO_AUTH),
        })
    }

    /// Runs a command of the engine, and notes it if it takes long. What is queued takes no time.
    #[inline]
    fn timed(
        &mut self,
        client: &mut Client,
        command: &'static Command,
        argv: &[&[u8]],
    ) -> Option<Reply> {
        let most_us = self.settings.slower_than_us;
        if most_us < 0 || (client.session.in_multi() && command.name != "exec") {
            return self.execute(client, command, argv);
        }
        let began = Instant::now();
        let reply = self.execute(client, command, argv);
        let took_us = i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX);
        if took_us >= most_us {
            self.slow_log.note(client, argv, took_us, self.now_ms, self.settings.slow_log);
        }
        reply
    }

    /// Runs a command of the engine.
    #[inline]
    fn execute(
        &mut self,
        client: &mut Client,
        command: &'static Command,
        argv: &[&[u8]],
    ) -> Option<Reply> {
        let before = self.store.engine().dirty();
        let queued = client.session.in_multi();
        let reply = self.store.execute(&mut client.session, command, argv);
        if matches!(reply, Reply::Nil | Reply::NilArray) && !queued {
            let engine = self.store.engine();
            let wait = Wait::of(engine, &client.session, command, argv, &reply, self.up_ms);
            if let Some(wait) = wait {
                self.begin_wait(client, wait);
                return None;
            }
        }
        if !self.waiting.is_empty() && self.store.engine().dirty() != before {
            self.wake();
        }
        Some(reply)
    }

    /// What to say of a command that nobody here knows.
    #[cold]
    fn unknown(&mut self, client: &mut Client, argv: &[&[u8]], failure: Failure) -> Reply {
        // Browsers can be made to send these to any port of their machine.
        let name = argv.first().copied().unwrap_or_default();
        if [&b"post"[..], b"host:"].iter().any(|word| name.eq_ignore_ascii_case(word)) {
            client.end = End::Now;
        }
        client.session.spoil();
        Reply::Error(own::missing(name).unwrap_or(failure))
    }

    /// Ends a session's transaction and lets go of the keys it watches.
    pub(super) fn let_go(&mut self, session: &mut Session) {
        for argv in [[&b"DISCARD"[..]], [b"UNWATCH"]] {
            if argv[0] == b"DISCARD" && !session.in_multi() {
                continue;
            }
            if let Ok(command) = resolve(&argv) {
                self.store.execute(session, command, &argv);
            }
        }
    }
}
