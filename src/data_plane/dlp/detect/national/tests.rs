//! Published examples, values computed by the formulas of the sources, near misses, and the words in several languages.

use super::named::CHECKS;
use crate::data_plane::dlp::detect::detect;
use crate::data_plane::dlp::finding::{Kind, Score};

fn found(text: &str) -> Vec<(Kind, &str)> {
    detect(text).iter().map(|finding| (finding.kind, &text[finding.range()])).collect()
}

fn check(name: &str) -> Option<fn(&str) -> bool> {
    CHECKS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

/// Values that each check accepts, from its source or computed apart from this program.
const SOUND: &[(&str, &[&str])] = &[
    // INSEE's own example, and Corsica with both of its letters.
    ("fr_nir", &["2 55 08 14 168 025 38", "185057800608491", "104042B09497202", "271012B66359210", "127102A45166287"]),
    ("fr_siren", &["732829320", "552100554", "404833048", "356000000"]),
    ("fr_siret", &["73282932000074", "55210055400013", "35600000000048", "35600000009075"]),
    ("fr_tva", &["FR44732829320", "FR83404833048", "FR40303265045", "FRK7399859412"]),
    ("us_ssn", &["123456789", "536904399", "899010001"]),
    ("us_itin", &["912701234", "900650001", "999990001"]),
    ("uk_nhs", &["9434765919", "4010232137", "4505577104"]),
    ("uk_nino", &["ab 12 34 56 c", "JG103759A", "AB123456"]),
    ("es_nif", &["12345678Z", "00000000T", "54362315K", "K1234567L"]),
    ("es_nie", &["X1234567L", "Y1234567X", "Z1234567R"]),
    ("it_fiscal_code", &["RSSMRA85T10A562S", "MRTMTT91D08F205J", "MRTMTTVMDLUFNLRM"]),
    ("de_tax_id", &["86095742719", "47036892816", "65929970489"]),
    ("be_national_number", &["85073003328", "17073003384"]),
    ("nl_bsn", &["111222333", "123456782"]),
    ("pl_pesel", &["44051401359", "44051401458", "02070803628"]),
    ("pt_nif", &["123456789", "501442600"]),
    ("ch_ahv", &["7569217076985", "7561234567897"]),
    ("ip_address", &["192.0.2.1", "2001:db8::1"]),
    ("mac_address", &["00:1a:2b:3c:4d:5e", "001A.2B3C.4D5E"]),
    ("wallet", &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]),
];

