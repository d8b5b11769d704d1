//! A bar on stderr for what takes longer than a moment, only on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is drawn before this: most files are done by then.
const MOMENT: Duration = Duration::from_millis(400);

/// Times a second that the bar is drawn.
const HZ: u8 = 10;

/// A bar for one file. It goes away by itself.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for a file of so many bytes on disk, if that is known.
    pub fn new(shown: bool, name: &str, size: Option<u64>) -> Progress {
        if !shown {
            return Progress { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden());
        let template = match size {
            Some(_) => "{msg} [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
            None => "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec}",
        };
        // The template is ours; should it ever not parse, the default one serves.
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        bar.set_style(style);
        bar.set_message(name.to_owned());
        Progress { bar }
    }

    /// What to call with the bytes read so far.
    pub fn watch(&self) -> impl Fn(u64) + Send + 'static {
        let bar = self.bar.clone();
        let start = Instant::now();
        let drawn = std::cell::Cell::new(false);
        move |bytes| {
            if !drawn.get() && start.elapsed() > MOMENT {
                drawn.set(true);
                if bar.message() != "" {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(HZ));
                }
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
