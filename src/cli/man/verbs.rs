//! rdbtool(1) and a page for every verb.

use std::io;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, italic, roman};

use crate::cli::{command, help};
use crate::finding::Code;

/// All pages of section 1.
pub(super) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let app = command();
    let mut pages = vec![("rdbtool.1".to_owned(), page(&app, &[])?)];
    for verb in app.get_subcommands() {
        let name = verb.get_name();
        if !verb.is_hide_set() && name != "help" {
            pages.push((format!("rdbtool-{name}.1"), page(verb, &[name])?));
        }
    }
    Ok(pages)
}

fn page(verb: &Command, names: &[&str]) -> io::Result<Vec<u8>> {
    let man = Man::new(verb.clone()).manual("rdbtool");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    let mut roff = Roff::new();
    if names.is_empty() || names == ["rdb"] {
        subcommands(&mut roff, verb);
        roff.to_writer(&mut out)?;
        roff = Roff::new();
    }
    man.render_options_section(&mut out)?;
    if names == ["check"] {
        findings(&mut roff);
    }
    if names.len() == 1 && names != ["rdb"] {
        json(&mut roff);
    }
    if let Some(page) = help::page(names) {
        roff.control("SH", ["EXAMPLES"]);
        for (command, what) in page.examples {
            roff.control("TP", []);
            roff.text([bold(*command)]);
            roff.text([roman(*what)]);
        }
        roff.control("SH", ["EXIT STATUS"]);
        for (status, what) in page.exit {
            roff.control("TP", []);
            roff.text([bold(*status)]);
            roff.text([roman(*what)]);
        }
    }
    see_also(&mut roff, names);
    roff.to_writer(&mut out)?;
    Ok(out)
}

fn subcommands(roff: &mut Roff, app: &Command) {
    roff.control("SH", ["VERBS"]);
    for verb in app.get_subcommands() {
        if verb.is_hide_set() || verb.get_name() == "help" {
            continue;
        }
        roff.control("TP", []);
        roff.text([bold(verb.get_bin_name().unwrap_or_else(|| verb.get_name()))]);
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        roff.text([roman(about)]);
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
        roff.control("TP", []);
        let severity = code.severity().as_str();
        roff.text([bold(code.as_str()), roman(" ("), italic(severity), roman(")")]);
        roff.text([roman(code.about())]);
    }
}

fn json(roff: &mut Roff) {
    roff.control("SH", ["JSON"]);
    roff.text([
        roman("With "),
        bold("--json"),
        roman(
            " there is one object a file, on a line of its own. Bytes from a file (key names, values of \
             AUX fields, file names) are a string where they are UTF-8, and ",
        ),
        bold("{\"base64\": \"…\"}"),
        roman(
            " where they are not. Characters that a terminal would act upon or not show are written as \
             \\u escapes. Numbers can be as large as 2^64-1. An AUX field that comes more than once has an \
             array of its values.",
        ),
    ]);
}

fn see_also(roff: &mut Roff, names: &[&str]) {
    roff.control("SH", ["SEE ALSO"]);
    let pages: Vec<&str> = ["rdbtool(1)", "rdbtool-check(1)", "rdbtool-inspect(1)", "rdb(5)"]
        .into_iter()
        .filter(|page| {
            let own = match names {
                [] => "rdbtool(1)".to_owned(),
                names => format!("rdbtool-{}(1)", names.join("-")),
            };
            *page != own
        })
        .collect();
    roff.text([roman(pages.join(", "))]);
}
