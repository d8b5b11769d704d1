//! Makes `testdata/dump.rdb`, the dump of the README's examples: a small shop's data, as Redis 8.2.3
//! saves it. The data is the same every time; only the server's own AUX fields differ.
//!
//!     cargo test --test dump -- --ignored

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/ledger.rs"]
mod ledger;
#[path = "support/servers.rs"]
mod servers;

use std::fs;

use ledger::{Row, testdata};
use servers::{Reply, Server, Setup};

/// Midnight at the start of 2035, in ms: what expires, expires around then.
const EXPIRES: u64 = 2_051_222_400_000;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u64) as usize]
    }
}

const NAMES: [&str; 12] = [
    "Ada", "Björn", "Chen", "Dalia", "Emeka", "Fatou", "Goran", "Hana", "Iker", "Jun", "Kaja",
    "Luz",
];
const WORDS: [&str; 16] = [
    "oak", "linen", "brass", "walnut", "wool", "glass", "cedar", "slate", "lamp", "chair", "table",
    "shelf", "bowl", "vase", "stool", "desk",
];
const LIBRARY: &str = "#!lua name=shop
redis.register_function('stock', function(keys, args)
  return redis.call('HINCRBY', keys[1], 'stock', args[1])
end)
redis.register_function{function_name='price', callback=function(keys)
  return redis.call('HGET', keys[1], 'price')
end, flags={'no-writes'}}
";

/// The server being filled: a command in words, its arguments separated by blanks.
struct Shop {
    server: Server,
    dice: Dice,
}

impl Shop {
    fn send(&mut self, args: &[String]) {
        let reply = self.server.command(args);
        assert!(!matches!(reply, Reply::Error(_)), "{args:?}: {reply:?}");
    }

    fn run(&mut self, words: &str, more: &[&str]) {
        let args = words.split_whitespace().chain(more.iter().copied());
        self.send(&args.map(str::to_owned).collect::<Vec<_>>());
    }

    fn users(&mut self) {
        for id in 1..=700 {
            let name = self.dice.pick(&NAMES);
            let plan = self.dice.pick(&["free", "free", "free", "plus", "pro"]);
            let visits = self.dice.roll(5000);
            let mail = format!("{}{id}@example.com", name.to_lowercase());
            let key = format!("user:{id}");
            self.run(&format!("HSET {key} plan {plan} visits {visits} email {mail} name"), &[name]);
            if id % 3 == 0 {
                let (token, expires) =
                    (self.dice.roll(1 << 31), EXPIRES + self.dice.roll(3_600_000));
                let session =
                    format!("{{\"user\":{id},\"csrf\":\"{token:08x}\",\"theme\":\"dark\"}}");
                self.run(
                    &format!("SET session:{token:08x}"),
                    &[&session, "PXAT", &expires.to_string()],
                );
            }
            if id % 20 == 0 {
                self.run(&format!("HSET cart:{id} sku:{} 1 sku:{} 2", id % 97, id % 89), &[]);
                self.run(&format!("HPEXPIREAT cart:{id} {EXPIRES} FIELDS 1 sku:{}", id % 97), &[]);
            }
        }
    }

    fn products(&mut self) {
        for sku in 1..=250 {
            let (first, second) = (self.dice.pick(&WORDS), self.dice.pick(&WORDS));
            let about: Vec<_> = (0..30).map(|_| self.dice.pick(&WORDS)).collect();
            let (price, stock) = (self.dice.roll(90_000) + 500, self.dice.roll(400));
            let title = format!("{first} {second}");
            let key = format!("product:{sku}");
            self.run(
                &format!("HSET {key} price {price} stock {stock} title"),
                &[&title, "about", &about.join(" ")],
            );
            self.run(&format!("SADD tag:{first} {sku}"), &[]);
            self.run(&format!("SADD tag:{second} {sku}"), &[]);
            self.run(&format!("SADD product:{sku}:tags {first} {second}"), &[]);
        }
        for sku in 1..=60 {
            let vector: Vec<_> = (0..32)
                .map(|_| format!("{:.3}", self.dice.roll(2000) as f64 / 1000.0 - 1.0))
                .collect();
            let attributes = format!("{{\"price\":{}}}", sku * 10);
            self.run(
                &format!("VADD products:vectors VALUES 32 {} {sku} SETATTR", vector.join(" ")),
                &[&attributes],
            );
        }
    }

    fn scores(&mut self) {
        for player in 1..=1500 {
            let score = self.dice.roll(1_000_000) as f64 / 10.0;
            self.run(&format!("ZADD leaderboard:all-time {score} user:{player}"), &[]);
        }
        for week in 40..=47 {
            for _ in 0..30 {
                let (score, user) = (self.dice.roll(5000), self.dice.roll(700));
                self.run(&format!("ZADD leaderboard:2026-w{week} {score} user:{user}"), &[]);
            }
        }
        for (city, place) in
            [("Oslo", "10.75 59.91"), ("Lima", "-77.03 -12.05"), ("Pune", "73.85 18.52")]
        {
            self.run(&format!("GEOADD stores {place} {city}"), &[]);
        }
    }

