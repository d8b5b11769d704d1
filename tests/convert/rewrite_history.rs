//! `rdbtool rewrite --keep-unknown`: what nobody knows stays, wherever it is.

use std::fs;
use std::path::Path;

use rdbtool::encoding::resp::write_command;

use crate::made;
use crate::program::{Ran, rdbtool};

fn aof(commands: &[&[&str]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for command in commands {
        write_command(command.iter().map(|arg| arg.as_bytes()), &mut bytes);
    }
    bytes
}

fn rewrite(args: &[&str], path: &Path) -> Ran {
    let all = ["rewrite", "--keep-unknown", "--target=redis-7.0"].iter().chain(args);
    rdbtool(all.copied().chain([path.to_str().unwrap()]))
}

/// How often a word is in a file.
fn count(path: &Path, word: &str) -> usize {
    let bytes = fs::read(path).unwrap();
    bytes.windows(word.len()).filter(|at| *at == word.as_bytes()).count()
}

#[test]
fn an_aof_of_one_file_keeps_unknown_commands() {
    let json: &[&str] = &["JSON.SET", "doc", "$", "{}"];
    let commands = [&["SELECT", "3"][..], &["SET", "a", "1"], json, &["SET", "a", "2"]];
    let log = aof(&commands);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.aof");
    for preamble in ["yes", "no"] {
        for verify in [&[][..], &["--no-verify"]] {
            let out = dir.path().join("out.aof");
            let args = ["--preamble", preamble];
            for place in [vec!["--in-place"], vec!["-o", out.to_str().unwrap()]] {
                fs::write(&path, &log).unwrap();
                let ran = rewrite(&[&args[..], &place, verify].concat(), &path);
                assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
                let new = if place.len() > 1 { &out } else { &path };
                assert_eq!(count(new, "JSON.SET"), 1, "{preamble} {place:?}");
                // It is in its database, and the rest is what it was.
                let text = String::from_utf8_lossy(&fs::read(new).unwrap()).into_owned();
                let behind = text.find("JSON.SET").unwrap();
                let select = text[..behind].rfind("SELECT\r\n$1\r\n3");
                assert!(select.is_some_and(|at| !text[at + 8..behind].contains("SELECT")));
                let get = rdbtool(["replay", "--get", "a", new.to_str().unwrap()]);
                assert!(get.stdout.contains("\"2\""), "{}", get.stdout);
            }
        }
    }
}

/// The RDB at the start says that the key is long expired, and a command behind it that it is not.
#[test]
fn what_a_history_begins_with_is_not_dropped_as_expired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.aof");
    let base = made::Rdb::redis(10).aux("redis-ver", "7.0.15").aux("aof-base", "1").db(0);
    let base = base.expire_ms(1_000_000_000_000).string("doc", "v");
    let base = base.expire_ms(1_000_000_000_000).string("gone", "v").end();
    let far = "4102444800000";
    let commands = [&["SELECT", "0"][..], &["FOO.T", "doc"], &["PEXPIREAT", "doc", far]];
    fs::write(&path, [base, aof(&commands)].concat()).unwrap();
    for verify in [&[][..], &["--no-verify"]] {
        let out = dir.path().join(format!("out{}.aof", verify.len()));
        let args = ["--drop-expired", "-o", out.to_str().unwrap()];
        let ran = rewrite(&[&args[..], verify].concat(), &path);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        let keys = rdbtool(["replay", "--keys", "*", out.to_str().unwrap()]);
        assert!(keys.stdout.contains("doc") && !keys.stdout.contains("gone"), "{}", keys.stdout);
    }
}
