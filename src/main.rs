//! The program `rdbtool`: everything is in [`rdbtool::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    rdbtool::cli::main(std::env::args_os())
}
