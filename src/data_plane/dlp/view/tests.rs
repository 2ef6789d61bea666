//! The views as a whole: what is hidden is found where it is written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use crate::data_plane::dlp::detect::{resolve, scan};
use crate::data_plane::dlp::finding::{Finding, Kind};

const MAIL: &str = "jean.dupont@example.fr";
const CARD: &str = "4111111111111111";

fn direct(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    scan(text, &mut findings);
    findings
}

fn examine(text: &str) -> Vec<Finding> {
    resolve(super::examine(text, &direct))
}

fn found(text: &str) -> Vec<(Kind, &str)> {
    examine(text).iter().map(|finding| (finding.kind, &text[finding.range()])).collect()
}

fn every(text: &str, spell: impl Fn(char) -> String) -> String {
    text.chars().map(spell).collect()
}

/// A text in every disguise that is looked through.
fn disguises(text: &str) -> Vec<String> {
    let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).filter(|_| c != ' ').unwrap_or(c).to_string();
    let arabic = |c: char| c.to_digit(10).and_then(|value| char::from_u32(0x660 + value)).unwrap_or(c).to_string();
    let bold = |c: char| c.to_digit(10).and_then(|value| char::from_u32(0x1D7CE + value)).unwrap_or(c).to_string();
    let look_alike = |c: char| match c {
        'a' => 'а',
        'e' => 'е',
        'p' => 'р',
        'o' => 'ο',
        c => c,
    };
    vec![
        text.to_owned(),
        every(text, |c| format!("%{:02X}", u32::from(c))),
        text.replace('@', "%40").replace('1', "%31"),
        every(text, |c| format!("\\u{:04x}", u32::from(c))),
        text.replace('@', r"\u0040").replace('1', r"\u0031"),
        text.replace('@', r"\x40").replace('1', r"\x31"),
        every(text, |c| format!("&#{};", u32::from(c))),
        text.replace('@', "&commat;").replace('1', "&#x31;"),
        every(text, wide),
        every(text, arabic),
        every(text, bold),
        every(text, |c| format!("{c}\u{200b}")),
        text.replace('@', "\u{ad}@\u{2060}").replace('1', "1\u{feff}"),
        every(text, |c| format!("{c}\u{202a}\u{200d}")),
        every(text, |c| look_alike(c).to_string()),
        text.replace('@', "[at]").replace('.', "[dot]"),
        text.replace('@', " (at) "),
        text.replace('@', " arobase ").replace('.', " point "),
        text.replace('@', " at ").replace('.', " dot "),
        STANDARD.encode(text),
        STANDARD_NO_PAD.encode(format!("mail: {text} !")),
        URL_SAFE_NO_PAD.encode(format!("{{\"id\":\"{text}\"}}")),
        hex::encode(text),
        every(text, |c| char::from_u32(0xE0000 + u32::from(c)).expect("a tag").to_string()),
    ]
}

#[test]
fn what_is_disguised_is_found_as_it_is_written() {
    for (kind, value) in [(Kind::EMAIL_ADDRESS, MAIL), (Kind::CREDIT_CARD, CARD)] {
        for disguise in disguises(value) {
            for text in [
                disguise.clone(),
                format!("voilà : {disguise} merci"),
                format!("{{\"value\":\"{disguise}\",\"next\":1}}"),
                format!("{}\n{disguise}\n{}", "lorem ipsum ".repeat(40), "dolor sit amet ".repeat(40)),
            ] {
                let findings = found(&text);
                let hit = findings.iter().find(|(found, _)| *found == kind);
                let Some((_, span)) = hit else { panic!("{kind} in {text:?}: {findings:?}") };
                assert!(
                    span.trim_end_matches(['\u{200b}', '\u{200d}', '\u{202a}', '\u{feff}']).len() + 12
                        >= disguise.len().min(span.len()),
                    "{span:?}"
                );
                assert!(disguise.contains(span) || span.contains(&disguise), "{span:?} of {disguise:?}");
            }
        }
    }
}

