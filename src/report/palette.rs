//! Colours, or none. What they mean never depends on them.

use anstyle::{AnsiColor, Style};

use crate::finding::Severity;

/// Styles by their role; write `{style}text{style:#}`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Palette {
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
}

impl Palette {
    /// Colours of a terminal, or plain text.
    pub(crate) fn new(coloured: bool) -> Palette {
        if !coloured {
            return Palette::default();
        }
        let bold = |color: AnsiColor| color.on_default().bold();
        Palette {
            error: bold(AnsiColor::Red),
            warning: bold(AnsiColor::Yellow),
            note: bold(AnsiColor::Cyan),
            good: bold(AnsiColor::Green),
            strong: Style::new().bold(),
            dim: Style::new().dimmed(),
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
}
