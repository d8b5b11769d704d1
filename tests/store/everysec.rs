//! `appendfsync everysec` on a disk that keeps up: at no moment is more than a second of acknowledged writes
//! not on the disk, however the turns of the event loop fall.

use std::path::Path;
use std::sync::Arc;

use rdbtool::drill::queue::Queue;
use rdbtool::engine::{Session, resolve};
use rdbtool::persist::fs::Fs;
use rdbtool::persist::sim::MemFs;
use rdbtool::store::{Fsync, Lane, Options, Store};

const BEGIN_MS: i64 = 1_700_000_000_000;

struct Lab {
    fs: MemFs,
    queue: Queue,
    store: Store,
    session: Session,
}

impl Lab {
    fn new() -> Lab {
        let fs = MemFs::new(1);
        fs.put(Path::new("/d/.keep"), b"", 0o600);
        let mut options = Options::default();
        options.files.dir = Some("/d".into());
        options.files.append_only = true;
        options.fsync = Fsync::EverySecond;
        let queue = Queue::default();
        let arc: Arc<dyn Fs> = Arc::new(fs.clone());
        let (store, _) = Store::open(arc, Box::new(queue.clone()), options, BEGIN_MS).unwrap();
        Lab { fs, queue, store, session: Session::new() }
    }

    /// A turn with a write in it, up to the reply.
    fn turn(&mut self, at_ms: i64) {
        self.store.set_clock(BEGIN_MS + at_ms);
        let argv: &[&[u8]] = &[b"INCR", b"counter"];
        self.store.execute(&mut self.session, resolve(argv).unwrap(), argv);
        self.store.before_replies(BEGIN_MS + at_ms).unwrap();
    }

    fn is_syncing(&self) -> bool {
        self.store.info().contains(&("aof_pending_bio_fsync", "1".to_owned()))
    }
}

#[test]
fn no_more_than_a_second_is_at_stake() {
    let mut lab = Lab::new();
    // Just not a second after the last sync, and then as late as a turn may be.
    let turns = [1, 100, 200, 300, 400, 500, 600, 700, 800, 899, 999, 1098, 1197, 1296];
    let mut oldest = None;
    for at in turns {
        lab.turn(at);
        // The reply is out, and if a sync has begun it is not done yet.
        let since = *oldest.get_or_insert(at);
        assert!(at - since <= 1000, "at {at} writes since {since} are not on the disk");
        if lab.queue.run(Lane::Sync) {
            assert!(lab.fs.is_settled());
            oldest = None;
        }
    }
}

#[test]
fn what_could_not_be_written_at_first_is_synced_when_it_is() {
    let mut lab = Lab::new();
    (0..10).for_each(|tenth| {
        lab.turn(tenth * 100 + 1);
        lab.queue.run(Lane::Sync);
    });
    // The sync of this one comes later, and must not put off that of the next.
    lab.turn(951);
    let used: usize = lab.fs.files().values().map(Vec::len).sum();
    lab.fs.set_capacity(Some(used as u64));
    // Acknowledged, and nowhere but in memory.
    lab.turn(1001);
    lab.fs.set_capacity(None);
    // It is tried again after a second: by then it is older than the last sync.
    for at in [1101, 1801] {
        lab.turn(at);
        lab.queue.run(Lane::Sync);
    }
    lab.turn(2001);
    assert!(lab.is_syncing());
}
