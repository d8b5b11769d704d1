//! Commands that wait: BLPOP and its kin, and XREAD with BLOCK.
//!
//! The engine answers them as if their time was up. A client that was answered nothing that way waits
//! instead: its command is run again whenever something was changed and one of its keys exists, in the
//! order in which clients came, until there is an answer or its time is up. So each is run by the same code, and
//! logged as what it did then. XREADGROUP is run again without its key as well: it is answered that its stream or
//! group is gone.

use super::Server;
use super::client::Client;
use crate::encoding::number::parse_i64;
use crate::engine::{Command, Engine, Failure, Reply, Session, args};
use crate::value::{DataType, List, Stream};

/// A command whose time has not come.
#[derive(Debug)]
pub(super) struct Wait {
    command: &'static Command,
    argv: Vec<Vec<u8>>,
    /// Where its keys are in `argv`.
    keys: Vec<usize>,
    /// When to give up, in ms since the start.
    pub(super) until_ms: Option<i64>,
    /// What to answer then.
    nothing: Reply,
}

impl Wait {
    /// The wait of a command that was answered `reply`, if that means that it has to wait.
    pub(super) fn of(
        engine: &Engine,
        session: &Session,
        command: &'static Command,
        argv: &[&[u8]],
        reply: &Reply,
        now_ms: i64,
    ) -> Option<Wait> {
        let timeout_ms = match command.name {
            "blpop" | "brpop" | "brpoplpush" | "blmove" | "bzpopmin" | "bzpopmax" => {
                seconds(argv.last()?)?
            }
            "blmpop" | "bzmpop" => seconds(argv.get(1)?)?,
            "xread" | "xreadgroup" => parse_i64(argv.get(block(argv)?)?)?,
            _ => return None,
        };
        let keys = command.key_positions(argv);
        let mut argv: Vec<Vec<u8>> = argv.iter().map(|arg| arg.to_vec()).collect();
        if command.name == "xread" {
            from_now_on(engine, session, &mut argv, &keys);
        }
        let until_ms = (timeout_ms > 0).then(|| now_ms.saturating_add(timeout_ms));
        let nothing = match command.name {
            // Not what they answer where they do not wait.
            "blmove" | "brpoplpush" => Reply::NilArray,
            _ => reply.clone(),
        };
        Some(Wait { command, argv, keys, until_ms, nothing })
    }

    /// Does any of its keys exist, or is it over if none does?
    fn may_be_over(&self, engine: &Engine, session: &Session) -> bool {
        if self.command.name == "xreadgroup" {
            return true;
        }
        let Some(space) = engine.keyspace(session.db()) else { return false };
        self.keys.iter().filter_map(|at| self.argv.get(*at)).any(|key| space.find(key).is_some())
    }

    /// What a client is told of an error at another try; nothing if it waits on.
    fn failed(&self, engine: &Engine, session: &Session, failure: &Failure) -> Option<Failure> {
        let is_wrong_type = failure == &Failure::WRONG_TYPE;
        let value = |at: usize| engine.value(session.db(), self.argv.get(at)?);
        match self.command.name {
            "xreadgroup" if is_wrong_type || self.keys.iter().any(|at| value(*at).is_none()) => {
                Some(Failure::new("UNBLOCKED the stream key no longer exists"))
            }
            "xreadgroup" if failure.as_bytes().starts_with(b"NOGROUP") => {
                let text = "NOGROUP the consumer group this client was blocked on no longer exists";
                Some(Failure::new(text))
            }
            // It is the destination that has the wrong type.
            "blmove" | "brpoplpush"
                if value(1).is_some_and(|value| <List as DataType>::of(value).is_some()) =>
            {
                Some(failure.clone())
            }
            // A key of another type is as good as none.
            _ => (!is_wrong_type).then(|| failure.clone()),
        }
    }

    /// Bytes it holds.
    pub(super) fn memory(&self) -> usize {
        self.argv.iter().map(|arg| arg.capacity() + size_of::<Vec<u8>>()).sum()
    }
}

/// Seconds with a fraction, in ms. The command has checked them.
fn seconds(arg: &[u8]) -> Option<i64> {
    Some((args::float(arg).ok()? * 1000.0).ceil() as i64)
}

/// Where the time of BLOCK is.
fn block(argv: &[&[u8]]) -> Option<usize> {
    let options = argv.iter().take_while(|arg| !arg.eq_ignore_ascii_case(b"streams"));
    let at = options.into_iter().position(|arg| arg.eq_ignore_ascii_case(b"block"))?;
    Some(at + 1)
}

