//! rdbtool(1) and a page for every verb.

use std::io;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, italic, roman};

use crate::cli::help::{self, Page};
use crate::cli::{command, redis_check_aof, redis_check_rdb};
use crate::finding::Code;
use crate::loss::Loss;

/// All pages of section 1.
pub(super) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let app = command();
    let mut pages = vec![("rdbtool.1".to_owned(), page(&app, &[])?)];
    for verb in app.get_subcommands().filter(|verb| is_shown(verb)) {
        let name = verb.get_name();
        pages.push((format!("rdbtool-{name}.1"), page(verb, &[name])?));
        // What is a verb of its own as well has its page there.
        let own = |sub: &&Command| app.find_subcommand(sub.get_name()).is_none();
        for sub in verb.get_subcommands().filter(own) {
            let names = [name, sub.get_name()];
            pages.push((format!("rdbtool-{}.1", names.join("-")), page(sub, &names)?));
        }
    }
    Ok(pages)
}

fn is_shown(verb: &Command) -> bool {
    !verb.is_hide_set() && verb.get_name() != "help"
}

/// What a verb works on: `PATH...`, `A B`, `[PATH]`.
fn operands(verb: &Command) -> String {
    let named = verb.get_positionals().map(|arg| {
        let name = arg.get_value_names().map_or("PATH", |names| names[0].as_str());
        let more = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) { "..." } else { "" };
        if arg.is_required_set() { format!("{name}{more}") } else { format!("[{name}]{more}") }
    });
    named.collect::<Vec<_>>().join(" ")
}

fn page(verb: &Command, names: &[&str]) -> io::Result<Vec<u8>> {
    let called = [&["rdbtool"], names].concat().join(" ");
    let usage = match verb.has_subcommands() {
        true => format!("{called} VERB [OPTION]... PATH..."),
        false => format!("{called} [OPTION]... {}", operands(verb)),
    };
    // The first paragraph says what the section NAME has said.
    let about = verb.get_long_about().map(ToString::to_string).unwrap_or_default();
    let about = about.split_once("\n\n").map_or("", |(_, about)| about).to_owned();
    let verb = verb.clone().override_usage(usage).long_about(about);
    let man = Man::new(verb.clone()).manual("rdbtool");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    // Ragged and without hyphens: names of options and codes must not be broken.
    let mut ragged = Roff::new();
    ragged.control("ad", ["l"]).control("nh", []);
    ragged.to_writer(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    if verb.has_subcommands() {
        verbs(&verb).to_writer(&mut out)?;
    }
    man.render_options_section(&mut out)?;
    let mut roff = Roff::new();
    if names.is_empty() {
        other_names(&mut roff);
    }
    if names == ["check"] {
        findings(&mut roff);
    }
    if names == ["convert"] || names == ["rewrite"] {
        losses(&mut roff);
    }
    if let Some(page) = help::page(names) {
        json(&mut roff, page);
        list(&mut roff, "EXAMPLES", page.examples);
        list(&mut roff, "EXIT STATUS", page.exit);
    }
    see_also(&mut roff, names);
    roff.to_writer(&mut out)?;
    Ok(out)
}

fn list(roff: &mut Roff, title: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [title]);
    items(roff, rows);
}

fn items(roff: &mut Roff, rows: &[(&str, &str)]) {
    for (term, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*meaning)]);
    }
}

fn verbs(app: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["VERBS"]);
    for verb in app.get_subcommands().filter(|verb| is_shown(verb)) {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        items(&mut roff, &[(verb.get_name(), &format!("{about}."))]);
    }
    roff
}

fn other_names(roff: &mut Roff) {
    roff.control("SH", ["ITS OTHER NAMES"]);
    roff.text([roman(redis_check_rdb::ABOUT)]);
    roff.control("PP", []);
    roff.text([roman(redis_check_aof::ABOUT)]);
}

/// Everything that a target may not hold.
fn losses(roff: &mut Roff) {
    roff.control("SH", ["LOSSES"]);
    roff.text([roman("What a server may not hold, by the stable code that is reported:")]);
    for loss in Loss::ALL {
        roff.control("TP", []);
        roff.text([bold(loss.as_str())]);
        roff.text([roman(loss.about())]);
    }
}

fn findings(roff: &mut Roff) {
    roff.control("SH", ["FINDINGS"]);
    roff.text([roman(
        "Every finding has a code that keeps its meaning for ever; new ones are added. Errors are damage: \
         a server refuses the file, drops data or misbehaves later. Warnings load, but something \
         cannot be relied on. Notes are harmless and do not change the exit status.",
    )]);
    for code in Code::ALL {
        let severity = code.severity().as_str();
        roff.control("TP", []);
        roff.text([bold(code.as_str()), roman(" ("), italic(severity), roman(")")]);
        roff.text([roman(code.about())]);
    }
}

fn json(roff: &mut Roff, page: &Page) {
    if page.json.is_empty() {
        return;
    }
    roff.control("SH", ["JSON"]);
    roff.text([
        roman("With "),
        bold("--json"),
        roman(
            " every report is an object on a line of its own. Bytes from a file (key names, values of \
             AUX fields, file names) are a string where they are UTF-8, and ",
        ),
        bold("{\"base64\": \"...\"}"),
        roman(
            " where they are not. Characters that a terminal would act upon or not show are written as \
             \\u escapes. Numbers go up to 2^64-1. Fields may be added.",
        ),
    ]);
    page.json.iter().for_each(|fields| items(roff, fields));
}

fn see_also(roff: &mut Roff, names: &[&str]) {
    let own = [&["rdbtool"], names].concat().join("-") + "(1)";
    let pages = [
        "rdbtool(1)",
        "rdbtool-check(1)",
        "rdbtool-inspect(1)",
        "rdbtool-repair(1)",
        "rdbtool-replay(1)",
        "rdbtool-digest(1)",
        "rdbtool-verify(1)",
        "rdbtool-diff(1)",
        "rdbtool-seal(1)",
        "rdbtool-aof-log(1)",
        "rdbtool-serve(1)",
        "rdbtool-jsonl(5)",
        "rdbtool-seal(5)",
        "rdb(5)",
        "aof(5)",
    ];
    let others: Vec<&str> = pages.into_iter().filter(|page| *page != own).collect();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(others.join(", "))]);
}
