//! What text is written for: colours or none, and how wide. What colours mean never depends on them.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::wrap::wrap;
use crate::finding::Severity;

/// Styles by their role; write `{style}text{style:#}`. The default is plain text of any width.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Screen {
    /// Errors and damage.
    pub(crate) error: Style,
    /// Warnings.
    pub(crate) warning: Style,
    /// Notes and hints.
    pub(crate) note: Style,
    /// All is well.
    pub(crate) good: Style,
    /// Headings.
    pub(crate) strong: Style,
    /// What may be overlooked.
    pub(crate) dim: Style,
    /// Columns of a terminal; lines are not broken where there is none.
    width: Option<usize>,
}

impl Screen {
    /// A terminal so many columns wide, or anything else.
    pub(crate) fn new(coloured: bool, width: Option<usize>) -> Screen {
        if !coloured {
            return Screen { width, ..Screen::default() };
        }
        let bold = |color: AnsiColor| color.on_default().bold();
        Screen {
            error: bold(AnsiColor::Red),
            warning: bold(AnsiColor::Yellow),
            note: bold(AnsiColor::Cyan),
            good: bold(AnsiColor::Green),
            strong: Style::new().bold(),
            dim: Style::new().dimmed(),
            width,
        }
    }

    /// The style of a severity.
    pub(crate) fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Error => self.error,
            Severity::Warning => self.warning,
            Severity::Note => self.note,
        }
    }

    /// Writes a line of prose; what does not fit goes on below, `indent` columns from the left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn prose(&self, out: &mut dyn Write, indent: usize, text: &str) -> io::Result<()> {
        match self.width {
            Some(width) => writeln!(out, "{}", wrap(text, width, indent)),
            None => writeln!(out, "{text}"),
        }
    }
}
