//! The numbers of countries as data: how each is written, what checks it, which words it goes with.

use super::{anglophone, document, france, north, south};
use crate::data_plane::dlp::detect::words::Topics;
use crate::data_plane::dlp::finding::{Kind, Score};

/// One kind of number.
pub(super) struct Spec {
    pub(super) kind: Kind,
    /// Whether its characters, without separators and in capitals, are such a number.
    pub(super) check: fn(&[u8]) -> bool,
    /// The words beside it that say so.
    pub(super) topics: Topics,
    /// Whether `check` has a check digit or rules that few other values meet.
    pub(super) checked: bool,
    pub(super) forms: &'static [Form],
}

/// One way to write a number.
pub(super) struct Form {
    /// `9` a digit, `A` a letter, `X` either, `C` a digit or one of Corsica's letters, and a space a separator.
    pub(super) mask: &'static str,
    pub(super) joints: Joints,
    /// The score without a word beside it, if the form tells enough.
    pub(super) alone: Option<Score>,
}

/// What separates the groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Joints {
    /// The same separator everywhere.
    Alike,
    /// A hyphen or a stop everywhere, but no blank.
    Signs,
    /// Any that separate numbers.
    Free,
}

use Joints::{Alike, Free, Signs};

const CERTAIN: Option<Score> = Some(Score::CERTAIN);
const HIGH: Option<Score> = Some(Score::HIGH);
const LIKELY: Option<Score> = Some(Score::LIKELY);
const PLAUSIBLE: Option<Score> = Some(Score::PLAUSIBLE);

const fn form(mask: &'static str, joints: Joints, alone: Option<Score>) -> Form {
    Form { mask, joints, alone }
}

const fn spec(kind: Kind, check: fn(&[u8]) -> bool, topics: Topics, forms: &'static [Form]) -> Spec {
    Spec { kind, check, topics, checked: true, forms }
}

const fn unchecked(kind: Kind, check: fn(&[u8]) -> bool, topics: Topics, forms: &'static [Form]) -> Spec {
    Spec { kind, check, topics, checked: false, forms }
}