    fn orders(&mut self) {
        for n in 1..=900u64 {
            let (ms, user) = (1_790_000_000_000 + n * 61_000, self.dice.roll(700));
            let (sku, sum) = (self.dice.roll(250), self.dice.roll(90_000));
            self.run(&format!("XADD orders {ms}-0 user {user} sku {sku} cents {sum}"), &[]);
        }
        self.run("XGROUP CREATE orders billing 0", &[]);
        self.run("XGROUP CREATE orders shipping 0", &[]);
        self.run("XREADGROUP GROUP billing worker-1 COUNT 850 STREAMS orders >", &[]);
        self.run("XREADGROUP GROUP shipping dock-a COUNT 40 STREAMS orders >", &[]);
        self.run("XREADGROUP GROUP shipping dock-b COUNT 25 STREAMS orders >", &[]);
        for n in 1..=830u64 {
            self.run(&format!("XACK orders billing {}-0", 1_790_000_000_000 + n * 61_000), &[]);
        }
        self.run("XDEL orders 1790000061000-0 1790000122000-0", &[]);
    }

    fn the_rest(&mut self) {
        for n in 0..400 {
            let (to, kind) =
                (self.dice.roll(700), self.dice.pick(&["welcome", "receipt", "shipped"]));
            let mail = format!("{{\"to\":{to},\"template\":\"{kind}\",\"try\":{}}}", n % 3);
            self.run("RPUSH queue:mail", &[&mail]);
        }
        for hour in 0..24 {
            let hits = self.dice.roll(100_000);
            self.run(&format!("SET stats:hits:2026-11-21:{hour:02} {hits}"), &[]);
        }
        for user in 0..3000 {
            self.run(&format!("PFADD stats:visitors:2026-11 {user}"), &[]);
            if user % 7 == 0 {
                self.run(&format!("SETBIT stats:online:2026-11-21 {} 1", user * 11), &[]);
            }
        }
        self.run("SADD users:banned 17 256 333 512", &[]);
        let page = "<li class=\"product\"><a href=\"/p/\">oak table</a></li>\n".repeat(400);
        self.run("SET page:home", &[&page, "PXAT", &EXPIRES.to_string()]);
        self.run("FUNCTION LOAD", &[LIBRARY]);
        self.run("SELECT 1", &[]);
        for n in 0..300 {
            let (etag, expires) = (self.dice.roll(1 << 31), EXPIRES + self.dice.roll(86_400_000));
            let body = format!("{{\"id\":{n},\"etag\":\"{etag:x}\"}}");
            self.run(&format!("SET cache:product:{n}"), &[&body, "PXAT", &expires.to_string()]);
        }
    }
}

#[test]
#[ignore = "writes testdata/dump.rdb"]
fn make() {
    let binary = servers::named("redis-8.2.3").expect("Redis 8.2.3");
    let server = Server::start(binary, &Setup::default()).expect("it starts");
    let mut shop = Shop { server, dice: Dice(2026) };
    shop.users();
    shop.products();
    shop.scores();
    shop.orders();
    shop.the_rest();
    shop.run("SAVE", &[]);
    let (digest, keys) = (shop.server.digest(), shop.server.dbsize());
    let rdb = fs::read(shop.server.folder().join("dump.rdb")).expect("saved");
    let meta = format!(
        "{{\"server_name\": \"redis\", \"server_version\": \"8.2.3\", \"keys\": {keys}, \"digest_after_reload\": \"{digest}\"}}\n"
    );
    let contents = "a small shop: every data type, two databases, groups, a function library";
    let about = Row {
        format: "meta".into(),
        verdict: "-".into(),
        ..Row::new("dump.meta.json", meta.as_bytes(), "redis 8.2.3", "key count and digest", "")
    };
    fs::write(testdata().join("dump.rdb"), &rdb).expect("written");
    fs::write(testdata().join("dump.meta.json"), &meta).expect("written");
    let others = ledger::rows().into_iter().filter(|row| !row.file.starts_with("dump."));
    ledger::write(
        others.chain([Row::new("dump.rdb", &rdb, "redis 8.2.3", contents, ""), about]).collect(),
    );
}

/// The dump is at hand, and holds what it was made with.
#[test]
fn loads() {
    let meta: serde_json::Value =
        serde_json::from_slice(&ledger::read("dump.meta.json")).expect("JSON");
    let Some(binary) = servers::named("redis-8.2.3") else { return };
    let load = servers::loads(binary, &ledger::read("dump.rdb"));
    assert_eq!(load.dbsize, meta["keys"].as_u64(), "{}", load.log);
    assert_eq!(load.digest.as_deref(), meta["digest_after_reload"].as_str());
}
