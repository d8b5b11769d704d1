//! Mending: the one byte that makes commands of what is none.
//!
//! ```text
//! *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n
//! ^^^^^^^^^^^^   ^^^^^^^^   ^^^^^^^     ^^^^        framing: marks, numbers, line ends
//!             ^^^                                   the name
//! ```
//!
//! Every byte of the framing that was read before the fault is tried as every byte that framing is made of,
//! and every letter of an unknown name as that of a command that is written to AOFs. A change counts if
//! from there on known commands follow, as servers write them, up to the next sound stretch or the end.
//! It is made if it is the only one.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::chain::{LINE, No, cost, ends_a_value, loose_line, step};
use super::resync::Resync;
use crate::aof::marks::Place;
use crate::encoding::resp::{Forms, Framer};
use crate::engine::command::{self, Command, flag};
use crate::job::effort::Effort;
use crate::job::heal::Patch;
use crate::job::window::{WINDOW_MAX, Window};
use crate::limits::Limits;

/// What framing is made of.
const FRAMING: &[u8] = b"*$\r\n0123456789";

/// What an annotation that servers write begins with.
const STAMP: &[u8] = b"#TS:";

/// Lines of a record before the fault that are tried, beside its first.
const LINES: usize = 6;

/// Bytes of an annotation that are tried.
const ANNOTATION: usize = 80;

/// Bytes behind the next sound stretch that are looked at, and largest record before the fault.
const BEHIND: u64 = 256 << 10;
const PREVIOUS_MAX: u64 = 1 << 20;

/// Commands behind the start of what looks sound, if it is not met.
const OVER: usize = 4;

/// What a change costs that is tried, beside what is read for it.
const TRY: u64 = 8;

/// Changes that are told of.
const TOLD: usize = 8;

/// Where something is wrong.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// Start of the record before.
    pub(super) previous: Option<u64>,
    /// Start of the record that cannot be read.
    pub(super) record: u64,
    /// The file ends inside it.
    pub(super) is_cut: bool,
    /// Where commands begin again.
    pub(super) next: Option<u64>,
    /// The bytes that are wrong, if that is known.
    pub(super) odd: Option<Range<u64>>,
}

/// The changes of one byte that mend it.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn mends(
    window: &mut Window,
    fault: Fault,
    resync: &mut Resync,
    limits: Limits,
) -> io::Result<Vec<Patch>> {
    resync.mending.begin_gap();
    let changes = changes(window, fault, resync, limits);
    resync.mending.end_gap();
    changes
}

fn changes(
    window: &mut Window,
    fault: Fault,
    resync: &mut Resync,
    limits: Limits,
) -> io::Result<Vec<Patch>> {
    let previous = fault.previous.filter(|start| fault.record - start <= PREVIOUS_MAX);
    let base = previous.unwrap_or(fault.record);
    let end = fault.next.map_or(window.size(), |next| next + BEHIND).min(window.size());
    let Some(len) = usize::try_from(end - base).ok().filter(|len| *len <= WINDOW_MAX) else {
        return Ok(Vec::new());
    };
    if !resync.mending.charge_read(len as u64) {
        return Ok(Vec::new());
    }
    // The record before may have taken in the first of them.
    let inner = match previous {
        Some(start) => resync.find(window, fault.record, start + 1)?,
        None => fault.next,
    };
    let read = window.at(base, len)?;
    let pos = |offset: u64| usize::try_from(offset - base).unwrap_or(usize::MAX);
    let mut search = Search {
        bytes: read.get(..len).unwrap_or(read).to_vec(),
        is_all: end == window.size(),
        next: fault.next.map(pos),
        inner: inner.filter(|at| *at < end).map(pos),
        is_cut: fault.is_cut,
        limits,
    };
    let record = pos(fault.record);
    let mut places: Vec<(usize, Vec<u8>)> =
        framing(&search.bytes, record).into_iter().map(|at| (at, FRAMING.to_vec())).collect();
    if search.bytes.get(record + 1..record + STAMP.len()) == STAMP.get(1..) {
        places.push((record, vec![STAMP[0]]));
    }
    places.extend(names(&search.bytes, record, limits));
    if let Some(odd) = &fault.odd {
        places.retain(|(at, _)| odd.contains(&(base + *at as u64)));
    }
    let mut found = search.run(record, places, &mut resync.mending);
    // The record before is sound as it is: to change it is for when nothing else helps.
    if found.is_empty() && previous.is_some() && fault.odd.is_none() {
        let before = framing(&search.bytes, 0).into_iter().filter(|at| *at < record);
        let places = before.map(|at| (at, FRAMING.to_vec())).collect();
        found = search.run(0, places, &mut resync.mending);
    }
    let patch = |(at, old, new)| Patch { offset: base + at as u64, old: vec![old], new: vec![new] };
    Ok(found.into_iter().map(patch).collect())
}

/// Bytes in which something is tried.
struct Search {
    bytes: Vec<u8>,
    /// The file ends with them.
    is_all: bool,
    next: Option<usize>,
    inner: Option<usize>,
    is_cut: bool,
    limits: Limits,
}

impl Search {
    /// The changes that lead on from `start`: where, from what, to what. Nothing if there was too much work.
    fn run(
        &mut self,
        start: usize,
        places: Vec<(usize, Vec<u8>)>,
        effort: &mut Effort,
    ) -> Vec<(usize, u8, u8)> {
        let mut found = Vec::new();
        for (at, letters) in places {
            for new in letters {
                let Some(old) = self.bytes.get(at).copied().filter(|old| *old != new) else {
                    continue;
                };
                self.put(at, new);
                let mut work = TRY;
                let is_mended = self.leads_on(start, at, &mut work);
                self.put(at, old);
                if is_mended && found.len() < TOLD {
                    found.push((at, old, new));
                }
                if !effort.charge(work) {
                    return Vec::new();
                }
            }
        }
        found
    }