/// Every kind of number, the surer before the less sure.
pub(super) const SPECS: &[Spec] = &[
    spec(
        Kind::FR_NIR,
        france::nir,
        Topics::NIR,
        &[
            form("999999C99999999", Alike, CERTAIN),
            form("9 99 99 9C 999 999 99", Free, CERTAIN),
            form("999999C999999 99", Free, CERTAIN),
            form("9 9999 9C 999 999 99", Free, CERTAIN),
            form("9 99 99 9C 999999 99", Free, CERTAIN),
            form("9 99 99 9C999999 99", Free, CERTAIN),
            form("9 99 99 9C999 999 99", Free, CERTAIN),
            form("9 99 99 9C 999 99999", Free, CERTAIN),
            form("9 99999C 999 999 99", Free, CERTAIN),
            form("9 99 9999999999 99", Free, CERTAIN),
            form("9 99999C99999999", Free, CERTAIN),
            form("99999 9C 999 999 99", Free, CERTAIN),
        ],
    ),
    spec(
        Kind::FR_NIR,
        france::nir_body,
        Topics::NIR,
        &[form("999999C999999", Alike, None), form("9 99 99 9C 999 999", Free, None)],
    ),
    spec(
        Kind::FR_TVA,
        france::tva,
        Topics::TVA,
        &[
            form("AAXX999999999", Alike, CERTAIN),
            form("AA XX999999999", Free, CERTAIN),
            form("AAXX 999999999", Free, CERTAIN),
            form("AA XX 999999999", Free, CERTAIN),
            form("AA XX 999 999 999", Free, CERTAIN),
            form("AAXX 999 999 999", Free, CERTAIN),
        ],
    ),
    spec(
        Kind::FR_SIRET,
        france::siret,
        Topics::SIRET.and(Topics::SIREN),
        &[
            form("99999999999999", Alike, PLAUSIBLE),
            form("999 999 999 99999", Free, LIKELY),
            form("999999999 99999", Free, LIKELY),
            form("999 999 999 999 99", Free, LIKELY),
            form("999 999 999 99 999", Free, LIKELY),
            form("999 999 999 9 9999", Free, LIKELY),
            form("999 999 99999999", Free, None),
            form("99 99 99 99 99 99 99", Free, None),
        ],
    ),
    spec(
        Kind::FR_SIREN,
        france::siren,
        Topics::SIREN.and(Topics::SIRET),
        &[form("999999999", Alike, None), form("999 999 999", Alike, None), form("99 99 99 999", Alike, None)],
    ),
    spec(
        Kind::US_SSN,
        anglophone::ssn,
        Topics::SSN,
        &[
            form("999 99 9999", Signs, LIKELY),
            form("999 99 9999", Alike, PLAUSIBLE),
            form("999999999", Alike, None),
            form("999 999 999", Alike, None),
            form("999 999999", Alike, None),
            form("99999 9999", Signs, None),
        ],
    ),
    spec(
        Kind::US_ITIN,
        anglophone::itin,
        Topics::ITIN,
        &[
            form("999 99 9999", Signs, LIKELY),
            form("999 99 9999", Alike, PLAUSIBLE),
            form("999999999", Alike, None),
            form("999 999 999", Alike, None),
        ],
    ),
    spec(
        Kind::UK_NHS,
        anglophone::nhs,
        Topics::NHS,
        &[
            form("999 999 9999", Alike, None),
            form("9999999999", Alike, None),
            form("999 9999999", Alike, None),
            form("999 9999 999", Alike, None),
            form("99999 99999", Alike, None),
            form("99 99 99 99 99", Alike, None),
        ],
    ),
    spec(
        Kind::UK_NINO,
        anglophone::nino,
        Topics::NINO.and(Topics::SSN),
        &[
            form("AA 99 99 99 A", Free, HIGH),
            form("AA999999A", Alike, LIKELY),
            form("AA999999 A", Free, LIKELY),
            form("AA 999999 A", Free, LIKELY),
            form("AA 999999A", Free, LIKELY),
            form("AA 99 99 99A", Free, LIKELY),
            form("AA99 99 99A", Free, LIKELY),
            form("AA99 99 99 A", Free, LIKELY),
            form("AA 999 999 A", Free, LIKELY),
            form("AA999999", Alike, None),
            form("AA 99 99 99", Free, None),
        ],
    ),
    unchecked(
        Kind::UK_NINO,
        anglophone::nino_of_examples,
        Topics::NINO,
        &[form("AA999999A", Alike, None), form("AA 99 99 99 A", Free, None), form("AA 999999 A", Free, None)],
    ),
    spec(
        Kind::ES_NIE,
        south::nie,
        Topics::NIE.and(Topics::NIF),
        &[
            form("A9999999A", Alike, HIGH),
            form("A 9999999 A", Free, HIGH),
            form("A9999999 A", Free, HIGH),
            form("A 9999999A", Free, HIGH),
            form("A 9 999 999 A", Free, HIGH),
            form("A 999 9999 A", Free, HIGH),
        ],
    ),
    spec(
        Kind::ES_NIF,
        south::nif,
        Topics::NIF.and(Topics::NIE),
        &[
            form("99999999A", Alike, LIKELY),
            form("99999999 A", Signs, LIKELY),
            form("99999999 A", Free, None),
            form("99 999 999 A", Free, LIKELY),
            form("99 999 999A", Free, LIKELY),
            form("9999 9999A", Free, None),
            form("9999 9999 A", Free, None),
            form("A9999999A", Alike, None),
        ],
    ),
    spec(
        Kind::ES_NIF,
        south::organisation,
        Topics::NIF,
        &[form("A9999999X", Alike, None), form("A 9999999X", Free, None), form("A 99999999", Free, None)],
    ),
    spec(
        Kind::IT_FISCAL_CODE,
        south::codice_fiscale,
        Topics::FISCAL,
        &[
            form("AAAAAAXXAXXAXXXA", Alike, CERTAIN),
            form("AAA AAA XXAXX AXXXA", Free, CERTAIN),
            form("AAAAAA XXAXX AXXXA", Free, CERTAIN),
            form("AAA AAA XXAXXAXXXA", Free, CERTAIN),
            form("AAAAAA XX A XX AXXX A", Free, CERTAIN),
            form("AAA AAA XX A XX AXXX A", Free, CERTAIN),
            form("AAA AAA XXAXX AXXX A", Free, CERTAIN),
            form("AAAAAA XXAXX AXXX A", Free, CERTAIN),
        ],
    ),
    spec(
        Kind::DE_TAX_ID,
        north::steuer_id,
        Topics::STEUER,
        &[
            form("99 999 999 999", Alike, PLAUSIBLE),
            form("99999999999", Alike, None),
            form("999 999 999 99", Alike, None),
            form("99 99 99 99 999", Alike, None),
            form("9 999 999 9999", Alike, None),
        ],
    ),
    spec(
        Kind::BE_NATIONAL_NUMBER,
        north::national_number,
        Topics::BELGIAN,
        &[
            form("99 99 99 999 99", Free, HIGH),
            form("999999 999 99", Free, HIGH),
            form("999999 99999", Free, LIKELY),
            form("99999999999", Alike, PLAUSIBLE),
            form("99 99 99 99999", Free, LIKELY),
            form("999 999 999 99", Alike, None),
        ],
    ),
    spec(
        Kind::NL_BSN,
        north::bsn,
        Topics::BSN,
        &[
            form("999999999", Alike, None),
            form("999 999 999", Alike, None),
            form("9999 99 999", Alike, None),
            form("99 99 99 999", Alike, None),
            form("999 99 9999", Alike, None),
            form("9999 99999", Alike, None),
            form("99999 9999", Alike, None),
        ],
    ),
    spec(Kind::NL_BSN, north::short_bsn, Topics::BSN, &[form("99999999", Alike, None)]),
    spec(
        Kind::PL_PESEL,
        north::pesel,
        Topics::PESEL,
        &[
            form("99999999999", Alike, None),
            form("999999 99999", Alike, None),
            form("99 99 99 99999", Alike, None),
            form("999 999 999 99", Alike, None),
            form("99 999 999 999", Alike, None),
        ],
    ),
    spec(
        Kind::PT_NIF,
        south::contribuinte,
        Topics::CONTRIBUINTE,
        &[form("999999999", Alike, None), form("999 999 999", Alike, None), form("99 99 99 999", Alike, None)],
    ),
    spec(
        Kind::PT_NIF,
        south::prefixed_contribuinte,
        Topics::CONTRIBUINTE.and(Topics::TVA),
        &[form("AA999999999", Alike, PLAUSIBLE), form("AA 999999999", Free, None), form("AA 999 999 999", Free, None)],
    ),
    spec(
        Kind::CH_AHV,
        north::ahv,
        Topics::AHV,
        &[
            form("999 9999 9999 99", Alike, HIGH),
            form("999 9999 9999 99", Free, LIKELY),
            form("9999999999999", Alike, LIKELY),
            form("999 9999999999", Free, LIKELY),
            form("999 999 999 999 9", Alike, LIKELY),
            form("999 99 99 99 99 99", Alike, None),
        ],
    ),
    spec(Kind::ID_CARD, north::belgian_card, Topics::ID_CARD, &[form("999 9999999 99", Free, PLAUSIBLE)]),
    unchecked(
        Kind::PASSPORT,
        document::passport,
        Topics::PASSPORT,
        &[
            form("XXXXXXXXX", Alike, None),
            form("XXXXXXXX", Alike, None),
            form("XXXXXXX", Alike, None),
            form("99 AA 99999", Free, None),
            form("99AA 99999", Free, None),
            form("99 AA99999", Free, None),
            form("AA 9999999", Free, None),
            form("AA 999999", Free, None),
            form("A 99999999", Free, None),
            form("A 9999999", Free, None),
            form("A 999999", Free, None),
            form("AAA 999999", Free, None),
            form("AA 99 99 999", Free, None),
            form("999 999 999", Alike, None),
            form("999 99 9999", Alike, None),
            form("99 9999999", Alike, None),
            form("9999 99999", Alike, None),
        ],
    ),
    unchecked(
        Kind::ID_CARD,
        document::id_card,
        Topics::ID_CARD,
        &[
            form("999999999999", Alike, None),
            form("9999 9999 9999", Alike, None),
            form("99 99 99 99 99 99", Alike, None),
            form("999 999 999 999", Alike, None),
            form("999999 999999", Alike, None),
            form("XXXXXXXXXXX", Alike, None),
            form("XXXXXXXXXX", Alike, None),
            form("XXXXXXXXX", Alike, None),
            form("XXXXXXXX", Alike, None),
            form("AAA 999999", Free, None),
            form("AA 9999999", Free, None),
            form("AA 99999 AA", Free, None),
            form("AA 99999AA", Free, None),
            form("AA99999 AA", Free, None),
            form("99999999 9 AA9", Free, None),
            form("99999999 9AA9", Free, None),
            form("99999999 9 XXX", Free, None),
            form("XXX XXX XXX", Alike, None),
            form("XXXX XXXX X", Alike, None),
            form("XXXX XXXXX", Alike, None),
            form("XXXXXXXXX X", Alike, None),
        ],
    ),
];
