//! Converters as workers. What they make of a chunk may be much more than the chunk, where strings are
//! compressed or have many characters to be escaped: it is handed in by parts ([`pipeline`]), so that no
//! more than a few of them are held, even of one value.
//!
//! [`pipeline`]: crate::job::pipeline

use std::ops::Range;

use super::assembly::Piece;
use super::key::Key;
use super::store::Batch;
use super::worker::{Converter, Out};
use crate::element::{Element, Str, Visit};
use crate::finding::{Code, Finding};
use crate::job::pipeline::{Parts, Worker};
use crate::job::rdb_facts::Facts;
use crate::job::records::{self, Records};
use crate::limits::CHUNK;
use crate::rdb::header::Header;
use crate::rdb::skim::Chunk;
use crate::record::{Event, KeyRecord, Record};
use crate::text::Form;

/// Bytes of a part, if no single value is larger.
const PART: usize = 2 * CHUNK;

impl Out {
    /// Hands in what was made so far, if that is a part.
    fn hand_in(&mut self, hand_in: Parts<'_, Out>) {
        if self.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() >= PART {
            hand_in(std::mem::take(self));
        }
    }
}

/// A converter that hands in parts.
struct InParts<'a, 'o> {
    converter: &'a mut Converter<'o>,
    hand_in: Parts<'a, Out>,
}

impl Records for InParts<'_, '_> {
    type Out = Out;

    #[inline]
    fn key(&mut self, record: &KeyRecord<'_>, _: &Range<u64>, bytes: &[u8], out: &mut Out) {
        let InParts { converter, hand_in } = self;
        converter.facts.key(record, converter.options.now_ms);
        let mut name = std::mem::take(&mut converter.name);
        match record.key.bytes(&mut name) {
            Ok(text) => {
                let key = Key::of_record(record, text, bytes.len() as u64);
                converter.write(&key, out, hand_in);
                out.hand_in(hand_in);
            }
            Err(err) => {
                let at = record.key_offset..record.offset;
                let expected = "a sound compressed string";
                out.damage.push(Finding::new(Code::StringLzf, at, expected, err.what));
            }
        }
        converter.name = name;
    }

    fn beside(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Out) {
        if let Event::Header(header) = record.event {
            self.converter.source_is(header);
        }
        self.converter.record(record, bytes, out);
    }

    fn damaged(&mut self, finding: Finding, out: &mut Out) {
        out.damage.push(finding);
    }

    fn facts(&mut self) -> &mut Facts {
        &mut self.converter.facts
    }
}

impl Converter<'_> {
    /// Takes in what the source begins with.
    fn source_is(&mut self, header: Header) {
        self.version = header.version;
        if let Some(below) = &mut self.below {
            below.source_is(header);
        }
    }
}

impl Worker<Chunk> for Converter<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, hand_in: Parts<'_, Out>) -> Out {
        let mut out = Out::default();
        chunk.start.header.into_iter().for_each(|header| self.source_is(header));
        let once = records::each(chunk, &mut InParts { converter: self, hand_in }, &mut out);
        Out { once, ..out }
    }
}

impl<'a> Worker<Batch<'a>> for Converter<'_> {
    type Out = Out;

    fn chunk(&mut self, batch: &Batch<'a>, hand_in: Parts<'_, Out>) -> Out {
        let mut out = Out::default();
        for code in &batch.functions {
            let code = Str::Raw(code);
            self.function(code, &Event::Function { code }, 0, &mut out);
        }
        for key in batch.keys() {
            self.write(&Key::of_store(batch.db, &key), &mut out, hand_in);
            out.hand_in(hand_in);
        }
        out
    }
}

/// Hands a value's elements to a form of text, and in parts what that makes of them. The form has the buffer
/// of the last piece meanwhile.
pub(super) struct Parted<'a> {
    pub(super) writer: &'a mut dyn Form,
    pub(super) out: &'a mut Out,
    pub(super) hand_in: Parts<'a, Out>,
}

/// Hands in the text so far, if that is a part; a piece of the same database goes on.
fn hand_in_text(text: &mut Vec<u8>, out: &mut Out, hand_in: Parts<'_, Out>) {
    if text.len() < PART {
        return;
    }
    let piece = out.last_piece();
    let next = Piece { db: piece.db, ..Piece::default() };
    std::mem::swap(text, &mut piece.bytes);
    hand_in(std::mem::take(out));
    out.pieces.push(next);
}

impl Visit for Parted<'_> {
    fn element(&mut self, element: Element<'_>) {
        let Parted { writer, out, hand_in } = self;
        match element {
            Element::Text(text) if text.len() >= PART as u64 => {
                let mut expanded = Vec::new();
                // What does not expand was told of by the walk.
                let text = text.bytes(&mut expanded).unwrap_or_default();
                writer.long(text, &mut |text| hand_in_text(text, out, hand_in));
            }
            element => {
                writer.element(element);
                hand_in_text(writer.buffer(), out, hand_in);
            }
        }
    }
}
