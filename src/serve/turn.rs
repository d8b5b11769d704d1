//! The loop: one turn after the other, until somebody ends it.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};

use super::client::{Client, End as Closing, Got};
use super::{End, FIRST_LISTENER, SIGNAL, Server};
use crate::engine::Failure;

/// How often the store is given time for what clients do not ask for, in ms: `hz 10`.
const TICK_MS: i64 = 100;

/// How long a snapshot rests after a turn with requests, unless others come before, in ms. Who was answered
/// is often put on the processor that answered: if that goes on at once, it waits there for a tick of the
/// kernel, some milliseconds, even if another processor is free.
const AFTER_ANSWERS_MS: i64 = 1;

/// Looks for requests after a turn that had some, before the loop sleeps. Whoever sends to one that sleeps has
/// to wake it, and a client that is busy itself then sends less: with `redis-benchmark` 5 to 8 %.
const LOOKS: u32 = 20;

impl Server {
    /// Serves until it is asked to end, or cannot go on.
    pub fn run(mut self) -> End {
        loop {
            match self.turn() {
                Ok(()) if self.ended => return End::Asked,
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        self.wait().map_err(End::System)?;
        self.up_ms = self.up_ms();
        self.now_ms = self.clock.now_ms();
        self.store.set_clock(self.now_ms);
        self.arrived();
        self.served = !self.busy.is_empty();
        for at in std::mem::take(&mut self.busy) {
            self.attend(at);
        }
        self.give_up();
        self.store.before_replies(self.now_ms).map_err(End::Fatal)?;
        self.send();
        // Nobody's answer waits for a slice of a snapshot.
        if self.store.wants_tick() || self.up_ms - self.ticked_ms >= TICK_MS {
            self.ticked_ms = self.up_ms;
            self.store.tick(self.now_ms).map_err(End::Fatal)?;
            self.close_idle();
            // Who could not be let in for want of files is let in when there are some.
            (0..self.listeners.len()).for_each(|listener| self.accept(listener));
        }
        Ok(())
    }

    /// Waits until something comes or is due.
    fn wait(&mut self) -> io::Result<()> {
        let due = self.ticked_ms.saturating_add(TICK_MS);
        let due = self.first_to_give_up().map_or(due, |until| until.min(due));
        let wait_ms = match (self.busy.is_empty(), self.store.wants_tick()) {
            (false, _) => 0,
            (true, true) => i64::from(self.served) * AFTER_ANSWERS_MS,
            (true, false) if self.served && self.look()? => return Ok(()),
            (true, false) => due.saturating_sub(self.up_ms()).clamp(0, TICK_MS),
        };
        self.poll(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    /// Whether something comes at once.
    fn look(&mut self) -> io::Result<bool> {
        for _ in 0..LOOKS {
            self.poll(Duration::ZERO)?;
            if !self.events.is_empty() {
                return Ok(true);
            }
            thread::yield_now();
        }
        Ok(false)
    }

    fn poll(&mut self, wait: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(err) if err.kind() == ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            done => done,
        }
    }

    /// Takes note of what came.
    fn arrived(&mut self) {
        let events = std::mem::replace(&mut self.events, mio::Events::with_capacity(0));
        for event in &events {
            match event.token() {
                SIGNAL => self.asked_to_end(),
                Token(token) if token >= FIRST_LISTENER => self.accept(token - FIRST_LISTENER),
                Token(at) => {
                    let Some(client) = self.clients.get_mut(at) else { continue };
                    client.hung_up |= event.is_read_closed() || event.is_error();
                    if event.is_readable() || client.hung_up {
                        client.readable = true;
                        self.busy.push(at);
                    }
                    if event.is_writable() && client.pending() > 0 && !client.listed {
                        client.listed = true;
                        self.answered.push(at);
                    }
                }
            }
        }
        self.events = events;
    }

    fn accept(&mut self, listener: usize) {
        while let Some(Ok((stream, peer))) = self.listeners.get(listener).map(TcpListener::accept) {
            self.counts.accepted += 1;
            if self.clients.len() >= self.settings.max_clients {
                self.counts.rejected += 1;
                refuse(stream);
                continue;
            }
            // Without it answers wait for each other; a connection that does not have it works too.
            let _ = stream.set_nodelay(true);
            let local = stream.local_addr().unwrap_or(peer);
            let trusted = self.settings.password.is_none();
            let now_ms = self.up_ms;
            let at = self.clients.insert(|place| {
                let mut client = Client::new(place, stream, peer, local, now_ms);
                client.trusted = trusted;
                client
            });
            let both = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            let registered = match self.clients.get_mut(at) {
                Some(client) => registry.register(client.stream(), Token(at), both).is_ok(),
                None => false,
            };
            if !registered && let Some(client) = self.clients.take(at) {
                self.clients.remove(client);
            }
        }
    }

    /// Reads from a client and runs what it asks for.
    fn attend(&mut self, at: usize) {
        let Some(mut client) = self.clients.take(at) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        self.read(&mut client, &mut scratch);
        self.scratch = scratch;
        self.list(&mut client);
        self.clients.put_back(client);
    }

    fn read(&mut self, client: &mut Client, scratch: &mut [u8]) {
        if client.wait.is_some() {
            // Nothing is read from who waits, so nothing else would tell.
            if client.hung_up {
                client.end = Closing::Now;
            }
            return;
        }
        if client.end != Closing::No {
            return;
        }
        let got = if client.readable { client.read(scratch) } else { Got::Nothing };
        match got {
            // All that came before the end has been run; who sends no more may still read its answers.
            Got::Closed => client.end = Closing::Answered,
            Got::Nothing => self.run_query(client),
            Got::Bytes(len) => {
                self.counts.bytes_in += len as u64;
                client.heard_ms = self.up_ms;
                self.run_bytes(client, scratch.get(..len).unwrap_or_default());
            }
        }
        // Where the arguments of a request lie counts as well: many short ones are less than that.
        let held = client.query.len().saturating_add(client.reader.held());
        if held > self.settings.query_buffer {
            self.counts.closed_for_limits += 1;
            client.end = Closing::Now;
        }
        if client.readable && client.end == Closing::No {
            self.busy.push(client.at);
        }
    }

    /// Sees to it that a client's answers are sent at the end of the turn, and that it is closed if that
    /// is how it ends.
    pub(super) fn list(&mut self, client: &mut Client) {
        let due = client.pending() > 0 || client.end != Closing::No;
        if due && !client.listed {
            client.listed = true;
            self.answered.push(client.at);
        }
    }

    /// Sends what can be sent, and closes whose end has come.
    fn send(&mut self) {
        for at in std::mem::take(&mut self.answered) {
            let Some(mut client) = self.clients.take(at) else { continue };
            client.listed = false;
            if client.end != Closing::Now {
                match client.send() {
                    Ok(len) => self.counts.bytes_out += len as u64,
                    Err(_) => client.end = Closing::Now,
                }
            }
            if client.pending() > self.settings.output_buffer {
                self.counts.closed_for_limits += 1;
                client.end = Closing::Now;
            }
            let over = match client.end {
                Closing::No => false,
                Closing::Answered => client.pending() == 0,
                Closing::Now => true,
            };
            match over {
                true => self.close(client),
                false => self.clients.put_back(client),
            }
        }
    }

    /// Lets go of a client that was taken out.
    fn close(&mut self, mut client: Box<Client>) {
        self.let_go(&mut client.session);
        // A socket that is closed is not watched any more, whatever this says.
        let _ = self.poll.registry().deregister(client.stream());
        let waited = client.wait.is_some();
        self.clients.remove(client);
        if waited {
            self.forget_waits();
        }
    }

    /// Closes those that have said nothing for `timeout` seconds. Who waits has nothing to say.
    fn close_idle(&mut self) {
        let Some(most_ms) = self.settings.timeout_ms() else { return };
        for client in self.clients.iter_mut() {
            let idle_ms = self.up_ms.saturating_sub(client.heard_ms);
            if client.wait.is_none() && idle_ms > most_ms && !client.listed {
                client.end = Closing::Now;
                client.listed = true;
                self.answered.push(client.at);
            }
        }
    }

    /// A signal asked for the end: what the store holds is saved as its settings say. If that fails it
    /// goes on, as a server does; the next signal ends it all the same.
    fn asked_to_end(&mut self) {
        match self.store.shutdown(None) {
            Ok(()) => self.ended = true,
            Err(err) => (self.log)(&format!(
                "cannot end, and goes on: {err}; another signal ends it at once"
            )),
        }
    }
}

/// Tells one too many, and closes the connection.
fn refuse(mut stream: TcpStream) {
    let mut text = Vec::new();
    crate::engine::Reply::Error(Failure::new("ERR max number of clients reached"))
        .write(Default::default(), &mut text);
    let _ = io::Write::write(&mut stream, &text);
}
