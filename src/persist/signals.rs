//! Signals that end the run: its temporary files go first.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::temp;

/// Lets SIGINT, SIGTERM and SIGHUP remove this process's temporary files before they end it, with the
/// exit code a shell gives such an end (130, 143, 129). For programs, before they write; the second call
/// does nothing.
///
/// The handler only wakes a thread, which then does the work. A signal that whoever started us wants
/// ignored (`nohup`, a job in the background) stays ignored. A file that grows beyond the limit for files
/// is an error from then on, not a signal.
///
/// # Errors
/// When the system does not allow handlers or threads.
pub fn install() -> io::Result<()> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let mut signals = Signals::new(wanted())?;
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            temp::remove_all(|| process::exit(128 + signal));
        }
    })?;
    Ok(())
}

/// A stream that becomes readable when SIGINT, SIGTERM or SIGHUP ask for the end, for programs that end by
/// themselves. A second SIGINT or SIGTERM does not wait for that. Signals that are ignored stay so, as with
/// [`install`].
///
/// # Errors
/// When the system does not allow handlers.
pub fn stream() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    let asked = Arc::new(AtomicBool::new(false));
    for signal in wanted() {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
        signal_hook::flag::register(signal, asked.clone())?;
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(read)
}

/// The signals that end a run, but for those that are ignored.
fn wanted() -> impl Iterator<Item = i32> {
    let ignored = ignored();
    [SIGINT, SIGTERM, SIGHUP].into_iter().filter(move |signal| !is_in(ignored, *signal))
}

/// The signals that are ignored, as bits; none if that cannot be told.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_in(mask: u64, signal: i32) -> bool {
    let bit = u32::try_from(signal - 1).unwrap_or(0);
    mask.checked_shr(bit).unwrap_or(0) & 1 == 1
}
