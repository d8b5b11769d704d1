//! LCS: the longest common subsequence of two strings.

use crate::engine::args::{self, Args};
use crate::engine::command::flag::READONLY;
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::Str;

pub(super) const COMMANDS: &[Command] =
    &[cmd("lcs", -3, READONLY, Keys::TWO, Since::both(7, 0), lcs)];

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`
fn lcs(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut text = |key| match ctx.read::<Str>(key) {
        Ok(value) => Ok(value.map(|text| text.bytes().into_owned()).unwrap_or_default()),
        Err(_) => Err(Failure::new("ERR The specified keys must contain string values")),
    };
    let (a, b) = (text(argv[1])?, text(argv[2])?);
    let (mut only_len, mut index, mut min, mut with_len) = (false, false, 0, false);
    let mut args = Args::from(argv, 3);
    while let Some(word) = args.next() {
        if args::is(word, "idx") {
            index = true;
        } else if args::is(word, "len") {
            only_len = true;
        } else if args::is(word, "withmatchlen") {
            with_len = true;
        } else if args::is(word, "minmatchlen") && !args.is_empty() {
            min = args::int(args.value()?)?.max(0);
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if index && only_len {
        let text = "ERR If you want both the length and indexes, please just use IDX.";
        return Err(Failure::new(text));
    }
    let table = Table::new(ctx, &a, &b)?;
    let len = i64::from(table.at(a.len(), b.len()));
    if only_len {
        return Ok(Reply::Int(len));
    }
    let (common, runs) = table.walk(&a, &b);
    if !index {
        return Ok(Reply::Bulk(common));
    }
    let runs = runs.into_iter().filter(|run| run.len as i64 >= min).map(|run| run.reply(with_len));
    Ok(Reply::Map(vec![
        (Reply::bulk("matches"), Reply::Array(runs.collect())),
        (Reply::bulk("len"), Reply::Int(len)),
    ]))
}

/// Lengths of the longest common subsequences of all beginnings of two texts.
struct Table {
    lens: Vec<u32>,
    width: usize,
}

/// A stretch that both texts have, the subsequence running through it.
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

impl Run {
    fn reply(&self, with_len: bool) -> Reply {
        let range = |start: usize| {
            Reply::Array(vec![Reply::count(start), Reply::count(start + self.len - 1)])
        };
        let mut parts = vec![range(self.a), range(self.b)];
        parts.extend(with_len.then(|| Reply::count(self.len)));
        Reply::Array(parts)
    }
}

impl Table {
    fn new(ctx: &Ctx<'_>, a: &[u8], b: &[u8]) -> Result<Table, Failure> {
        let width = b.len() + 1;
        let cells = (a.len() + 1).checked_mul(width);
        let bytes = cells.and_then(|cells| cells.checked_mul(size_of::<u32>()));
        let max = ctx.engine.config().max_string;
        let (Some(cells), true) = (cells, bytes.is_some_and(|bytes| bytes <= max)) else {
            return Err(Failure::new(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ));
        };
        ctx.check_memory(cells * size_of::<u32>())?;
        let mut lens = vec![0; cells];
        let mut rows = lens.chunks_exact_mut(width);
        let mut above = rows.next().unwrap_or_default();
        for (byte, row) in a.iter().zip(rows) {
            let mut left = 0;
            for (other, (corner, cell)) in
                b.iter().zip(above.windows(2).zip(row.iter_mut().skip(1)))
            {
                let [diagonal, up] = [0, 1].map(|at| corner.get(at).copied().unwrap_or_default());
                left = if byte == other { diagonal + 1 } else { up.max(left) };
                *cell = left;
            }
            above = row;
        }
        Ok(Table { lens, width })
    }

    fn at(&self, a: usize, b: usize) -> u32 {
        self.lens.get(a * self.width + b).copied().unwrap_or_default()
    }

    /// The subsequence itself and its stretches, found from the ends of the texts; the last one first,
    /// as the servers list them.
    fn walk(&self, a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Run>) {
        let (mut common, mut runs) = (Vec::new(), Vec::<Run>::new());
        let (mut i, mut j) = (a.len(), b.len());
        while let (Some(up), Some(left)) = (i.checked_sub(1), j.checked_sub(1)) {
            if let (Some(byte), true) = (a.get(up), a.get(up) == b.get(left)) {
                common.push(*byte);
                match runs.last_mut() {
                    Some(run) if run.a == i && run.b == j => {
                        (run.a, run.b, run.len) = (up, left, run.len + 1);
                    }
                    _ => runs.push(Run { a: up, b: left, len: 1 }),
                }
                (i, j) = (up, left);
            } else if self.at(up, j) > self.at(i, left) {
                i = up;
            } else {
                j = left;
            }
        }
        common.reverse();
        (common, runs)
    }
}