    /// Whether a record takes in what is sound, and ends where one of these commands does: a length that fits by
    /// chance. Commands inside a value end before its own line end.
    fn swallows(&self, start: usize, end: usize, work: &mut u64) -> bool {
        let inside = [self.inner, self.next].into_iter().flatten();
        inside.filter(|at| start < *at && *at < end).any(|mut at| {
            while let Some(bytes) = self.bytes.get(at..end).filter(|bytes| !bytes.is_empty()) {
                let stepped = step(bytes, self.limits.string);
                *work += cost(&stepped);
                match stepped {
                    Ok(step) => at += step.len,
                    Err(_) => return false,
                }
            }
            at == end
        })
    }

    fn put(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.bytes.get_mut(at) {
            *place = byte;
        }
    }

    /// Whether commands lead from a place over the changed byte to what is sound, and go on there.
    fn leads_on(&self, start: usize, changed: usize, work: &mut u64) -> bool {
        let (mut pos, mut behind, mut over) = (start, 0, 0);
        let mut is_met = false;
        loop {
            let bytes = self.bytes.get(pos..).unwrap_or_default();
            if pos > changed {
                // What a cut leaves may look whole with one argument less.
                if bytes.is_empty() && self.is_all {
                    return !self.is_cut || behind > 1;
                }
                is_met |= self.next == Some(pos) || over > OVER;
                behind += 1;
                over += usize::from(self.next.is_some_and(|next| pos > next));
            }
            let stepped = step(bytes, self.limits.string);
            *work += cost(&stepped);
            match stepped {
                Ok(step) => {
                    if self.swallows(pos, pos + step.len, work) {
                        return false;
                    }
                    pos += step.len;
                }
                Err(why) => {
                    let is_out_of_sight = matches!(why, No::Short(_)) && !self.is_all;
                    return is_met && (is_out_of_sight || !ends_a_value(bytes));
                }
            }
        }
    }
}

/// Positions of the framing of the record at `start`, up to where it cannot be read: its first line, and the
/// last ones.
fn framing(bytes: &[u8], start: usize) -> Vec<usize> {
    let clip = |from: usize, len: usize| from..from.saturating_add(len).min(bytes.len());
    if bytes.get(start) == Some(&b'#') {
        let text = bytes.get(start..).unwrap_or_default();
        let end = text.iter().position(|byte| *byte == b'\n').map_or(ANNOTATION, |end| end + 1);
        return clip(start, end.min(ANNOTATION)).collect();
    }
    let Some((argc, mut pos)) = loose_line(bytes, start, b'*') else {
        return clip(start, LINE).collect();
    };
    let first = start..pos;
    let mut last = VecDeque::new();
    for _ in 0..argc {
        if last.len() > 2 * LINES {
            last.drain(..2);
        }
        let Some((len, begin)) = loose_line(bytes, pos, b'$') else { break };
        last.push_back(pos..begin);
        let Some(end) = begin.checked_add(len).filter(|end| *end < bytes.len()) else {
            pos = bytes.len();
            break;
        };
        last.push_back(clip(end, 2));
        pos = end + 2;
    }
    last.push_back(clip(pos, LINE));
    let mut all: Vec<usize> = first.chain(last.into_iter().flatten()).collect();
    all.dedup();
    all
}

/// Positions in the name of the record at `start`, and the letters that make a command of it that servers write
/// to AOFs, and that takes as many arguments.
fn names(bytes: &[u8], start: usize, limits: Limits) -> Vec<(usize, Vec<u8>)> {
    let mut args: Vec<&[u8]> = Vec::new();
    let at = bytes.get(start..).unwrap_or_default();
    let framed = Framer::new(Forms::Tolerant, limits.string).command(at, |arg| args.push(arg));
    let (Ok(_), Some(name)) = (framed, args.first()) else { return Vec::new() };
    let fits = |row: &&Command| !row.is(flag::READONLY) && row.takes(args.len());
    let mut found = Vec::new();
    let mut add = |word: &[u8], true_word: &str| {
        let place = Place::of(word, bytes).start;
        found.extend(typo(word, true_word.as_bytes()).map(|(pos, byte)| (place + pos, vec![byte])));
    };
    for row in command::all() {
        if row.subcommands.is_empty() {
            if fits(&row) {
                add(name, row.name);
            }
            continue;
        }
        let subs = row.subcommands.iter().filter(fits);
        for (_, sub) in subs.filter_map(|sub| sub.name.split_once('|')) {
            let Some(given) = args.get(1) else { continue };
            if name.eq_ignore_ascii_case(row.name.as_bytes()) {
                add(given, sub);
            } else if given.eq_ignore_ascii_case(sub.as_bytes()) {
                add(name, row.name);
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The one letter by which two words differ, in the case of the others.
fn typo(word: &[u8], wanted: &[u8]) -> Option<(usize, u8)> {
    if word.len() != wanted.len() {
        return None;
    }
    let mut differ =
        word.iter().zip(wanted).enumerate().filter(|(_, (a, b))| !a.eq_ignore_ascii_case(b));
    let (pos, (_, letter)) = differ.next()?;
    let count = |is: fn(&u8) -> bool| word.iter().filter(|byte| is(byte)).count();
    let is_upper = count(u8::is_ascii_uppercase) >= count(u8::is_ascii_lowercase);
    let letter = if is_upper { letter.to_ascii_uppercase() } else { *letter };
    differ.next().is_none().then_some((pos, letter))
}
