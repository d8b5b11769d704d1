//! `rdbtool drill`: what it says, that the same seed says the same, and that a broken promise is an exit
//! status, a reason and a command that shows it again.

use serde_json::Value;

use crate::program::{Ran, rdbtool};

fn drill(args: &str) -> Ran {
    rdbtool(["drill"].into_iter().chain(args.split_whitespace()))
}

fn rows(ran: &Ran) -> Vec<Value> {
    ran.json()[0]["scenarios"].as_array().unwrap().clone()
}

#[test]
fn a_table_and_a_verdict() {
    let ran = drill("--runs 2 --scenario write,snapshot-steps --seed 5");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("scenario"), "{}", ran.stdout);
    let heads = ["scenario", "policy", "acknowledged", "came back", "worst loss", "promised"];
    assert!(heads.iter().all(|head| lines[0].contains(head)), "{}", lines[0]);
    // In the order of the table, whatever was asked for first; a scenario is named once.
    let firsts: Vec<&str> =
        lines[1..5].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(firsts, ["snapshot-steps", "write", "everysec", "no"]);
    assert!(lines[1..5].iter().all(|line| line.ends_with("kept")), "{}", ran.stdout);
    let last = lines.last().unwrap();
    assert!(last.starts_with("KEPT — every promise, in ") && last.ends_with("(seed 5)"), "{last}");
    assert_eq!(drill("--runs 2 --scenario write --quiet").stdout, "");
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let runs = "--runs 4 --json --scenario write,rewrite,in-snapshot,anything,garbage-tail --seed";
    let one = drill(&format!("{runs} 7 --jobs 1"));
    assert_eq!(one.code, Some(0), "{}", one.stdout);
    for jobs in ["--jobs 2", "--jobs 5", ""] {
        assert_eq!(drill(&format!("{runs} 7 {jobs}")).stdout, one.stdout, "{jobs}");
    }
    assert_ne!(drill(&format!("{runs} 8")).stdout, one.stdout);
}

#[test]
fn json_adds_up() {
    let ran = drill("--runs 3 --json --seed 3");
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let report = &ran.json()[0];
    assert_eq!((&report["seed"], &report["kept"]), (&Value::from(3), &Value::from(true)));
    let rows = rows(&ran);
    assert!(rows.len() > 60);
    for row in rows {
        let number = |name: &str| row[name].as_u64().unwrap();
        assert_eq!(number("acknowledged"), number("came_back") + number("lost"), "{row}");
        assert!(number("worst_lost_writes") <= number("lost"), "{row}");
        assert!(number("runs") > 0 && number("crashes") > 0, "{row}");
        let none_lost = row["policy"] == "always" && row["scenario"] != "first-start";
        assert!(!none_lost || number("lost") == 0, "{row}");
        assert!(row["kept"] == true && row["broken"].is_null() && row["broken_runs"] == 0, "{row}");
        assert!(!row["promise"].as_str().unwrap().is_empty() && row["what"].is_string());
    }
}

#[test]
fn a_broken_promise_can_be_seen_again() {
    let ran = drill("--runs 40 --scenario write,restart --policy always --disk-lies");
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.lines().last().unwrap().starts_with("BROKEN — in 2 of 2 rows, "));
    let reasons: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(": ")).collect();
    let again = ran.stdout.lines().filter_map(|line| line.trim().strip_prefix("again: rdbtool "));
    let again: Vec<&str> = again.collect();
    assert_eq!(again.len(), 2);
    for again in again {
        let one = rdbtool(again.split_whitespace());
        assert_eq!(one.code, Some(1), "{again}: {}", one.stdout);
        let reason = one.stdout.lines().find(|line| line.contains("In 1 of 1 run")).unwrap();
        let (why, _) = reason.split_once(". In ").unwrap();
        assert!(reasons.iter().any(|line| line.starts_with(why)), "{why}: {}", ran.stdout);
    }
    let json = drill("--runs 40 --scenario write --policy always --disk-lies --json");
    assert_eq!(json.code, Some(1));
    let row = &rows(&json)[0];
    assert!(row["kept"] == false && row["broken"]["seed"].is_u64(), "{row}");
    assert!(row["broken"]["why"].as_str().unwrap().contains("acknowledged"), "{row}");
    assert!(row["worst_lost_writes"].as_u64().unwrap() > 0, "{row}");
}

#[test]
fn what_cannot_be_drilled() {
    for (args, why) in [
        ("--scenario flood", "possible values"),
        ("--policy sometimes", "possible values"),
        ("--runs 0", "0 is not in"),
        ("--seed x", "invalid"),
        ("--scenario write --policy snapshots", "none of these scenarios"),
    ] {
        let ran = drill(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args}");
        assert!(ran.stderr.contains(why), "{args}: {}", ran.stderr);
    }
}
