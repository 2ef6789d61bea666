//! The filter against the whole text: what is told is what the whole text is told as, and nothing of a finding before.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::data_plane::dlp::detect::detect;
use crate::data_plane::dlp::pseudonym::PseudonymKey;
use crate::data_plane::dlp::rules::tests::positives;
use crate::domain::protection::Action;

fn find(text: &str) -> Vec<Finding> {
    detect(text)
}

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(PseudonymKey::from_bytes([7; 32]), "acme".parse().expect("a tenant"))
}

fn filter(action: Action) -> StreamFilter {
    StreamFilter::new((Arc::new(find), Sight::SHIPPED), action.into(), pseudonyms(), "")
}

fn whole(text: &str, action: Action) -> String {
    let examined = Examined { text: text.into(), findings: find(text) };
    let redaction = redact(&[examined], &action.into(), &[], &pseudonyms()).expect("not blocked");
    redaction.texts[0].expose().to_owned()
}

/// The text in pieces of these sizes, over and over.
fn pieces<'t>(text: &'t str, sizes: &[usize]) -> Vec<&'t str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.ceil_char_boundary((*size).min(rest.len())));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// What is told of a text in such pieces.
fn told(text: &str, sizes: &[usize], action: Action) -> String {
    let (mut filter, mut told) = (filter(action), String::new());
    for piece in pieces(text, sizes) {
        told.push_str(&filter.push(piece).expect("not blocked").text);
        assert!(filter.held() <= HELD_BYTES_MAX, "{} held", filter.held());
    }
    told + &filter.finish().expect("not blocked").text
}

/// A body that varies as a key does; written so that no key stands in this file.
fn body(length: usize) -> String {
    "aB3dE5fG7hJ9kL2mN4pQ6rS8tU".chars().cycle().take(length).collect()
}

fn pem(lines: usize) -> String {
    let lines: String = (0..lines).map(|_| body(64) + "\n").collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{lines}-----END RSA PRIVATE KEY-----")
}

fn web_token(claims: usize) -> String {
    let part = |text: &str| STANDARD.encode(text).trim_end_matches('=').to_owned();
    format!("{}.{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), body(claims), body(43))
}

/// Every kind that is found, in several spellings.
fn secrets() -> Vec<String> {
    [
        "jean.dupont@example.fr",
        "4111 1111 1111 1111",
        "4111111111111111",
        "3782-822463-10005",
        "FR76 3000 6000 0112 3456 7890 189",
        "DE89370400440532013000",
        "+33 6 12 34 56 78",
        "tél. 01 23 45 67 89",
        "+1 (212) 555-0123",
        "postgres://admin:s3cr3t@db.example.com:5432",
        "jean%2Edupont%40example.fr",
        r"jean\u002edupont\u0040example.fr",
        "jean&#46;dupont&#64;example&#46;fr",
        "je\u{200b}an@exam\u{200b}ple.fr",
        "４１１１ １１１１ １１１１ １１１１",
        "jean [at] example [dot] fr",
        "jean dot dupont at example dot com",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        format!("ghp_{}", body(36)),
        format!("AKIA{}", body(16).to_uppercase()),
        format!("sk-proj-{}", body(160)),
        STANDARD.encode("{\"mail\":\"jean.dupont@example.fr\",\"card\":\"4111111111111111\"}"),
        hex::encode("write to jean.dupont@example.fr"),
        web_token(900),
        pem(12),
    ])
    .collect()
}

const PROSE: &str = "The committee met in the spring and reviewed what was agreed before; nothing in it changes. ";

#[test]
fn every_kind_is_held_together_wherever_it_is_cut() {
    for secret in secrets() {
        let text = format!("{PROSE}{PROSE}{PROSE}: {secret} ; {PROSE}{PROSE}{PROSE}");
        let expected = whole(&text, Action::Mask);
        assert!(!expected.contains(&secret), "{secret} is found");
        let start = text.find(&secret).expect("there");
        for at in (start..start + secret.len()).filter(|at| text.is_char_boundary(*at)).take(120) {
            assert_eq!(told(&text, &[at, text.len()], Action::Mask), expected, "{secret} cut at {}", at - start);
        }
        for size in [1, 3, 7, 50] {
            assert_eq!(told(&text, &[size], Action::Mask), expected, "{secret} by {size}");
        }
    }
}

