//! Lines that a reviewer should look at, found by known marks. A list of places to read, not a verdict.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::segment;

/// The most findings that are listed; further ones are counted.
pub(super) const LISTED_MAX: usize = 40;
/// How much of a line is quoted, in bytes.
const QUOTE_BYTES_MAX: usize = 120;

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Work that its author left open.
    Unfinished,
    /// A credential in the text. Its value is not quoted.
    Credential,
    /// A call that runs what it is given.
    Injection,
    /// Cryptography or transport that is not safe any more, or switched off.
    WeakProtection,
    /// A way round the language's own checks.
    Unchecked,
}

/// One line to look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) quote: String,
}

const MARKS: &[(&str, Kind)] = &[
    ("TODO", Kind::Unfinished),
    ("FIXME", Kind::Unfinished),
    ("XXX", Kind::Unfinished),
    ("HACK", Kind::Unfinished),
    ("unimplemented!", Kind::Unfinished),
    ("password", Kind::Credential),
    ("passwd", Kind::Credential),
    ("mot de passe", Kind::Credential),
    ("secret", Kind::Credential),
    ("api_key", Kind::Credential),
    ("apikey", Kind::Credential),
    ("private key-----", Kind::Credential),
    ("eval(", Kind::Injection),
    ("exec(", Kind::Injection),
    ("os.system(", Kind::Injection),
    ("shell=True", Kind::Injection),
    ("pickle.loads(", Kind::Injection),
    ("innerHTML", Kind::Injection),
    ("md5", Kind::WeakProtection),
    ("sha1", Kind::WeakProtection),
    ("verify=False", Kind::WeakProtection),
    ("InsecureSkipVerify", Kind::WeakProtection),
    ("chmod 777", Kind::WeakProtection),
    ("http://", Kind::WeakProtection),
    ("unsafe", Kind::Unchecked),
    (".unwrap()", Kind::Unchecked),
    ("@ts-ignore", Kind::Unchecked),
    ("# noqa", Kind::Unchecked),
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(MARKS.iter().map(|(mark, _)| mark))
        .ok()
});

/// The findings in the order of the lines, one a line, and how many more there are.
pub(super) fn find(text: &str) -> (Vec<Finding>, usize) {
    let (mut found, mut more) = (Vec::new(), 0_usize);
    let Some(search) = SEARCH.as_ref() else { return (found, more) };
    for (number, line) in text.lines().enumerate() {
        let Some(kind) =
            search.find_iter(line).find_map(|hit| judge(line, hit.start()..hit.end(), hit.pattern().as_usize()))
        else {
            continue;
        };
        if found.len() >= LISTED_MAX {
            more = more.saturating_add(1);
        } else {
            found.push(Finding { line: number.saturating_add(1), kind, quote: quote(line, kind) });
        }
    }
    (found, more)
}

/// A mark counts where it stands as a word of its own; a credential where a value follows; plain HTTP where it leaves the host.
fn judge(line: &str, at: std::ops::Range<usize>, mark: usize) -> Option<Kind> {
    let (word, kind) = MARKS.get(mark)?;
    let before = line.get(..at.start).unwrap_or_default();
    let after = line.get(at.end..).unwrap_or_default();
    let letter = |c: char| c.is_alphanumeric();
    let begins = !word.starts_with(letter) || !before.ends_with(letter);
    let ends = !word.ends_with(letter) || !after.starts_with(letter);
    let holds = match kind {
        Kind::Credential => word.ends_with('-') || gives_value(after),
        Kind::WeakProtection if word.starts_with("http") => {
            !["localhost", "127.0.0.1", "[::1]"].iter().any(|host| after.starts_with(host))
        }
        Kind::WeakProtection | Kind::Unfinished | Kind::Injection | Kind::Unchecked => true,
    };
    (begins && (ends || *kind == Kind::Credential) && holds).then_some(*kind)
}

/// Whether a value follows: in quotes, or a word with a digit in it. A type or a call does not give away anything.
fn gives_value(after: &str) -> bool {
    let Some(value) = after.trim_start_matches(['"', '\'', ' ']).strip_prefix(['=', ':']) else { return false };
    let value = value.trim_start_matches(['=', ' ']);
    let quoted = value.starts_with(['"', '\'']) && value.chars().nth(1).is_some_and(|c| !matches!(c, '"' | '\''));
    let word = value.split_whitespace().next().unwrap_or_default();
    quoted || (word.contains(|c: char| c.is_ascii_digit()) && !word.contains("::") && !word.contains('('))
}

fn quote(line: &str, kind: Kind) -> String {
    let line = line.trim();
    let shown = match kind {
        Kind::Credential => match line.find(['=', ':']) {
            Some(sign) => format!("{} …", line.get(..=sign).unwrap_or_default()),
            None => segment::clip(line, QUOTE_BYTES_MAX).into_owned(),
        },
        Kind::Unfinished | Kind::Injection | Kind::WeakProtection | Kind::Unchecked => line.to_owned(),
    };
    segment::clip(&shown.replace('`', "'"), QUOTE_BYTES_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_with_their_lines() {
        let text =
            "fine\n// TODO: later\npassword = \"hunter2\"\nlet x = unsafe { y };\nsee http://localhost/\nmethodology\n";
        let (found, more) = find(text);
        let brief: Vec<_> = found.iter().map(|finding| (finding.line, finding.kind)).collect();
        assert_eq!(brief, [(2, Kind::Unfinished), (3, Kind::Credential), (4, Kind::Unchecked)]);
        assert_eq!(more, 0);
        assert!(!found[1].quote.contains("hunter2"), "{}", found[1].quote);
    }

    #[test]
    fn prose_about_secrets_is_no_finding() {
        assert_eq!(find("The secret of a good password is its length. An unsafety. Mastodon.").0, []);
        assert_eq!(find("password: String,\napi_key: KeySource::None,\nlet secret = read(2);").0, []);
        assert_eq!(find("mot de passe : azerty12").0.len(), 1);
    }

    #[test]
    fn the_list_is_bounded() {
        let (found, more) = find(&"TODO\n".repeat(LISTED_MAX + 7));
        assert_eq!((found.len(), more), (LISTED_MAX, 7));
    }
}
