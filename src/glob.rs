//! Glob patterns as Redis matches them (`KEYS`, `SCAN MATCH`, `--match`): `*`, `?`, `[a-z]`, `[^a]`,
//! `\x`, over bytes.
//!
//! Every token but `*` takes exactly one byte, so remembering only the last `*` is enough: when a
//! byte does not fit, that star takes one byte more and matching goes on behind it. The cost is at
//! most pattern × text and there is no recursion, where the servers' own matcher has been driven to
//! exponential time and deep recursion (CVE-2022-36021, CVE-2024-31228).

/// Does `pattern` match all of `text`?
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, |byte| byte)
}

/// The same, letters of either case being equal.
pub fn matches_nocase(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, |byte| byte.to_ascii_lowercase())
}

fn run(pattern: &[u8], text: &[u8], fold: impl Fn(u8) -> u8) -> bool {
    let (mut rest, mut pos) = (pattern, 0);
    // The pattern behind the last star, and the text it has not taken.
    let mut star: Option<(&[u8], usize)> = None;
    loop {
        if let [b'*', behind @ ..] = rest {
            star = Some((behind, pos));
            rest = behind;
            continue;
        }
        let fits = match text.get(pos) {
            None if rest.is_empty() => return true,
            None => return false,
            Some(&byte) => one(rest, byte, &fold),
        };
        if let Some(behind) = fits {
            (rest, pos) = (behind, pos + 1);
        } else if let Some((behind, taken)) = star {
            star = Some((behind, taken + 1));
            (rest, pos) = (behind, taken + 1);
        } else {
            return false;
        }
    }
}

/// The pattern behind its first token (no star), if that token takes `byte`.
fn one<'p>(pattern: &'p [u8], byte: u8, fold: &impl Fn(u8) -> u8) -> Option<&'p [u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte, fold),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            (fold(*literal) == fold(byte)).then_some(rest)
        }
        [] => None,
    }
}

/// The inside of `[…]`. The first `]` ends it, even directly behind the `[`; so does the end of the
/// pattern.
fn class<'p>(mut rest: &'p [u8], byte: u8, fold: &impl Fn(u8) -> u8) -> Option<&'p [u8]> {
    let byte = fold(byte);
    let negated = rest.first() == Some(&b'^');
    if let (true, [_, behind @ ..]) = (negated, rest) {
        rest = behind;
    }
    let mut hit = false;
    loop {
        rest = match rest {
            [b'\\', literal, behind @ ..] => {
                hit |= fold(*literal) == byte;
                behind
            }
            [b']', behind @ ..] => return (hit != negated).then_some(behind),
            [] => return (hit != negated).then_some(rest),
            [low, b'-', high, behind @ ..] => {
                let (low, high) = (fold(*low.min(high)), fold(*low.max(high)));
                hit |= (low..=high).contains(&byte);
                behind
            }
            [literal, behind @ ..] => {
                hit |= fold(*literal) == byte;
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let cases: &[(&str, &str, bool)] = &[
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**a", "bba", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeello", true),
            ("*ab*cd", "xabyabcd", true),
            ("*ab*cd", "xabyabc", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("h\\*llo", "h*llo", true),
            ("h\\*llo", "hxllo", false),
            ("a\\", "a\\", true),
            ("[]a", "]a", false),
            ("[^]a", "xa", true),
            ("[\\]]", "]", true),
            ("[a", "a", true),
            ("[a", "b", false),
            ("[a-]", "_", true), // the range a..] takes the bracket, and the pattern's end closes the class
            ("a[", "a[", false),
            ("A", "a", false),
        ];
        for &(pattern, text, want) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                want,
                "{pattern:?} on {text:?}"
            );
        }
        assert!(matches_nocase(b"H[A-C]L*", b"hBLlo"));
        assert!(matches(b"\xff?\x00*", b"\xff\xfe\x00"));
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        let pattern: Vec<u8> = b"a*".repeat(500);
        let text = vec![b'a'; 20_000];
        assert!(matches(&pattern, &text));
        let mut pattern = pattern;
        pattern.push(b'b');
        assert!(!matches(&pattern, &text));
    }
}