/// What makes the sight of the shipped rules enough.
#[test]
fn nothing_that_a_shipped_rule_finds_is_told() {
    for positive in positives() {
        let text = format!("{PROSE}{PROSE}{PROSE}\n{positive}\n{PROSE}{PROSE}{PROSE}");
        for size in [5, 61] {
            let clear = told_as_written(&text, &[size]);
            for finding in find(&text) {
                let told = clear.iter().find(|told| told.start < finding.end && finding.start < told.end);
                assert_eq!(told, None, "{finding:?} of {positive} by {size}");
            }
        }
    }
}

#[test]
fn a_private_key_that_is_never_closed_is_not_told() {
    let lines: String = (0..12).map(|_| body(64) + "\n").collect();
    for opening in [
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2.1 (GNU/Linux)\nComment: a - b.\n\n",
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: me@host\nPrivate-Lines: 12\n",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"a (b)\"\n",
    ] {
        let text = format!("{PROSE}\n{opening}{lines}");
        for size in [3, 64] {
            let told = told(&text, &[size], Action::Mask);
            assert_eq!(told, format!("{PROSE}\n<PRIVATE_KEY>"), "{opening} by {size}");
        }
    }
}

/// What an operator's rule looks for may have blanks, and stand far from its keyword.
#[test]
fn what_an_operators_rule_finds_is_held_as_far_as_the_rule_reaches() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let rule = r#"
        [[rule]]
        id = "case-file"
        type = "CUSTOM_CASE_FILE"
        keywords = ["dossier"]
        before = 2000
        after = 2000
        pattern = '(?s)open .*? shut'
    "#;
    std::fs::write(file.path(), rule).expect("written");
    let detectors = crate::data_plane::dlp::rules::load(file.path()).expect("sound rules").detectors;
    let sight = detectors.sight();
    assert!(sight.after > 4_000 && sight.before > 4_000);
    let middle = PROSE.to_lowercase().repeat(8);
    for text in [
        format!("{}open {middle} shut, says the dossier. {}", PROSE.repeat(60), PROSE.repeat(60)),
        format!("{}The dossier: {middle}open {middle} shut {}", PROSE.repeat(60), PROSE.repeat(60)),
    ] {
        let detectors = detectors.clone();
        let detect: Detect = Arc::new(move |text: &str| detectors.candidates(text));
        let mut filter = StreamFilter::new((detect, sight), Action::Mask.into(), pseudonyms(), "");
        let mut told = String::new();
        for piece in pieces(&text, &[64]) {
            told.push_str(&filter.push(piece).expect("not blocked").text);
        }
        told.push_str(&filter.finish().expect("not blocked").text);
        assert!(told.contains("<CUSTOM_CASE_FILE>") && !told.contains("open the"), "{told}");
    }
}

#[test]
fn plain_words_are_told_soon() {
    let text = PROSE.repeat(20);
    let (mut filter, mut told) = (filter(Action::Mask), 0);
    for piece in pieces(&text, &[4]) {
        told += filter.push(piece).expect("not blocked").text.len();
        assert!(filter.held() < Sight::SHIPPED.after + 16, "{} held of {}", filter.held(), told + filter.held());
    }
}

#[test]
fn a_text_without_blanks_is_told_too() {
    for (unit, count) in [("文章を書くことは楽しい。", 4_000), ("x", 300_000), ("aB3/", 60_000)] {
        let text = unit.repeat(count);
        assert_eq!(told(&text, &[1_000, 17], Action::Mask), text);
    }
}

#[test]
fn long_secrets_are_hidden_as_a_whole() {
    for secret in [pem(900), web_token(16_000), pem(12).replace('\n', "\\n")] {
        let text = format!("{PROSE}{secret}\n{PROSE}{PROSE}{PROSE}");
        for size in [64, 4_096] {
            assert_eq!(told(&text, &[size], Action::Mask), whole(&text, Action::Mask));
        }
    }
}

#[test]
fn what_is_spelt_in_a_long_segment_is_hidden_wherever_it_is() {
    for lead in [60_000, 90_000, 200_000] {
        let segment =
            STANDARD.encode(format!("{}jean.dupont@example.fr {}", "lorem ".repeat(lead / 6), "ipsum ".repeat(30_000)));
        let text = format!("data:text/plain;base64,{segment} end");
        assert_eq!(told(&text, &[1_500], Action::Mask), whole(&text, Action::Mask));
    }
}

#[test]
fn a_block_ends_the_stream_before_what_is_blocked() {
    let text = format!("{PROSE}jean.dupont@example.fr {PROSE}{PROSE}{PROSE}{PROSE}");
    let (mut filter, mut told) = (filter(Action::Block), String::new());
    let refused = pieces(&text, &[5]).into_iter().find_map(|piece| match filter.push(piece) {
        Ok(released) => {
            told.push_str(&released.text);
            None
        }
        Err(blocked) => Some(blocked),
    });
    assert_eq!(refused, Some(Withheld::Blocked(vec![crate::data_plane::dlp::finding::Kind::EMAIL_ADDRESS])));
    assert!(PROSE.starts_with(&told), "{told}");
}