/// `$` is the last entry at the time of asking, not at that of the answer.
fn from_now_on(engine: &Engine, session: &Session, argv: &mut [Vec<u8>], keys: &[usize]) {
    for &at in keys {
        let id = at + keys.len();
        if argv.get(id).is_none_or(|id| id != b"$") {
            continue;
        }
        let value = argv.get(at).and_then(|key| engine.value(session.db(), key));
        let last = value.and_then(Stream::of).map(|stream| stream.log.last_id).unwrap_or_default();
        let mut text = last.ms.to_string().into_bytes();
        text.push(b'-');
        text.extend_from_slice(last.seq.to_string().as_bytes());
        if let Some(id) = argv.get_mut(id) {
            *id = text;
        }
    }
}

impl Server {
    /// Lets a client wait.
    pub(super) fn begin_wait(&mut self, client: &mut Client, wait: Wait) {
        client.wait = Some(wait);
        self.waiting.push(client.at);
    }

    /// Something was changed: answers those who waited for it, first come, first served. What their
    /// commands change may be what others wait for.
    pub(super) fn wake(&mut self) {
        let mut again = !self.waiting.is_empty();
        while std::mem::take(&mut again) {
            for at in self.waiting.clone() {
                let Some(mut client) = self.clients.take(at) else { continue };
                again |= self.retry(&mut client);
                self.clients.put_back(client);
            }
            self.forget_waits();
        }
    }

    /// Forgets those that wait no more.
    pub(super) fn forget_waits(&mut self) {
        let clients = &self.clients;
        self.waiting.retain(|at| clients.get(*at).is_some_and(|client| client.wait.is_some()));
    }

    /// Runs the command of a client that waits once more. Did that change anything?
    fn retry(&mut self, client: &mut Client) -> bool {
        let Some(wait) = client.wait.take() else { return false };
        if !wait.may_be_over(self.store.engine(), &client.session) {
            client.wait = Some(wait);
            return false;
        }
        let before = self.store.engine().dirty();
        let argv: Vec<&[u8]> = wait.argv.iter().map(Vec::as_slice).collect();
        let reply = self.store.execute(&mut client.session, wait.command, &argv);
        match &reply {
            Reply::Nil | Reply::NilArray => client.wait = Some(wait),
            Reply::Error(failure) => {
                match wait.failed(self.store.engine(), &client.session, failure) {
                    Some(failure) => self.end_wait(client, &Reply::Error(failure)),
                    None => client.wait = Some(wait),
                }
            }
            _ => self.end_wait(client, &reply),
        }
        self.store.engine().dirty() != before
    }

    /// Answers a client that has waited, and lets it go on.
    fn end_wait(&mut self, client: &mut Client, reply: &Reply) {
        client.answer(reply);
        self.list(client);
        self.busy.push(client.at);
    }

    /// Gives up for those whose time is up.
    pub(super) fn give_up(&mut self) {
        let now_ms = self.up_ms;
        for at in self.waiting.clone() {
            let Some(mut client) = self.clients.take(at) else { continue };
            let late = |wait: &mut Wait| wait.until_ms.is_some_and(|until| until <= now_ms);
            if let Some(wait) = client.wait.take_if(late) {
                self.end_wait(&mut client, &wait.nothing);
            }
            self.clients.put_back(client);
        }
        self.forget_waits();
    }

    /// Ends the wait of the client with this id, with an error or as if its time was up. Did it wait?
    pub(super) fn end_wait_of(&mut self, id: i64, failure: Option<Failure>) -> bool {
        let is = |at: &&usize| {
            let client = self.clients.get(**at);
            client.is_some_and(|client| i64::try_from(client.id) == Ok(id))
        };
        let Some(at) = self.waiting.iter().find(is).copied() else { return false };
        let Some(mut client) = self.clients.take(at) else { return false };
        let wait = client.wait.take();
        if let Some(wait) = &wait {
            self.end_wait(&mut client, &failure.map_or(wait.nothing.clone(), Reply::Error));
        }
        self.clients.put_back(client);
        self.forget_waits();
        wait.is_some()
    }

    /// When the first of those who wait gives up.
    pub(super) fn first_to_give_up(&self) -> Option<i64> {
        let waits = self.waiting.iter().filter_map(|at| self.clients.get(*at)?.wait.as_ref());
        waits.filter_map(|wait| wait.until_ms).min()
    }
}
