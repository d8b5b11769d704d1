//! The zero-filled ends that power cuts leave (RELIABILITY 0.2, 4.4), each by its name: what `check` says,
//! where `--fix` cuts, that a server refuses the file before and lives with it afterwards, through two
//! starts.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;
#[path = "support/resp.rs"]
mod resp;
#[path = "support/servers.rs"]
mod servers;

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::path::Path;

use program::{Ran, rdbtool, testdata};
use resp::command;
use servers::{Server, Setup};

const NAME: &str = "appendonly.aof.1.incr.aof";

/// A damaged file, and what is to come of it.
struct Case {
    /// What is to be kept.
    sound: Vec<u8>,
    /// What is behind that, before NULs.
    torn: Vec<u8>,
    /// NULs.
    nuls: u64,
    /// What is behind the NULs.
    behind: Vec<u8>,
    /// What `check` calls it.
    code: &'static str,
    /// What `--fix` exits with: 0 if nothing but NULs was lost.
    exit: i32,
}

fn sound() -> Vec<u8> {
    let mut bytes = command(&["SELECT", "0"]);
    for n in 0..40 {
        bytes.extend(command(&["SET", &format!("key:{n}"), &"v".repeat(n * 3)]));
    }
    bytes.extend(command(&["MULTI"]));
    bytes.extend(command(&["INCR", "n"]));
    bytes.extend(command(&["EXEC"]));
    bytes
}

/// Sound commands and then so many NULs.
fn only(nuls: u64) -> Case {
    let (torn, behind) = (Vec::new(), Vec::new());
    Case { sound: sound(), torn, nuls, behind, code: "aof-nul-tail", exit: 0 }
}

fn torn(torn: Vec<u8>) -> Case {
    Case { torn, exit: 1, ..only(4096) }
}

fn fix(path: &Path) -> Ran {
    rdbtool([OsStr::new("check"), OsStr::new("--fix"), path.as_os_str()])
}

impl Case {
    fn prove(&self) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        fs::write(&path, [&self.sound[..], &self.torn].concat()).unwrap();
        // NULs as a hole, as a file system leaves them.
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let at = (self.sound.len() + self.torn.len()) as u64;
        file.set_len(at + self.nuls).unwrap();
        drop(file);
        let whole = [fs::read(&path).unwrap(), self.behind.clone()].concat();
        fs::write(&path, &whole).unwrap();

        let checked =
            &rdbtool([OsStr::new("check"), OsStr::new("--json"), path.as_os_str()]).json()[0];
        let codes: Vec<_> = checked["findings"].as_array().unwrap().iter().collect();
        let nuls = codes.iter().find(|finding| finding["code"] == self.code);
        let nuls = nuls.unwrap_or_else(|| panic!("no {} in {checked}", self.code));
        assert_eq!((&nuls["offset"], &nuls["len"]), (&at.into(), &self.nuls.into()), "{nuls}");
        assert_eq!(checked["valid_up_to"], self.sound.len());

        let server = servers::named("redis-7.0.15");
        if let Some(server) = server {
            assert!(Server::start(server, &setup(&whole)).is_err(), "the server starts with it");
        }
        let ran = fix(&path);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(self.exit), ""), "{ran:?}");
        let kept = fs::read(&path).unwrap();
        assert!(kept == self.sound, "{} bytes kept: {}", kept.len(), ran.stdout);
        let tail = dir.path().join(format!("{NAME}.tail-{}", kept.len()));
        assert!(fs::read(tail).unwrap() == whole[kept.len()..]);
        assert!(ran.stdout.contains("only NULs") == (self.exit == 0), "{}", ran.stdout);
        assert_eq!(fix(&path).code, Some(0), "there is more to do");
        if let Some(server) = server {
            lives(server, &kept);
        }
    }
}

fn setup(aof: &[u8]) -> Setup {
    let manifest = format!("file {NAME} seq 1 type i\n").into_bytes();
    let files = vec![
        (format!("appendonlydir/{NAME}"), aof.to_vec()),
        ("appendonlydir/appendonly.aof.manifest".to_owned(), manifest),
    ];
    Setup { lines: vec!["appendonly yes".to_owned()], files }
}

/// A server starts with it, cuts nothing itself, and finds what it wrote at its second start.
fn lives(server: &'static servers::ServerBinary, aof: &[u8]) {
    let mut first = Server::start(server, &setup(aof)).unwrap_or_else(|err| panic!("{}", err.log));
    assert!(first.dbsize() >= 41 && !first.log().to_lowercase().contains("truncat"));
    for n in 0..20 {
        first.command(&["SET", &format!("later:{n}"), "x"]);
    }
    let digest = first.digest();
    let files = first.shut_down().unwrap();
    let again = Setup { files, ..setup(b"") };
    let mut second = Server::start(server, &again).unwrap_or_else(|err| panic!("{}", err.log));
    assert_eq!(second.digest(), digest, "{}", second.log());
}

#[test]
fn one_nul() {
    only(1).prove();
}

#[test]
fn twelve_nuls() {
    only(12).prove();
}

#[test]
fn five_hundred_and_ninety_five_nuls() {
    only(595).prove();
}

#[test]
fn seven_hundred_and_thirty_six_nuls() {
    only(736).prove();
}

#[test]
fn a_page_of_nuls() {
    only(4096).prove();
}

#[test]
fn five_mebibytes_of_nuls() {
    only(5 << 20).prove();
}

/// Servers take the NULs for the argument, and for the two bytes behind it.
#[test]
fn nuls_instead_of_the_end_of_a_line() {
    torn(b"*3\r\n$3\r\nSET\r\n$5\r\nk0199\r\n$4\r".to_vec()).prove();
}

#[test]
fn nuls_instead_of_the_rest_of_an_argument() {
    let whole = command(&["SET", "torn", &"v".repeat(100)]);
    torn(whole[..whole.len() - 60].to_vec()).prove();
}

#[test]
fn nuls_directly_behind_a_multi() {
    torn(command(&["MULTI"])).prove();
}

#[test]
fn nuls_inside_a_command_of_a_multi() {
    let set = command(&["SET", "torn", &"v".repeat(100)]);
    torn([&command(&["MULTI"])[..], &command(&["INCR", "n"]), &set[..60]].concat()).prove();
}

#[test]
fn nuls_behind_a_preamble() {
    let whole = fs::read(testdata("aof/redis-4.0.14-preamble/appendonly.aof")).unwrap();
    Case { sound: whole, ..only(736) }.prove();
}

/// A hole: cutting there loses the sound commands behind it, which is told.
#[test]
fn nuls_with_sound_commands_behind_them() {
    let behind = [command(&["SELECT", "0"]), command(&["SET", "behind", "1"])].concat();
    Case { behind, code: "aof-nul-hole", exit: 1, ..only(512) }.prove();
}