#[test]
fn each_of_several_spelt_addresses_is_found() {
    let text = "ann at example dot com and bob at example dot org or eve dot x at mail dot example dot net";
    let expected = ["ann at example dot com", "bob at example dot org", "eve dot x at mail dot example dot net"];
    assert_eq!(found(text), expected.map(|address| (Kind::EMAIL_ADDRESS, address)));
    let lead = "dot com or dot net, the dot is a dot and no dot at all: dot dot dot dot ";
    assert_eq!(found(&format!("{lead}{text}"))[..], found(text)[..]);
}

#[test]
fn a_segment_is_hidden_as_a_whole() {
    for (before, after) in
        [("", ""), ("key=", ";"), ("https://example.org/path/to/", "?x=1"), ("Basic ", "\n"), ("\"", "\"")]
    {
        let segment = STANDARD.encode(format!("{MAIL}:hunter2"));
        let text = format!("{before}{segment}{after}");
        assert_eq!(found(&text), [(Kind::EMAIL_ADDRESS, segment.as_str())], "{text}");
    }
}

#[test]
fn of_a_long_segment_the_groups_that_spell_a_finding_are_hidden() {
    for lead in [10_000, 48 * 1024 * 3 / 4 - 8, 200_000] {
        let text = STANDARD.encode(format!("{}{MAIL} {}", "lorem ipsum ".repeat(lead / 12), "dolor ".repeat(5_000)));
        let findings = examine(&text);
        let hidden: String = findings.iter().map(|finding| &text[finding.range()]).collect();
        let spelt = String::from_utf8(STANDARD.decode(hidden).expect("whole groups")).expect("text");
        assert!(spelt.contains(MAIL) && spelt.len() < MAIL.len() + 6, "{spelt}");
    }
}

#[test]
fn what_looks_encoded_and_is_not_is_left_alone() {
    for text in [
        "/usr/local/lib/python3.12/site-packages/numpy/core/multiarray.py",
        "d41d8cd98f00b204e9800998ecf8427e da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "550e8400-e29b-41d4-a716-446655440000",
        "internationalisation institutionnellement anticonstitutionnellement",
        "100 % sûr, 50%20 off, C:\\new\\table\\users, a && b, f(at) [data] {dot}",
        "Meet at noon; connect the dots. Les points à l'ordre du jour.",
        "слово текст привет, 日本語のテキスト, العربية, ελληνικά",
        "x = [1, 2, 3]; y = {a: 1}; if (a < b) { return &c; }",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

proptest! {
    /// INVARIANT I142: readings add to what is found, and every span can be taken out and put back.
    #[test]
    fn readings_only_add(text in any_text()) {
        let (written, all) = (resolve(direct(&text)), examine(&text));
        for finding in &written {
            prop_assert!(all.iter().any(|other| other.start <= finding.start && finding.end <= other.end));
        }
        let mut last = 0;
        for finding in &all {
            prop_assert!(finding.start >= last && finding.start < finding.end && text.get(finding.range()).is_some());
            last = finding.end;
        }
    }

    /// A finding of one disguise among texts of all kinds.
    #[test]
    fn surroundings_hide_nothing(before in any_text(), which in 0_usize..24, after in any_text()) {
        let disguise = &disguises(MAIL)[which];
        let text = format!("{before}\n{disguise}\n{after}");
        let (start, end) = (before.len() + 1, before.len() + 1 + disguise.len());
        let all = examine(&text);
        prop_assert!(all.iter().any(|f| f.start < end && start < f.end && f.len() + 9 >= disguise.len()), "{text:?} {all:?}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 .,@%\\\\&;#()\\[\\]]{0,24}",
        "\\PC{0,12}",
        prop::sample::select(disguises(MAIL)),
        prop::sample::select(disguises(CARD)),
        Just("\u{200b}\u{200d}".to_owned()),
        Just("\\n\\t%20%C3%A9&amp;".to_owned()),
        Just(" at x dot y dot ".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}
