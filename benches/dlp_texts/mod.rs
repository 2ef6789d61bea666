//! Texts to examine for speed, the same in every run: ordinary ones, and floods of what candidates begin with.
//!
//! A flood is what one would send to make a filter slow: a thing that each detector must look at and none accepts.

#![allow(dead_code, reason = "each benchmark uses a part")]

/// The size of each text, in bytes.
pub(crate) const TEXT_BYTES: usize = 1024 * 1024;

const PROSE: [&str; 6] = [
    "The committee met on 20 November 2026 and reviewed the figures of the third quarter, which were 12.5 % above the plan. ",
    "Le chiffre d'affaires s'élève à 1 234 567,89 € ; les équipes de Nantes et de Besançon ont été félicitées pour leur travail. ",
    "Nothing in section 4.2.1 changes what was agreed before: deliveries continue, prices stay, and questions go to the desk. ",
    "À l'issue de la réunion, il a été décidé de reporter la mise en œuvre au printemps, sous réserve de l'accord du conseil. ",
    "Readers who want the details will find them in the annex, pages 12 to 31, together with the minutes of both workshops. ",
    "Une synthèse sera diffusée la semaine prochaine ; chacun pourra y ajouter ses remarques jusqu'au vendredi suivant. ",
];

const PERSONAL: [&str; 4] = [
    "Contact: jean.dupont@example.fr, tél. 06 12 34 56 78. ",
    "IBAN FR76 3000 6000 0112 3456 7890 189, carte 4111 1111 1111 1111. ",
    "Call +44 20 7946 0958 or write to desk@example.co.uk. ",
    "export TOKEN=ghp_aB3dE5fG7hJ9kL2mN4pQ6rS8tUaB3dE5fG7h ",
];

/// Beginnings of what is looked for.
pub(crate) const KEYWORDS: [&str; 12] = [
    "@ ",
    "sk- ",
    "AKIA ",
    "tel: ",
    "ghp_ ",
    "eyJ. ",
    "https://x ",
    "phone +1 ",
    "a@b ",
    "SG. ",
    "-----BEGIN ",
    "call 12 34 ",
];

/// A text of `pieces`, each chosen by a fixed sequence.
fn text(piece: impl Fn(u64) -> String) -> String {
    let mut text = String::with_capacity(TEXT_BYTES);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while text.len() < TEXT_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&piece(state >> 33));
    }
    text
}

fn pick<'p>(pieces: &[&'p str], number: u64) -> &'p str {
    let index = usize::try_from(number).unwrap_or(0).checked_rem(pieces.len()).unwrap_or(0);
    pieces.get(index).copied().unwrap_or_default()
}

/// Prose in two languages with personal data in one sentence of twenty.
pub(crate) fn mixed() -> String {
    text(|number| {
        if number.is_multiple_of(20) { pick(&PERSONAL, number >> 8) } else { pick(&PROSE, number >> 8) }.to_owned()
    })
}

/// Nothing but what candidates begin with.
fn flooded() -> String {
    text(|number| pick(&KEYWORDS, number).to_owned())
}

/// Lines of an access log: dates, addresses, sizes, ids.
fn log() -> String {
    text(|number| {
        format!(
            "2026-11-20T10:{:02}:{:02}.{:06}Z 10.0.{}.{} GET /items/{number} 200 {} id={:08x}-{:04x}-4a1b-8c2d-{:012x}\n",
            number % 60,
            number % 59,
            number % 1_000_000,
            number % 256,
            number % 251,
            number % 100_000,
            number % 0xFFFF_FFFF,
            number % 0xFFFF,
            number
        )
    })
}

/// Words that stand before secrets, and beginnings of tokens, that nothing follows.
const SECRETS: [&str; 16] = [
    "password= ",
    "api_key: ",
    "secret=\" ",
    "token : ",
    "AKIA",
    "ghp_",
    "glpat-",
    "xoxb-",
    "sk_live_",
    "sk-ant-",
    "AIza",
    "hf_",
    "npm_",
    "SG.",
    "eyJ",
    "postgres://u:",
];

/// Words that stand before personal data, that nothing follows.
const WORDS: [&str; 12] =
    ["Mr ", "Mme ", "Dear ", "born ", "née le ", "IBAN ", "SSN: ", "NIR ", "tél. ", "rue ", "street ", "passport no "];

/// Characters that are seen as nothing.
const INVISIBLE: [&str; 6] = ["\u{200b}", "\u{200d}", "\u{feff}", "1\u{200b}", "a\u{2060}", "@\u{200b}"];

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The names of all texts, for [`of`].
pub(crate) const NAMES: [&str; 12] = [
    "mixed",
    "flooded",
    "log",
    "corpus",
    "secrets",
    "words",
    "digits",
    "numbers",
    "at",
    "percent",
    "base64",
    "invisible",
];

/// The text of this name.
pub(crate) fn of(name: &str) -> String {
    match name {
        "mixed" => mixed(),
        "flooded" => flooded(),
        "corpus" => corpus(),
        "secrets" => text(|number| pick(&SECRETS, number).to_owned()),
        "words" => text(|number| pick(&WORDS, number).to_owned()),
        "digits" => text(|number| number.to_string()),
        "numbers" => text(|number| format!("{:04} {:03}-{} ", number % 10_000, number % 1_000, number % 97)),
        "at" => text(|number| "@".repeat(usize::from(number.is_multiple_of(3)).saturating_add(1)) + "a."),
        "percent" => text(|number| format!("%{:02X}%", number % 256)),
        "base64" => text(base64),
        "invisible" => text(|number| pick(&INVISIBLE, number).to_owned()),
        _ => log(),
    }
}

/// The hand-written part of the held-out corpus, which is dense with what is to be found, over and over.
fn corpus() -> String {
    let texts: Vec<String> = crate::corpus::LANGUAGES
        .iter()
        .flat_map(|language| crate::corpus::load(crate::corpus::Split::HeldOut, language))
        .filter(|text| !text.origin.contains("generated"))
        .map(|text| text.text)
        .collect();
    let pieces: Vec<&str> = texts.iter().map(String::as_str).collect();
    text(|number| format!("{}\n\n", pick(&pieces, number)))
}

/// One run of base64 of some two hundred characters, of which nothing decodes to words.
fn base64(number: u64) -> String {
    let mut run = String::with_capacity(224);
    let mut state = number;
    for _ in 0..208 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(state >> 58).unwrap_or(0);
        run.push(char::from(BASE64.get(index).copied().unwrap_or(b'A')));
    }
    run.push_str("== ");
    run
}