#[test]
fn a_word_that_was_told_before_says_what_follows() {
    let (said, number) = (format!("{PROSE}Mon téléphone : "), "44 20 79 46 09 58");
    assert_eq!(find(number), []);
    let expected = whole(&format!("{said}{number}"), Action::Mask);
    assert!(!expected.contains(number));
    let mut filter = StreamFilter::new((Arc::new(find), Sight::SHIPPED), Action::Mask.into(), pseudonyms(), &said);
    let first = filter.push(number).expect("not blocked").text;
    let told = first + &filter.finish().expect("not blocked").text;
    assert_eq!(format!("{said}{told}"), expected);
}

#[test]
fn held_text_is_not_printed() {
    let mut filter = filter(Action::Mask);
    let _released = filter.push("jean.dupont@example.fr");
    assert_eq!(format!("{filter:?}"), "<filter that holds 22 bytes>");
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(secrets()),
        2 => proptest::sample::select(positives()),
        2 => "[a-z]{1,9}( [a-z]{1,9}){0,12}[.;:]? ",
        1 => "[A-Za-z0-9@.%&;\\\\(\\[ ]{0,30}",
        1 => "([0-9]{1,4}[ .-]){1,9}",
        1 => "\\PC{0,20}",
        1 => Just("\n\n".to_owned()),
        1 => Just(PROSE.to_owned()),
        1 => Just("Téléphone : ".to_owned()),
    ]
}

proptest! {
    /// INVARIANT I140 and I141: nothing of a finding of the whole text is told, whatever comes before and after it.
    #[test]
    fn nothing_of_a_finding_is_told(
        parts in proptest::collection::vec((piece(), " | ; |\n|"), 0..14),
        sizes in proptest::collection::vec(1_usize..60, 1..12),
    ) {
        let text: String = parts.iter().flat_map(|(part, between)| [part.as_str(), between]).collect();
        let clear = told_as_written(&text, &sizes);
        for finding in find(&text) {
            let told = clear.iter().find(|told| told.start < finding.end && finding.start < told.end);
            prop_assert_eq!(told, None, "{:?} of {:?}", finding, text);
        }
    }

    /// Pieces that are apart are told as the whole text is.
    #[test]
    fn pieces_are_told_as_the_whole(
        parts in proptest::collection::vec(proptest::sample::select(secrets()), 0..10),
        sizes in proptest::collection::vec(1_usize..60, 1..12),
        action in proptest::sample::select(vec![Action::Mask, Action::Pseudonymise, Action::Hash, Action::Allow]),
    ) {
        let text: String = parts.iter().flat_map(|part| [part.as_str(), ".\n", PROSE]).collect();
        prop_assert_eq!(told(&text, &sizes, action), whole(&text, action));
    }
}

/// The places of a text that are told as they are written, when it comes in such pieces.
fn told_as_written(text: &str, sizes: &[usize]) -> Vec<Range<usize>> {
    let seen: Arc<Mutex<Vec<Finding>>> = Arc::default();
    let known = Arc::clone(&seen);
    let watched = move |text: &str| {
        let findings = find(text);
        known.lock().expect("no poison").clone_from(&findings);
        findings
    };
    let mut filter = StreamFilter::new((Arc::new(watched), Sight::SHIPPED), Action::Mask.into(), pseudonyms(), "");
    let (mut clear, mut pushed, mut released) = (Vec::new(), 0, 0);
    let mut follow = |from: usize, to: usize, released: usize| {
        // Where what was kept begins in the text.
        let findings = seen.lock().expect("no poison").clone();
        let mut at = released;
        for finding in findings.iter().map(|finding| from + finding.start..from + finding.end) {
            clear.push(at..finding.start.clamp(at, to));
            at = at.max(finding.end).min(to);
        }
        clear.push(at..to);
    };
    for piece in pieces(text, sizes) {
        let from = pushed - filter.text.len();
        pushed += piece.len();
        filter.push(piece).expect("not blocked");
        assert!(filter.held() <= HELD_BYTES_MAX);
        let to = pushed - filter.held();
        if to > released {
            follow(from, to, released);
            released = to;
        }
    }
    let from = pushed - filter.text.len();
    filter.finish().expect("not blocked");
    follow(from, text.len(), released);
    clear.into_iter().filter(|told| !told.is_empty()).collect()
}
