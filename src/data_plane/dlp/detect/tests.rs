//! All detectors together.

use proptest::prelude::*;

use super::detect;
use crate::data_plane::dlp::finding::Kind;

fn found(text: &str) -> Vec<(Kind, &str)> {
    detect(text).iter().map(|finding| (finding.kind, &text[finding.range()])).collect()
}

#[test]
fn the_contracts_example_is_found_with_exact_spans() {
    assert_eq!(
        found("é: jean.dupont@example.fr, IBAN FR7630006000011234567890189"),
        [(Kind::EMAIL_ADDRESS, "jean.dupont@example.fr"), (Kind::IBAN_CODE, "FR7630006000011234567890189")]
    );
}

#[test]
fn kinds_beside_each_other_are_told_apart() {
    let text = "Contact: Jean, 06 12 34 56 78, jean@example.fr, carte 4111 1111 1111 1111, IBAN FR76 3000 6000 0112 3456 7890 189.";
    assert_eq!(
        found(text),
        [
            (Kind::PERSON, "Jean"),
            (Kind::PHONE_NUMBER, "06 12 34 56 78"),
            (Kind::EMAIL_ADDRESS, "jean@example.fr"),
            (Kind::CREDIT_CARD, "4111 1111 1111 1111"),
            (Kind::IBAN_CODE, "FR76 3000 6000 0112 3456 7890 189"),
        ]
    );
}

#[test]
fn an_address_inside_a_url_with_credentials_is_part_of_it() {
    assert_eq!(
        found("git clone https://me:pw1@git.example.com/x"),
        [(Kind::URL_CREDENTIALS, "https://me:pw1@git.example.com")]
    );
}

#[test]
fn prose_without_personal_data_has_no_findings() {
    for text in [
        "",
        "Le chiffre d'affaires s'élève à 1 234 567,89 € en 2025, soit 12,5 % de plus qu'en 2024.",
        "Release 1.2.3 of 2026-11-20 fixes #1234567 and bumps serde to 1.0.228 (see commit 9f86d081884c7d65).",
        "127.0.0.1:8080 - - [20/Nov/2026:10:00:00 +0000] \"GET /a/1234567890 HTTP/1.1\" 200 12345678",
        "Section 4.2.1, pages 1234-1250, ISBN 978-3-16-148410-0, DOI 10.1000/182.",
        "let x: [u64; 4] = [12345678901234567, 0, 1_000_000_000, 0xdeadbeef];",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_scanned_without_panic_and_findings_are_ordered_slices(text in any::<Vec<u8>>()) {
        let text = String::from_utf8_lossy(&text).into_owned();
        check_findings(&text);
    }

    #[test]
    fn texts_of_anchors_are_scanned_without_panic(pieces in prop::collection::vec(piece(), 0..40)) {
        check_findings(&pieces.concat());
    }
}

/// How far what follows a finding may tell what it is, in bytes.
const FOLLOWING_BYTES: usize = 512;

proptest! {
    #[test]
    fn what_follows_far_behind_changes_nothing(pieces in prop::collection::vec(piece(), 0..30), more in prop::collection::vec(piece(), 0..30)) {
        let first = format!("{}\n{}", pieces.concat(), "\n.".repeat(FOLLOWING_BYTES));
        let both = format!("{first}{}", more.concat());
        let upto = pieces.concat().len();
        let early = |text: &str| detect(text).into_iter().filter(|finding| finding.end <= upto).collect::<Vec<_>>();
        prop_assert_eq!(early(&first), early(&both));
    }

    #[test]
    fn the_same_text_has_the_same_findings(pieces in prop::collection::vec(piece(), 0..30)) {
        let text = pieces.concat();
        prop_assert_eq!(detect(&text), detect(&text));
    }
}

/// INVARIANT: findings are in order, apart, not empty, and on character boundaries.
fn check_findings(text: &str) {
    let mut last = 0;
    for finding in detect(text) {
        assert!(finding.start >= last && !finding.is_empty());
        assert!(text.get(finding.range()).is_some());
        last = finding.end;
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("@".to_owned()),
        Just("+33".to_owned()),
        Just("tel ".to_owned()),
        Just("FR76".to_owned()),
        Just("://".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("eyJ".to_owned()),
        Just("sk-".to_owned()),
        Just("Dear ".to_owned()),
        Just("Nom : ".to_owned()),
        Just("née le ".to_owned()),
        Just("SIREN ".to_owned()),
        Just("passport ".to_owned()),
        Just("12 rue de ".to_owned()),
        Just(" Baker Street, ".to_owned()),
        Just("Regards,\n".to_owned()),
        Just("name,siren,dob\n".to_owned()),
        Just("0x".to_owned()),
        Just("Élodie d’".to_owned()),
        Just(" <".to_owned()),
        "[0-9a-f]{1,4}[:.-]",
        "[A-ZÀ-Ý][a-zà-ÿ]{1,8} ",
        Just("é".to_owned()),
        Just("\u{a0}".to_owned()),
        Just("(0)".to_owned()),
        Just("'".to_owned()),
        "[0-9]{1,20}",
        "[ ./:-]{1,3}",
        "[a-zA-Z]{1,12}",
        any::<char>().prop_map(String::from),
    ]
}
