//! A bar on stderr for what takes longer than a moment, only on a terminal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape::path;

/// Nothing is drawn before this: most files are done by then.
const MOMENT: Duration = Duration::from_millis(400);

/// Characters of the file's name.
const NAME: usize = 30;

/// Times a second that the bar is drawn.
const HZ: u8 = 10;

/// A bar for one file. It goes away by itself.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    shown: bool,
}

impl Progress {
    /// A bar for a file of so many bytes on disk, if that is known.
    pub(crate) fn new(shown: bool, file: &Path, size: Option<u64>) -> Progress {
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden());
        let template = match size {
            Some(_) => "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {eta}",
            None => "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec}",
        };
        // The template is ours; should it ever not parse, the default one serves.
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        bar.set_style(style);
        let name = file.file_name().map_or(file, Path::new);
        bar.set_message(path(name).short(NAME).to_string());
        Progress { bar, shown }
    }

    /// What to call with the bytes read so far.
    pub(crate) fn watch(&self) -> impl Fn(u64) + Clone + Send + Sync + 'static {
        let bar = self.bar.clone();
        let start = Instant::now();
        let waiting = Arc::new(AtomicBool::new(self.shown));
        move |bytes| {
            if waiting.load(Ordering::Relaxed) && start.elapsed() > MOMENT {
                waiting.store(false, Ordering::Relaxed);
                bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(HZ));
            }
            bar.set_position(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
