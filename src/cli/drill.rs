//! temp
use super::Exit;
use super::args::Common;
use super::drill_path::PathArgs;
use super::help::Page;
use super::session::Log;
use clap::Args;
pub(crate) const PAGE: Page = Page { examples: &[], exit: &[], json: &[] };
/// Drill
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// path
    path: Option<std::path::PathBuf>,
    #[arg(long)]
    runs: Option<usize>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    of: PathArgs,
    #[command(flatten)]
    common: Common,
}
impl DrillArgs {
    pub(crate) fn run(self, _: &Log) -> anyhow::Result<Exit> {
        self.of.run(&self.path.clone().unwrap_or_default(), self.runs, self.seed, &self.common)
    }
}
