//! Vector sets that commands built, in an RDB with a graph that we made: a server loads it, finds with it
//! what is near, and goes on changing it.

use rdbtool::encoding::resp::write_command;
use rdbtool::rdb::target::Target;
use rdbtool::rdb::versions::Release;

use crate::servers::{self, Reply, Server, Setup};
use crate::{convert, options};

/// Vectors of a set.
const COUNT: usize = 1200;
const DIMENSION: usize = 16;

const SETS: [(&str, &str); 3] = [("q8", "Q8"), ("floats", "NOQUANT"), ("bits", "BIN")];

/// Whole numbers, as good as drawn: their squares add up without rounding, in any order.
fn vector(number: usize) -> Vec<String> {
    let mut state = number as u64 + 1;
    let part = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 255).to_string()
    };
    let centre = |part: String| (part.parse::<i64>().unwrap() - 127).to_string();
    (0..DIMENSION).map(part).map(centre).collect()
}

fn vadd(key: &str, how: &str, number: usize) -> Vec<Vec<u8>> {
    let mut argv = vec!["VADD".into(), key.into(), "VALUES".into(), DIMENSION.to_string()];
    argv.extend(vector(number));
    argv.extend([format!("e{number}"), how.into()]);
    if number.is_multiple_of(3) {
        argv.extend(["SETATTR".into(), format!("{{\"n\":{number}}}")]);
    }
    argv.into_iter().map(String::into_bytes).collect()
}

/// Commands that build the sets, one of vectors that are all alike, and one of a vector of length 0.
fn commands() -> Vec<Vec<Vec<u8>>> {
    let of = |text: &str| text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let mut all: Vec<Vec<Vec<u8>>> = Vec::new();
    for (key, how) in SETS {
        all.extend((0..COUNT).map(|number| vadd(key, how, number)));
    }
    all.extend((0..300).map(|n| of(&format!("VADD alike VALUES 3 1 2 2 a{n} M 4"))));
    all.push(of("VADD nothing VALUES 2 0 0 zero"));
    all
}

fn log(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut log = Vec::new();
    for argv in commands {
        write_command(argv.iter().map(Vec::as_slice), &mut log);
    }
    log
}

/// How near those are that a search finds.
fn found(server: &mut Server, key: &str, number: usize, truth: bool) -> Vec<Reply> {
    let name = format!("e{number}");
    let mut argv = vec!["VSIM", key, "ELE", &name, "WITHSCORES", "COUNT", "10"];
    argv.extend(truth.then_some("TRUTH"));
    server.command(&argv).items().into_iter().skip(1).step_by(2).collect()
}

#[test]
fn a_server_takes_the_graph_and_goes_on_with_it() {
    let Some(binary) = servers::named("redis-8.2.3") else { return };
    let commands = commands();
    let target = Target::of(Release::by_name("redis-8.2").unwrap());
    let (made, report) = convert(&log(&commands), &options(target));
    assert!(report.losses.is_empty() && report.damage.is_empty(), "{:?}", report.losses);
    assert_eq!(report.counts.keys, 5);

    let mut theirs =
        Server::start(binary, &Setup::default()).unwrap_or_else(|no| panic!("{}", no.log));
    let replies = theirs.connect().pipeline(&commands).unwrap();
    assert!(replies.iter().all(|reply| *reply == Reply::Int(1)));
    let mut ours =
        Server::start(binary, &Setup::dump(&made)).unwrap_or_else(|no| panic!("{}", no.log));
    assert_eq!(ours.digest(), theirs.digest());

    for (key, how) in SETS {
        let hits = (0..100).map(|n| n * 12).map(|number| {
            let truth = found(&mut ours, key, number, true);
            assert_eq!(truth.len(), 10);
            let found = found(&mut ours, key, number, false);
            found.iter().zip(&truth).filter(|(found, truth)| found == truth).count()
        });
        let hits: usize = hits.sum();
        assert!(hits >= 950, "{key}: {hits} of 1000");
        for number in (0..COUNT).step_by(97) {
            let argv = ["VEMB", key, &format!("e{number}")];
            assert_eq!(ours.command(&argv), theirs.command(&argv), "{key} {number}");
        }
        assert_eq!(ours.command(&vadd(key, how, COUNT)), Reply::Int(1));
        let new = format!("e{COUNT}");
        let nearest = ours.command(&["VSIM", key, "ELE", &new, "COUNT", "1"]).items();
        assert_eq!(nearest, [Reply::Bulk(Some(new.into_bytes()))]);
    }
    let alike = ours.command(&["VSIM", "alike", "ELE", "a77", "COUNT", "50"]).items();
    assert_eq!(alike.len(), 50);
    assert_eq!(ours.command(&["DEBUG", "RELOAD"]), Reply::Status("OK".to_owned()));
    for (key, _) in SETS {
        for number in 0..=COUNT {
            let gone = ours.command(&["VREM", key, &format!("e{number}")]);
            assert_eq!(gone, Reply::Int(1), "{key} {number}");
        }
    }
    assert_eq!(ours.dbsize(), 2);
}