/// Values that each check refuses: a digit beside a sound one, what is never issued, wrong lengths.
const UNSOUND: &[(&str, &[&str])] = &[
    ("fr_nir", &["255081416802539", "955081416802538", "255081416802", "2550814168025381", "104042C09497202"]),
    ("fr_siren", &["732829321", "73282932", "000000000"]),
    ("fr_siret", &["73282932000075", "73282932100073", "7328293200007"]),
    ("fr_tva", &["FR45732829320", "FR44732829321", "DE44732829320", "FRI7399859412"]),
    ("us_ssn", &["000456789", "666456789", "900456789", "123006789", "123450000", "12345678"]),
    ("us_itin", &["812701234", "912661234", "912891234", "912931234"]),
    ("uk_nhs", &["9434765918", "943476591", "1111111111"]),
    ("uk_nino", &["DB123456C", "AO123456C", "GB123456C", "AB123456E", "AB12345C"]),
    ("es_nif", &["12345678A", "1234567Z", "K1234567A"]),
    ("es_nie", &["X1234567A", "A1234567L", "X123456L"]),
    ("it_fiscal_code", &["RSSMRA85T10A562T", "RSSMRA85Z10A562S", "RSSMRA85T10A56"]),
    ("de_tax_id", &["86095742718", "06095742719", "11111111119", "12345678901"]),
    ("be_national_number", &["85073003329", "85133003328", "85073200128"]),
    ("nl_bsn", &["111222334", "123456789", "000000000"]),
    ("pl_pesel", &["44051401358", "44131401358", "44053201358"]),
    ("pt_nif", &["123456780", "723456789"]),
    ("ch_ahv", &["7569217076984", "7559217076985"]),
    ("ip_address", &["192.0.2.256", "2001:db8::g"]),
    ("mac_address", &["00:1a:2b:3c:4d:5g", "00:1a"]),
    ("wallet", &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"]),
];

#[test]
fn published_examples_pass_their_checks_and_near_misses_do_not() {
    for (table, expected) in [(SOUND, true), (UNSOUND, false)] {
        for (name, values) in table {
            let check = check(name).expect("a check of this name");
            for value in *values {
                assert_eq!(check(value), expected, "{name} {value}");
            }
        }
    }
    assert_eq!(SOUND.len(), CHECKS.len());
    assert!(CHECKS.is_sorted_by_key(|(name, _)| *name), "in the order of names");
}

#[test]
fn no_check_panics_on_a_text_that_is_no_number() {
    let texts = ["", "A", "\u{FFFD}", "99999999999999999999999999", "é1234567é", "0", "FR", "----------------"];
    for (_, check) in CHECKS {
        for text in texts {
            assert!(!check(text));
        }
    }
}

#[test]
fn numbers_are_found_in_their_spellings_with_exact_spans() {
    for (text, kind, value) in [
        ("NIR : 1 85 05 78 006 084 91.", Kind::FR_NIR, "1 85 05 78 006 084 91"),
        ("185057800608491", Kind::FR_NIR, "185057800608491"),
        ("n° de sécu 2-55-08-14-168-025-38", Kind::FR_NIR, "2-55-08-14-168-025-38"),
        ("2 55 08 14 168 025 / 38", Kind::FR_NIR, "2 55 08 14 168 025 / 38"),
        ("assurée 2 71 01 2B 663 592 10", Kind::FR_NIR, "2 71 01 2B 663 592 10"),
        ("NIR sans clé : 2550814168025", Kind::FR_NIR, "2550814168025"),
        ("SIREN\u{a0}: 732\u{a0}829\u{a0}320", Kind::FR_SIREN, "732\u{a0}829\u{a0}320"),
        ("immatriculée au RCS de Nanterre sous le numéro 552 100 554", Kind::FR_SIREN, "552 100 554"),
        ("732 829 320 RCS Paris", Kind::FR_SIREN, "732 829 320"),
        ("SIRET 732 829 320 00074", Kind::FR_SIRET, "732 829 320 00074"),
        ("{\"siret\":\"73282932000074\"}", Kind::FR_SIRET, "73282932000074"),
        ("TVA FR 44 732 829 320", Kind::FR_TVA, "FR 44 732 829 320"),
        ("our SSN is 536-90-4399, thanks", Kind::US_SSN, "536-90-4399"),
        ("ssn=536904399", Kind::US_SSN, "536904399"),
        ("ITIN: 912-70-1234", Kind::US_ITIN, "912-70-1234"),
        ("NHS No 943 476 5919", Kind::UK_NHS, "943 476 5919"),
        ("943 476 5919 is her NHS number", Kind::UK_NHS, "943 476 5919"),
        ("NINO AB 12 34 56 C", Kind::UK_NINO, "AB 12 34 56 C"),
        ("NI number QQ123456C", Kind::UK_NINO, "QQ123456C"),
        ("DNI 12.345.678-Z", Kind::ES_NIF, "12.345.678-Z"),
        ("NIE: X-1234567-L", Kind::ES_NIE, "X-1234567-L"),
        ("CF rssmra85t10a562s", Kind::IT_FISCAL_CODE, "rssmra85t10a562s"),
        ("RSS MRA 85T10 A562S", Kind::IT_FISCAL_CODE, "RSS MRA 85T10 A562S"),
        ("Die Steuer-ID lautet 86 095 742 719", Kind::DE_TAX_ID, "86 095 742 719"),
        ("registre national 85.07.30-033.28", Kind::BE_NATIONAL_NUMBER, "85.07.30-033.28"),
        ("Mijn BSN is 1112.22.333", Kind::NL_BSN, "1112.22.333"),
        ("PESEL 44051401359", Kind::PL_PESEL, "44051401359"),
        ("contribuinte n.º 123 456 789", Kind::PT_NIF, "123 456 789"),
        ("N° AVS 756.9217.0769.85", Kind::CH_AHV, "756.9217.0769.85"),
        ("Passeport n° 12AB34567", Kind::PASSPORT, "12AB34567"),
        ("travelling on passport 533380006 issued in 2019", Kind::PASSPORT, "533380006"),
        ("carte d’identité n° X4RTBPFW4", Kind::ID_CARD, "X4RTBPFW4"),
        ("CNI : 880692310285", Kind::ID_CARD, "880692310285"),
    ] {
        assert_eq!(found(text), [(kind, value)], "{text}");
    }
}

#[test]
fn words_decide_between_kinds_that_share_a_form() {
    for (text, kind) in [
        ("SIREN 123456782", Kind::FR_SIREN),
        ("BSN 123456782", Kind::NL_BSN),
        ("SSN 123456782", Kind::US_SSN),
        ("passport 123456782", Kind::PASSPORT),
        ("NIF 123456789", Kind::PT_NIF),
    ] {
        assert_eq!(found(text).first().map(|(kind, _)| *kind), Some(kind), "{text}");
    }
}

#[test]
fn headings_say_what_is_in_their_columns() {
    let csv = "id,siren,ssn,note\n1,732829320,536904399,x\n2,404833048,536904398,y\n";
    assert_eq!(
        found(csv),
        [
            (Kind::FR_SIREN, "732829320"),
            (Kind::US_SSN, "536904399"),
            (Kind::FR_SIREN, "404833048"),
            (Kind::US_SSN, "536904398"),
        ]
    );
    let markdown = "| BSN | order |\n|---|---|\n| 111222333 | 111222333 |\n";
    assert_eq!(found(markdown), [(Kind::NL_BSN, "111222333")]);
}

#[test]
fn numbers_of_other_things_are_left_alone() {
    for text in [
        "Order 123456782",
        "Commande n° 732829320, facture 86095742719, dossier 44051401359",
        "123 456 782 euros versés par la société (SIREN inconnu)",
        "tracking 1Z999AA10123456784",
        "epoch 1700000000, build 20240115103000",
        "550e8400-e29b-41d4-a716-446655440000",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "ISBN 9783161484100, EAN 4006381333931",
        "SIREN 732829321",
        "x732829320",
        "The passport office opens in 2024.",
        "born 1980, SSN unknown",
    ] {
        let national = |(kind, _): &(Kind, &str)| kind.normal_form() != crate::domain::entity::NormalForm::Words;
        let phones = [Kind::PHONE_NUMBER, Kind::DATE_OF_BIRTH];
        let found: Vec<_> =
            found(text).into_iter().filter(national).filter(|(kind, _)| !phones.contains(kind)).collect();
        assert_eq!(found, [], "{text}");
    }
}

#[test]
fn a_word_beside_it_makes_a_number_certain() {
    let score = |text: &str| detect(text).first().map(|finding| finding.score);
    assert_eq!(score("SSN: 536-90-4399"), Some(Score::CERTAIN));
    assert_eq!(score("a 536-90-4399 b"), Some(Score::LIKELY));
    assert_eq!(score("passport 533380006"), Some(Score::LIKELY));
}
