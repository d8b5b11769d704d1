//! The store in a simulation ([`rdbtool::drill`]): what it promises is kept over thousands of crashes, and
//! what is not kept is seen. `STORE_SEEDS=10000` tries more than the 2,000 runs of every day.

use rdbtool::drill::{Options, Policy, Report, Row, Tally, run};

fn options(runs: u64) -> Options {
    Options {
        seed: 0,
        runs,
        jobs: 2,
        scenarios: Vec::new(),
        policies: Vec::new(),
        disk_lies: false,
    }
}

/// How many runs when there are to be so many every day.
fn runs(every_day: u64) -> u64 {
    let given = std::env::var("STORE_SEEDS").ok().and_then(|text| text.parse::<u64>().ok());
    given.map_or(every_day, |given| given * every_day / 2000)
}

fn assert_kept(report: &Report) {
    let broken = report.rows.iter().filter_map(|row| Some((row, row.broken.as_ref()?)));
    let told = broken.map(|(row, broken)| {
        let (scenario, policy) = (row.scenario.name, row.policy.as_str());
        format!("{scenario}, {policy}, seed {}: {}", broken.seed, broken.why)
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

fn total(report: &Report) -> Tally {
    let mut total = Tally::default();
    report.rows.iter().for_each(|row| total.add(&row.tally));
    total
}

#[test]
fn what_a_policy_promises_is_kept_after_every_crash() {
    let runs = runs(2000);
    let of_each = runs / Policy::ALL.len() as u64;
    let report = run(&Options { scenarios: vec!["anything".to_owned()], ..options(of_each) });
    let total = total(&report);
    eprintln!("{total:?}");
    assert_kept(&report);
    // A simulation in which nothing happens proves nothing.
    assert!(total.lost > 0 && total.snapshots > runs / 10 && total.rewrites > runs / 10);
    assert!(total.acknowledged > runs * 20 && total.stopped > 0);
}

#[test]
fn and_in_every_scenario() {
    let report = run(&options(runs(30)));
    eprintln!("{:?}", total(&report));
    assert_kept(&report);
    let row = |name: &str, policy: Policy| -> &Row {
        let mut rows = report.rows.iter();
        rows.find(|row| row.scenario.name == name && row.policy == policy).unwrap()
    };
    for row in &report.rows {
        let Row { scenario, policy, tally, .. } = row;
        assert!(tally.crashes > 0, "{}, {}", scenario.name, policy.as_str());
        let starts_empty = ["first-start", "restart"].contains(&scenario.name);
        assert!(tally.acknowledged > 0 || starts_empty, "{}", scenario.name);
    }
    // What each is about did happen.
    for policy in [Policy::Always, Policy::EverySecond, Policy::No] {
        assert!(row("sync-error", policy).tally.stopped > 0);
        assert!(row("garbage-tail", policy).tally.refused > 0);
        assert!(row("rewrite-steps", policy).tally.crashes > 100);
        assert!(row("rewrite", policy).tally.rewrites > 0);
        assert!(row("both", policy).tally.snapshots > 0);
    }
    assert!(row("disk-full", Policy::Always).tally.stopped > 0);
    assert!(row("snapshot-steps", Policy::Snapshots).tally.crashes > 10);
    assert!(row("before-snapshot", Policy::Snapshots).tally.lost > 0);
    let slow = row("slow-disk", Policy::EverySecond).tally.worst.span_ms;
    assert!((1000..=2000).contains(&slow), "{slow}");
    let healthy = row("write", Policy::EverySecond).tally.worst.span_ms;
    assert!((500..=1000).contains(&healthy), "{healthy}");
    assert!(row("write", Policy::No).tally.worst.span_ms > 1000);
}

#[test]
fn a_disk_that_lies_is_seen() {
    let report = run(&Options { disk_lies: true, ..options(40) });
    for Row { scenario, policy, breaks, .. } in &report.rows {
        // A process that is killed leaves all to the system; and nothing was promised yet.
        let is_safe = ["write-kill", "before-snapshot"].contains(&scenario.name);
        assert_eq!(*breaks == 0, is_safe, "{}, {}", scenario.name, policy.as_str());
    }
}
