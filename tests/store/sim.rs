//! The store in a simulation ([`rdbtool::drill`]): what it promises is kept over thousands of crashes, and
//! what is not kept is seen. `STORE_SEEDS=10000` tries more than the 2,000 runs of every day.

use rdbtool::drill::{Options, Policy, Report, Tally, run};

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

fn broken(report: &Report) -> Vec<String> {
    let rows = report.rows.iter();
    let broken = rows.filter_map(|row| Some((row, row.broken.as_ref()?)));
    broken
        .map(|(row, broken)| {
            let (scenario, policy) = (row.scenario.name, row.policy.as_str());
            format!("{scenario}, {policy}, seed {}: {}", broken.seed, broken.why)
        })
        .collect()
}

fn total(report: &Report) -> Tally {
    let mut total = Tally::default();
    report.rows.iter().for_each(|row| total.add(&row.tally));
    total
}

#[test]
fn what_a_policy_promises_is_kept_after_every_crash() {
    let runs = std::env::var("STORE_SEEDS").ok().and_then(|text| text.parse::<u64>().ok());
    let runs = runs.unwrap_or(2000);
    let policies = Policy::ALL.len() as u64;
    let report =
        run(&Options { scenarios: vec!["anything".to_owned()], ..options(runs / policies) });
    let total = total(&report);
    eprintln!("{total:?}");
    assert_eq!(broken(&report), [""; 0]);
    // A simulation in which nothing happens proves nothing.
    assert!(total.lost > 0 && total.snapshots > runs / 10 && total.rewrites > runs / 10);
    assert!(total.acknowledged > runs * 20 && total.stopped > 0);
}

#[test]
fn a_disk_that_lies_is_seen() {
    let report = run(&Options { disk_lies: true, ..options(50) });
    for row in &report.rows {
        assert!(row.breaks > 0, "{}, {}", row.scenario.name, row.policy.as_str());
    }
}
