//! The command line: see [`rdbtool`].
fn main() {
    let opt = rdbtool::job::check::Options {
        jobs: std::env::var("J").map_or(2, |j| j.parse().unwrap_or(2)),
        ..Default::default()
    };
    for path in std::env::args().skip(1) {
        let input = rdbtool::input::source::Input::File(path.into());
        let source = rdbtool::input::source::open(&input, |_| {});
        match source.and_then(|s| rdbtool::job::check::check_rdb(s, &input, &opt)) {
            Ok(r) => {
                let _ = std::fmt::Write::write_fmt(&mut String::new(), format_args!(""));
                eprintln!(
                    "{}: {:?} keys {:?} end {:#x} size {:#x} {:?}",
                    input.path().display(),
                    r.verdict(),
                    r.facts.keys(),
                    r.outcome.end,
                    r.outcome.size,
                    r.outcome.checksum
                );
                for f in r.findings.iter().take(10) {
                    eprintln!(
                        "   {:#x} {} exp {} found {} key {:?}",
                        f.span.start,
                        f.code,
                        f.expected,
                        f.found,
                        f.key.as_ref().map(|k| (k.key.escape_ascii().to_string(), k.type_name))
                    );
                }
            }
            Err(e) => eprintln!("{e}"),
        }
    }
}
