//! Places in the last file of an AOF at which a crash may leave it: sampled ones, and those at which it costs
//! most. One pass over the commands, in memory that does not grow with them.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::aof::reader::{Means, Reader};
use crate::aof::skim::{Chunks, Outcome, Spare};
use crate::aof::state::{Stamp, State, Step};
use crate::encoding::resp::Forms;
use crate::limits::Limits;
use crate::persist::sim::crash::Random;

/// Bytes that file systems write at once: what was not synced comes back as NULs in units of them.
pub const PAGE: u64 = 4096;

/// The last records of the file, all of which are taken: where it will really end is near them.
const LAST: usize = 64;

/// A command or annotation, and what is known around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its first byte.
    pub start: u64,
    /// The byte behind it.
    pub end: u64,
    /// Commands before it.
    pub before: u64,
    /// Whether it is one, and no annotation.
    pub is_command: bool,
    /// What is known before it.
    pub state: State,
    /// The record with the first byte of the page that this one ends in.
    pub page: Seat,
}

/// A record that reading can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Its first byte.
    pub start: u64,
    /// Commands before it.
    pub before: u64,
    /// What is known before it.
    pub state: State,
}

impl Place {
    /// Commands up to its end.
    pub fn behind(&self) -> u64 {
        self.before + u64::from(self.is_command)
    }

    /// The first byte of the page it ends in, or of the commands if they begin later.
    pub fn page_start(&self, commands: u64) -> u64 {
        page(self.end).max(commands)
    }
}

fn page(end: u64) -> u64 {
    end.saturating_sub(1) / PAGE * PAGE
}

/// The most that was written within some seconds, by the timestamps in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busiest {
    /// How many.
    pub seconds: i64,
    /// The first of them, in Unix time.
    pub from: i64,
    /// Commands.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What the pass found.
#[derive(Debug)]
pub struct Survey {
    /// Commands, SELECT, MULTI and EXEC counted.
    pub commands: u64,
    /// Transactions.
    pub transactions: u64,
    /// How reading ended.
    pub outcome: Outcome,
    /// The places, in the order of the file.
    pub places: Vec<Place>,
    /// Whether these are all there are.
    pub is_all: bool,
    /// The busiest spans of each of the lengths asked for; none without timestamps.
    pub busiest: Vec<Busiest>,
}

/// Reads the commands of a file from `start` on and takes at most about `most` places.
///
/// # Errors
/// When it cannot be read.
pub fn survey(
    reader: impl Read,
    start: u64,
    most: usize,
    seed: u64,
    spans: &[i64],
    limits: Limits,
) -> io::Result<Survey> {
    let mut chunks = Chunks::new(reader, start, State::default(), Forms::Tolerant, limits);
    let mut taken = Taken::new(most, seed);
    let mut spans: Vec<Span> = spans.iter().map(|seconds| Span::new(*seconds)).collect();
    let mut seats = VecDeque::new();
    let (mut commands, mut transactions) = (0, 0);
    let mut spare = Spare::default();
    while let Some(chunk) = chunks.next_chunk(spare)? {
        let mut reader = Reader::new(&chunk);
        let mut state = chunk.start;
        while let Some(item) = reader.next_record() {
            let (start, end) = (item.record.span.start, item.record.span.end);
            let seat = Seat { start, before: commands, state };
            seats.push_back(seat);
            while seats.get(1).is_some_and(|next: &Seat| next.start <= page(end)) {
                seats.pop_front();
            }
            let is_command = matches!(item.means, Means::Command(_));
            let page = seats.front().copied().unwrap_or(seat);
            taken.offer(Place { start, end, before: commands, is_command, state, page });
            match item.means {
                Means::Command(step) => {
                    commands += 1;
                    transactions += u64::from(matches!(step, Step::Exec(_)));
                }
                Means::Annotation(Some(Stamp::At { seconds, .. })) => {
                    spans.iter_mut().for_each(|span| span.stamp(seconds, commands, start));
                }
                Means::Annotation(_) => {}
            }
            state = *item.state;
        }
        spare = chunk.recycle();
    }
    let outcome = chunks.finish()?;
    spans.iter_mut().for_each(|span| span.close(commands, outcome.end));
    let (places, is_all) = taken.end();
    let busiest = spans.into_iter().filter_map(|span| span.best).collect();
    Ok(Survey { commands, transactions, outcome, places, is_all, busiest })
}

/// The places that are taken, while it is not known how many there will be: each with the same chance, and
/// besides the last ones and those that cost most.
struct Taken {
    random: Random,
    most: usize,
    offered: u64,
    sample: Vec<Place>,
    last: VecDeque<Place>,
    /// The largest record.
    largest: Option<Place>,
    /// The place with the most commands of an open transaction before it.
    deepest: Option<Place>,
    /// The page with the most commands.
    densest: Option<Place>,
}

impl Taken {
    fn new(most: usize, seed: u64) -> Taken {
        Taken {
            random: Random::new(seed),
            most: most.max(1),
            offered: 0,
            sample: Vec::new(),
            last: VecDeque::new(),
            largest: None,
            deepest: None,
            densest: None,
        }
    }

    fn offer(&mut self, place: Place) {
        self.offered += 1;
        if self.sample.len() < self.most {
            self.sample.push(place);
        } else {
            let at = usize::try_from(self.random.below(self.offered)).unwrap_or(usize::MAX);
            if let Some(old) = self.sample.get_mut(at) {
                *old = place;
            }
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(place);
        let open = |place: &Place| place.state.multi.map_or(0, |multi| multi.commands + 1);
        keep(&mut self.largest, place, |place| place.end - place.start);
        keep(&mut self.deepest, place, open);
        keep(&mut self.densest, place, |place| place.behind() - place.page.before);
    }

    fn end(self) -> (Vec<Place>, bool) {
        let is_all = self.offered <= self.most as u64;
        let mut places = self.sample;
        let special = [self.largest, self.deepest, self.densest];
        places.extend(self.last.into_iter().chain(special.into_iter().flatten()));
        places.sort_by_key(|place| place.start);
        places.dedup();
        (places, is_all)
    }
}

/// Keeps the place that has more of something; of equal ones the first.
fn keep(best: &mut Option<Place>, place: Place, of: impl Fn(&Place) -> u64) {
    if best.as_ref().is_none_or(|best| of(&place) > of(best)) {
        *best = Some(place);
    }
}

/// The busiest so many seconds.
struct Span {
    seconds: i64,
    /// Timestamps of the last so many seconds: each with the commands and bytes before it.
    stamps: VecDeque<(i64, u64, u64)>,
    best: Option<Busiest>,
}

impl Span {
    fn new(seconds: i64) -> Span {
        Span { seconds, stamps: VecDeque::new(), best: None }
    }

    /// A timestamp: what comes before it was written by the second of the one before.
    fn stamp(&mut self, second: i64, commands: u64, offset: u64) {
        self.close(commands, offset);
        if self.stamps.back().is_some_and(|(last, ..)| *last > second) {
            // The clock was set back: nothing is known of how long that took.
            self.stamps.clear();
        }
        self.stamps.push_back((second, commands, offset));
        while let Some((first, ..)) = self.stamps.front()
            && second.saturating_sub(*first) >= self.seconds
        {
            self.stamps.pop_front();
        }
    }

    fn close(&mut self, commands: u64, offset: u64) {
        let Some((from, before, start)) = self.stamps.front().copied() else { return };
        let found = Busiest {
            seconds: self.seconds,
            from,
            commands: commands - before,
            bytes: offset - start,
        };
        if self.best.is_none_or(|best| found.commands > best.commands) {
            self.best = Some(found);
        }
    }
}
