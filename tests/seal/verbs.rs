//! `rdbtool seal`, and `check` and `repair` of what is sealed, as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rdbtool::encoding::resp::write_command;

use crate::program::{Ran, copy, rdbtool, testdata};
use crate::trials::set_modified;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn run(args: &[&str], path: &Path) -> Ran {
    rdbtool(args.iter().map(|arg| arg.as_ref()).chain([path.as_os_str()]))
}

fn aof(commands: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..commands {
        let (key, value) = (format!("user:{n}"), "some text as a value");
        let words = ["SET", key.as_str(), value].map(str::as_bytes);
        write_command(words.into_iter(), &mut bytes);
    }
    bytes
}

fn flip(path: &Path, at: usize, xor: u8) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= xor;
    fs::write(path, bytes).unwrap();
    // As a disk does it.
    set_modified(path, modified);
}

#[test]
fn a_flip_that_no_other_tool_sees() {
    let files = Files::new();
    let bytes = aof(3000);
    let path = files.put("appendonly.aof", &bytes);
    let sealed = run(&["seal"], &path);
    assert_eq!((sealed.code, sealed.stderr.as_str()), (Some(0), ""), "{sealed:?}");
    assert!(sealed.stdout.contains("SEALED — "), "{}", sealed.stdout);
    let seal = fs::metadata(files.0.path().join("appendonly.aof.seal")).unwrap();
    assert!(seal.len() * 1000 < bytes.len() as u64, "{} of {}", seal.len(), bytes.len());
    assert_eq!(run(&["seal", "--verify"], &path).code, Some(0));
    assert_eq!(run(&["check"], &path).code, Some(0));

    // Inside a value.
    let at = bytes.windows(9).position(|text| text == b"user:1234").unwrap() + 9 + 10;
    flip(&path, at, 0x02);
    let blind = files.put("blind.aof", &fs::read(&path).unwrap());
    assert_eq!(run(&["check"], &blind).code, Some(0), "without a seal nobody sees it");

    let checked = run(&["check"], &path);
    assert_eq!(checked.code, Some(1));
    let heals = format!("1 flipped bit at {at:#x}: rdbtool repair heals it, in SET \"user:1234\"");
    assert!(checked.stdout.contains("error seal-block at "), "{}", checked.stdout);
    assert!(checked.stdout.contains(&heals), "{}", checked.stdout);
    let json = run(&["check", "--json"], &path).json();
    assert_eq!(json[0]["findings"][0]["code"], "seal-block");
    assert_eq!(json[0]["findings"][0]["offset"], at);

    let verified = run(&["seal", "--verify"], &path);
    assert_eq!(verified.code, Some(1));
    assert!(
        verified.stdout.contains("DAMAGED — 1 of 11 blocks is not as it was sealed"),
        "{}",
        verified.stdout
    );
    let json = run(&["seal", "--verify", "--json"], &path).json();
    assert_eq!(json[0]["verdict"], "damaged");
    assert_eq!(
        (&json[0]["damaged"][0]["heals"]["offset"], &json[0]["proven"]),
        (&at.into(), &true.into())
    );

    let planned = run(&["repair", "--dry-run"], &path);
    assert_eq!(planned.code, Some(1), "{planned:?}");
    assert!(
        planned.stdout.contains("TO BE REPAIRED — the seal beside it heals it"),
        "{}",
        planned.stdout
    );
    let out = files.0.path().join("copy.aof");
    let copied = run(&["repair", "-o", out.to_str().unwrap()], &path);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert!(fs::read(&out).unwrap() == bytes);
    assert!(fs::read(&path).unwrap() != bytes);
    let healed = run(&["repair", "--in-place"], &path);
    assert_eq!(healed.code, Some(0), "{healed:?}");
    assert!(
        healed.stdout.contains(
            "REPAIRED — healed by the seal beside it: 1 block; all is as it was sealed then"
        ),
        "{}",
        healed.stdout
    );
    assert!(fs::read(&path).unwrap() == bytes);
    assert_eq!(run(&["seal", "--verify"], &path).code, Some(0));
    assert!(files.names().iter().any(|name| name.starts_with("appendonly.aof.bak-")));
}

#[test]
fn an_rdb_and_its_keys() {
    let files = Files::new();
    let bytes = fs::read(testdata("dump.rdb")).unwrap();
    let path = files.put("dump.rdb", &bytes);
    assert_eq!(run(&["seal"], &path).code, Some(0));
    // Two places: more than the checksum of the file alone can tell.
    flip(&path, 0x2e22, 0x40);
    flip(&path, 0x20000, 0xff);
    let checked = run(&["check", "--json"], &path).json();
    let findings = checked[0]["findings"].as_array().unwrap();
    let sealed: Vec<_> = findings.iter().filter(|f| f["code"] == "seal-block").collect();
    assert_eq!(sealed.len(), 2, "{findings:?}");
    assert!(sealed.iter().all(|finding| finding["key"].is_string()), "{sealed:?}");
    assert_eq!(run(&["check", "--fix"], &path).code, Some(0));
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn grown_cut_written_anew() {
    let files = Files::new();
    let bytes = aof(1000);
    let path = files.put("a.aof", &bytes);
    assert_eq!(run(&["seal", "--verify"], &path).code, Some(1), "not sealed");
    assert_eq!(
        run(&["seal", "--quiet"], &path),
        Ran { code: Some(0), stdout: String::new(), stderr: String::new() }
    );
    let verify = || {
        let ran = run(&["seal", "--verify", "--json"], &path);
        let verdict = ran.json()[0]["verdict"].as_str().unwrap().to_owned();
        (ran.code, verdict)
    };
    assert_eq!(verify(), (Some(0), "same".to_owned()));
    fs::write(&path, [&bytes[..], &aof(3)].concat()).unwrap();
    assert_eq!(verify(), (Some(0), "grown".to_owned()));
    assert_eq!(run(&["check"], &path).code, Some(0));
    assert_eq!(run(&["seal"], &path).code, Some(0), "sealed again, up to its new end");
    assert_eq!(verify(), (Some(0), "same".to_owned()));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(verify(), (Some(1), "shorter".to_owned()));
    assert!(run(&["check"], &path).stdout.contains("seal-short"));
    let refused = run(&["seal"], &path);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(run(&["seal", "--force"], &path).code, Some(0));
    let later = SystemTime::now() + Duration::from_secs(10);
    fs::write(&path, bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()).unwrap();
    set_modified(&path, later);
    assert_eq!(verify(), (Some(1), "other".to_owned()));
    assert_eq!(run(&["seal"], &path).code, Some(0), "what was written anew wants a new seal");
}

/// A server writes a new RDB over the old one; little need differ.
#[test]
fn an_rdb_that_was_saved_again() {
    let files = Files::new();
    let path = files.put("dump.rdb", &fs::read(testdata("dump.rdb")).unwrap());
    assert_eq!(run(&["seal"], &path).code, Some(0));
    let out = files.0.path().join("next.rdb");
    let next = ["convert", "--not-key", "user:1*", "--to", "rdb", "--target", "redis-8.2", "-o"];
    assert_eq!(run(&[&next[..], &[out.to_str().unwrap()]].concat(), &path).code, Some(0));
    fs::write(&path, fs::read(&out).unwrap()).unwrap();
    set_modified(&path, SystemTime::now() + Duration::from_secs(10));
    let json = run(&["seal", "--verify", "--json"], &path).json();
    assert_eq!(json[0]["verdict"], "other");
    let checked = run(&["check", "--json"], &path).json();
    let codes: Vec<_> =
        checked[0]["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
    assert!(codes.iter().any(|code| **code == "seal-other"), "{codes:?}");
    assert_eq!(run(&["seal"], &path).code, Some(0));
}

#[test]
fn a_damaged_seal_is_told_and_not_believed() {
    let files = Files::new();
    let path = files.put("a.aof", &aof(1000));
    assert_eq!(run(&["seal"], &path).code, Some(0));
    let seal = files.0.path().join("a.aof.seal");
    let good = fs::read(&seal).unwrap();
    // In a value: nothing else is wrong with the file.
    let text = fs::read(&path).unwrap();
    let inside = text.windows(9).position(|text| text == b"some text").unwrap() + 4;
    for at in [0, 8, 17, 40, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&seal, &bad).unwrap();
        flip(&path, inside, 1);
        let verified = run(&["seal", "--verify", "--json"], &path);
        assert_eq!(verified.json()[0]["verdict"], "unusable", "byte {at}");
        assert_eq!(verified.code, Some(1));
        let before = fs::read(&path).unwrap();
        let checked = run(&["check"], &path);
        assert!(checked.stdout.contains("warning seal-unusable"), "{}", checked.stdout);
        run(&["repair", "--in-place"], &path);
        assert!(fs::read(&path).unwrap() == before, "byte {at}: nothing is healed by it");
        flip(&path, inside, 1);
    }
    let hostile: [&[u8]; 4] = [b"", b"RDBTSEAL", &[0; 100], &[0xff; 5000]];
    for bytes in hostile {
        fs::write(&seal, bytes).unwrap();
        assert_eq!(run(&["seal", "--verify"], &path).code, Some(1));
    }
}

#[test]
fn an_aof_of_several_files() {
    let files = Files::new();
    let folder = files.0.path().join("server");
    copy(&testdata("aof/redis-7.0.15-timestamps"), &folder);
    let ran = run(&["seal", "--json"], &folder);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let parts: Vec<PathBuf> =
        ran.json().iter().map(|line| line["path"].as_str().unwrap().into()).collect();
    assert!(parts.len() >= 2, "{ran:?}");
    assert_eq!(run(&["seal", "--verify"], &folder).code, Some(0));
    let manifest = parts[0].parent().unwrap().join("appendonly.aof.manifest");
    let clean = run(&["check", "--json"], &manifest);
    let old: Vec<Vec<u8>> = parts.iter().map(|part| fs::read(part).unwrap()).collect();
    for part in &parts {
        let len = fs::metadata(part).unwrap().len() as usize;
        flip(part, len / 2, 0x20);
    }
    let checked = run(&["check"], &folder);
    assert_eq!(
        checked.stdout.matches("error seal-block").count(),
        parts.len(),
        "{}",
        checked.stdout
    );
    let healed = run(&["repair", "--in-place"], &manifest);
    assert_eq!(healed.code, Some(0), "{healed:?}");
    for (part, old) in parts.iter().zip(&old) {
        assert!(fs::read(part).unwrap() == *old, "{}", part.display());
    }
    assert_eq!(run(&["check", "--json"], &manifest), clean);
}

#[test]
fn what_is_sealed_and_what_not() {
    let files = Files::new();
    let path = files.put("any.bin", b"");
    assert_eq!(run(&["seal"], &path).code, Some(0), "an empty file");
    assert_eq!(run(&["seal", "--verify"], &path).code, Some(0));
    let seal = files.0.path().join("any.bin.seal");
    let again = run(&["seal"], &seal);
    assert!(again.stderr.contains("is a seal itself"), "{}", again.stderr);
    assert_eq!(files.names(), ["any.bin", "any.bin.seal"]);
    assert_eq!(run(&["seal"], Path::new("-")).code, Some(2));
    assert_eq!(run(&["seal"], Path::new("/no/such")).code, Some(2));
    assert_eq!(run(&["seal"], files.0.path()).code, Some(2), "a folder without an RDB or AOF");
}

#[test]
fn files_that_are_no_dumps_are_healed_too() {
    let files = Files::new();
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let path = files.put("backup.tar", &bytes);
    assert_eq!(run(&["seal"], &path).code, Some(0));
    flip(&path, 100_000, 0x81);
    flip(&path, 3, 0x01);
    let healed = run(&["repair", "--in-place"], &path);
    assert_eq!(healed.code, Some(0), "{healed:?}");
    assert!(fs::read(&path).unwrap() == bytes);
}
