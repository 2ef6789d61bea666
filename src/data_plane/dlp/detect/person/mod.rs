//! Names of people, where something beside them says that they are names: a form of address, a label, a greeting, the end of a
//! letter, an introduction, somebody's part, an e-mail address in angle brackets, or a frequent given name before a family name.
//!
//! A name alone in a sentence, of people whose names are not frequent here, is not found: there is no list of all names, and
//! every word with a capital would be one.

pub(super) mod given;
mod name;

use self::name::Name;
use super::boundary::{back, before, run_start, slice};
use super::reader::{Shape, Word, blanks, ends_value, word};
use super::words::{Hit, Section, Topics};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The topics that names go with.
const TOPICS: Topics = Topics::TITLE
    .and(Topics::NAME)
    .and(Topics::NAMED)
    .and(Topics::ROLE)
    .and(Topics::INTRODUCTION)
    .and(Topics::GREETING)
    .and(Topics::CLOSING)
    .and(Topics::GIVEN);

/// The most signs between a label and its value, as in `": "`.
const LABEL_SIGNS_MAX: usize = 12;

/// How far around a label others make it one of a person's, in bytes.
const FORM_BYTES: usize = 160;

/// The most names in a list after one label.
const LISTED_MAX: usize = 32;

/// The most words of a name before an e-mail address.
const BRACKETED_WORDS_MAX: usize = 4;

/// Topics of labels that stand in forms about people.
const PERSONAL: Topics = Topics::BIRTH
    .and(Topics::NAME)
    .and(Topics::ADDRESS)
    .and(Topics::PASSPORT)
    .and(Topics::ID_CARD)
    .and(Topics::NIR)
    .and(Topics::SSN);

/// Adds every name whose sign is in the section.
pub(super) fn scan(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let mut free = section.from;
    for hit in section.hits(TOPICS) {
        if hit.start < free {
            continue;
        }
        let mut found = |start: usize, end: usize, score: Score| {
            if start >= free && end > start {
                findings.push(Finding { kind: Kind::PERSON, start, end, score });
                free = end;
            }
        };
        if let Some((start, name, score)) = beside(section, hit) {
            found(start, name.end, score);
            if hit.topics.meets(Topics::NAME | Topics::NAMED) {
                listed(section.text, name.end, &mut found);
            }
        }
    }
    bracketed(section, findings);
}

/// The name that a word announces, by what the word is.
fn beside(section: &Section<'_>, hit: Hit) -> Option<(usize, Name, Score)> {
    let is = |topic: Topics| hit.topics.meets(topic);
    let high = |(start, name)| (start, name, Score::HIGH);
    let likely = |(start, name)| (start, name, Score::LIKELY);
    let mut found = None;
    if is(Topics::TITLE) {
        found = titled(section, hit).map(high);
    }
    if is(Topics::NAME | Topics::NAMED) {
        found = found.or_else(|| labelled(section, hit).map(high));
    }
    if is(Topics::CLOSING) {
        found = found.or_else(|| closing(section, hit).map(high));
    }
    if is(Topics::GREETING) {
        found = found.or_else(|| greeted(section, hit).map(likely));
    }
    if is(Topics::INTRODUCTION) {
        found = found.or_else(|| introduced(section, hit).map(high));
    }
    if is(Topics::ROLE) {
        found = found.or_else(|| in_role(section, hit).map(likely));
    }
    if is(Topics::GIVEN) {
        found = found.or_else(|| given(section, hit).map(likely));
    }
    found
}

/// `Mr Smith`, `Mme de La Fontaine`, `docteur Martin`.
fn titled(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let title = word(section.text, hit.start)?;
    let bytes = section.bytes();
    if title.shape == Shape::Small && !title.is(Topics::SMALL_TITLE) {
        return None;
    }
    // A lone capital is an initial unless it is French and has its stop.
    if title.shape == Shape::Initial && title.text != "M." && slice(bytes, hit.start, hit.end) != b"M" {
        return None;
    }
    let stop = usize::from(bytes.get(hit.end) == Some(&b'.'));
    let start = blanks(bytes, hit.end.saturating_add(stop), 2)?;
    let name = name::read(section.text, start)?;
    let acronym = word(section.text, start).is_some_and(|first| first.text.len() < 2);
    (!acronym).then_some((start, name))
}

/// `Name: Jane Doe`, `"first_name": "Jane"`, `<nom>Dupont</nom>`, a cell below the heading `name`.
fn labelled(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let bytes = section.bytes();
    let cell = hit.topics.meets(Topics::COLUMN);
    let start = if cell { hit.end } else { value_start(bytes, hit)? };
    let name = name::read(section.text, start)?;
    let first = word(section.text, start)?;
    let known = is_given(section, start);
    let ends = ends_value(bytes, name.end) && !is_code(bytes, name.end);
    if let Some(name) = turned(section.text, hit, name, first.shape) {
        return Some((start, name));
    }
    let strong = hit.topics.meets(Topics::NAME);
    let french = slice(bytes, hit.start, hit.end).eq_ignore_ascii_case(b"nom");
    let form = || {
        let written =
            bytes.get(hit.start).is_some_and(u8::is_ascii_uppercase) || before(bytes, hit.start) == Some(b'"');
        written && !cell && is_in_form(section, hit)
    };
    let alone = strong || known || (ends && (french || form()));
    let several =
        name.words > 1 && (ends || bytes.get(name.end).is_some_and(|byte| matches!(byte, b' ' | b':' | b'-')));
    (if name.words > 1 { strong || known || several } else { alone && (ends || known) }).then_some((start, name))
}

/// A name whose family name stands first, with a comma: `DOE, Jane`.
fn turned(text: &str, hit: Hit, name: Name, shape: Shape) -> Option<Name> {
    let bytes = text.as_bytes();
    let strong = hit.topics.meets(Topics::NAME) && !hit.topics.meets(Topics::COLUMN);
    if !strong || bytes.get(name.end) != Some(&b',') || name.words != 1 {
        return None;
    }
    let second = name::read(text, blanks(bytes, name.end.saturating_add(1), 1)?)?;
    let one = shape == Shape::Capitals || second.words == 1;
    let ends = ends_value(bytes, second.end) && bytes.get(second.end) != Some(&b',');
    (one && ends).then_some(Name { end: second.end, words: second.words.saturating_add(1) })
}

/// Whether what stands at `at` goes on as the source of a program does, not the value of a form.
fn is_code(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'<') => bytes.get(at.saturating_add(1)) != Some(&b'/') && bytes.get(at.saturating_add(1)) != Some(&b'b'),
        Some(b'(' | b'[' | b'{') => true,
        _ => false,
    }
}

/// Where the value of a label begins: behind a colon or its like.
fn value_start(bytes: &[u8], hit: Hit) -> Option<usize> {
    let after = slice(bytes, hit.end, hit.end.saturating_add(LABEL_SIGNS_MAX));
    let mut sign = before(bytes, hit.end) == Some(b':');
    let mut lines: u8 = 0;
    for (place, byte) in after.iter().enumerate() {
        match byte {
            b':' if after.get(place.saturating_add(1)) == Some(&b':') => return None,
            b':' | b'=' | b'>' | b'\t' => sign = true,
            b'\n' => {
                lines = lines.saturating_add(1);
                // The value of a strong label may stand on the next line.
                sign |= lines == 1 && hit.topics.meets(Topics::NAME);
            }
            b' ' | b'"' | b'\'' | b'*' | b'`' | b')' | b'(' | b'|' | b'_' | b'.' | b'[' | b'\r' => {}
            b's' if place == 0 || place == 1 => {}
            0xC2 | 0xA0 | 0xAB | 0xE2 | 0x80 | 0xAF => {}
            _ => return (sign && lines < 2).then(|| hit.end.saturating_add(place)),
        }
    }
    None
}

/// Whether a label has others of a person's beside it.
fn is_in_form(section: &Section<'_>, hit: Hit) -> bool {
    let other = |near: Hit| near.start != hit.start && near.topics.meets(PERSONAL);
    section.after(hit.end, FORM_BYTES).any(other) || section.before(hit.start, FORM_BYTES).any(other)
}

/// Whether the word at `at` is a frequent given name.
fn is_given(section: &Section<'_>, at: usize) -> bool {
    section.after(at, 0).any(|hit| hit.topics.meets(Topics::GIVEN))
}

/// Further names after one that a label announced: `, Jane Doe and John Roe`.
fn listed(text: &str, from: usize, found: &mut impl FnMut(usize, usize, Score)) {
    let bytes = text.as_bytes();
    let mut at = from;
    for _ in 0..LISTED_MAX {
        let joint = [", and ", ", ", " and ", " et ", " & ", "; ", " / "]
            .into_iter()
            .find(|joint| slice(bytes, at, at.saturating_add(joint.len())) == joint.as_bytes());
        let Some(start) = joint.map(|joint| at.saturating_add(joint.len())) else { return };
        let Some(name) = name::read(text, start).filter(|name| name.words > 1) else { return };
        found(start, name.end, Score::LIKELY);
        at = name.end;
    }
}

/// The name on the line below the end of a letter, or after it.
fn closing(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let bytes = section.bytes();
    let after = slice(bytes, hit.end, hit.end.saturating_add(LABEL_SIGNS_MAX));
    // In JSON the line ends with an escape.
    let mut lines: usize = 0;
    let mut place = 0_usize;
    let mut comma = false;
    while let Some(byte) = after.get(place) {
        match byte {
            b'\n' => lines = lines.saturating_add(1),
            b'\\' if after.get(place.saturating_add(1)) == Some(&b'n') => {
                lines = lines.saturating_add(1);
                place = place.saturating_add(1);
            }
            b',' => comma = true,
            b' ' | b'.' | b'!' | b'\r' | b'-' | b'>' | b'*' | b'_' => {}
            _ => break,
        }
        place = place.saturating_add(1);
    }
    let start = hit.end.saturating_add(place);
    let name = name::read(section.text, start)?;
    let known = is_given(section, start);
    let ends = ends_value(bytes, name.end);
    let sound = match lines {
        0 => comma && (known || name.words > 1) && ends,
        _ => {
            ends && lines <= 4
                && (known || name.words > 1 || matches!(bytes.get(name.end), None | Some(b'\n' | b'\r' | b'\\' | b'"')))
        }
    };
    sound.then_some((start, name))
}

/// `Dear Jane Doe`, `Bonjour Jean,`.
fn greeted(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let bytes = section.bytes();
    let comma = usize::from(bytes.get(hit.end) == Some(&b','));
    let start = blanks(bytes, hit.end.saturating_add(comma), 1)?;
    let name = name::read(section.text, start)?;
    let closes = matches!(
        bytes.get(name.end),
        None | Some(b',' | b'!' | b'\n' | b'\r' | b':' | b';' | b'\\' | b'.' | b'"' | b'-' | b'?')
    ) || slice(bytes, name.end, name.end.saturating_add(2)) == b" -"
        || slice(bytes, name.end, name.end.saturating_add(2)) == b" !";
    let thanks = hit.topics.meets(Topics::CLOSING);
    let address = !thanks && closes && comma == 0 && name.words <= 3;
    (is_given(section, start) || address || (name.words > 1 && closes)).then_some((start, name))
}

/// `My name is Jane Doe`, `je m'appelle Jean`.
fn introduced(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let bytes = section.bytes();
    let start = blanks(bytes, hit.end, 1)?;
    let said = slice(bytes, hit.start, hit.end).to_ascii_lowercase();
    let says_name = [b"name".as_slice(), b"nom", b"appel", b"call", b"llamo", b"chiamo", b"hei"]
        .iter()
        .any(|part| memchr::memmem::find(&said, part).is_some());
    let Some(name) = name::read(section.text, start) else {
        return if says_name { small(section, start) } else { None };
    };
    let known = is_given(section, start);
    (says_name || known || (name.words == 2 && ends_value(bytes, name.end))).then_some((start, name))
}

/// A given name and what follows, in small letters, as in a chat: two words at the most.
fn small(section: &Section<'_>, start: usize) -> Option<(usize, Name)> {
    if !is_given(section, start) {
        return None;
    }
    let first = word(section.text, start)?;
    let second = blanks(section.bytes(), first.end, 1).and_then(|at| word(section.text, at)).filter(|second| {
        second.shape == Shape::Small
            && second.text.len() > 1
            && !second.is(Topics::COMMON | Topics::JOINER | Topics::PARTICLE)
    });
    Some((start, Name { end: second.map_or(first.end, |second| second.end), words: 2 }))
}

/// `patient Jane Doe`, `represented by Jean Dupont`.
fn in_role(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let start = blanks(section.bytes(), hit.end, 1)?;
    let name = name::read(section.text, start)?;
    // Companies and products stand here as well: two capitals must be a person's by themselves.
    let person = is_given(section, start) || (name.words == 2 && word(section.text, start)?.shape == Shape::Capital);
    person.then_some((start, name))
}

/// A given name with a family name after it, or before it in capitals.
fn given(section: &Section<'_>, hit: Hit) -> Option<(usize, Name)> {
    let bytes = section.bytes();
    let first = word(section.text, hit.start)?;
    if !first.is_capital() || first.text.len() < 2 || follows_place(section.text, hit.start) {
        return None;
    }
    let name = name::read(section.text, hit.start)?;
    let stop = name.words == 1 && name.end > first.end;
    let title = first.shape == Shape::Capitals && name.end.saturating_sub(first.end) < 4;
    if (name.words > 1 || stop) && !title {
        return Some((hit.start, name));
    }
    let family = if first.shape == Shape::Capital { family_before(section.text, hit.start) } else { None };
    if let Some(start) = family {
        return Some((start, Name { end: first.end, words: 2 }));
    }
    // Somebody is met, told, thanked.
    let code = is_code(bytes, first.end) || bytes.get(first.end) == Some(&b':');
    if !code && word_before(section.text, hit.start).is_some_and(|word| word.is(Topics::DEALING)) {
        return Some((hit.start, name));
    }
    // Who speaks in a chat.
    let speaks = slice(bytes, first.end, first.end.saturating_add(2));
    let line = matches!(before(bytes, hit.start), None | Some(b'\n'));
    (line && (speaks == b": " || speaks == b" :")).then_some((hit.start, name))
}

/// Where a family name in capitals begins that ends before `at`: `DUPONT Jean`.
fn family_before(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let gap = at.checked_sub(1).filter(|gap| bytes.get(*gap) == Some(&b' '))?;
    let end = if before(bytes, gap) == Some(b',') { gap.checked_sub(1)? } else { gap };
    let start = run_start(bytes, end, 40, |byte| byte.is_ascii_alphabetic() || byte >= 0x80 || byte == b'-');
    let family = word(text, start).filter(|family| family.end == end)?;
    let letters = family.text.chars().count();
    (family.shape == Shape::Capitals && letters > 3 && !name::is_other(&family)).then_some(start)
}

/// Whether the word before `at` is that of a street, a school or a saint.
fn follows_place(text: &str, at: usize) -> bool {
    word_before(text, at).is_some_and(|word| word.is(Topics::OF_PLACES))
}

/// The word that ends before the space or hyphen before `at`.
fn word_before(text: &str, at: usize) -> Option<Word<'_>> {
    let bytes = text.as_bytes();
    let end = at.checked_sub(1).filter(|gap| matches!(bytes.get(*gap), Some(b' ' | b'-')))?;
    let start = run_start(bytes, end, 16, |byte| byte.is_ascii_alphabetic() || byte >= 0x80);
    word(text, start).filter(|word| word.end == end)
}

/// `Jane Doe <jane@example.org>`.
fn bracketed(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let bytes = section.bytes();
    for open in memchr::memchr_iter(b'<', slice(bytes, section.from, section.to)) {
        let open = section.from.saturating_add(open);
        let (Some(b' '), Some(last)) = (before(bytes, open), back(bytes, open, 2)) else { continue };
        let address = slice(bytes, open, open.saturating_add(80));
        let closed = memchr::memchr(b'>', address).unwrap_or(0);
        if !(last.is_ascii_alphabetic() || last >= 0x80 || last == b'"') || !slice(address, 0, closed).contains(&b'@') {
            continue;
        }
        let end = open.saturating_sub(if last == b'"' { 2 } else { 1 });
        let start = bracketed_start(section.text, end);
        findings.extend(start.map(|start| Finding { kind: Kind::PERSON, start, end, score: Score::HIGH }));
    }
}

/// Where the name begins that ends at `end`, going back word by word.
fn bracketed_start(text: &str, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut start) = (end, None);
    for _ in 0..BRACKETED_WORDS_MAX {
        let begins = run_start(bytes, at, 40, |byte| {
            byte.is_ascii_alphabetic() || byte >= 0x80 || matches!(byte, b'-' | b'\'' | b'.')
        });
        if begins == at || !text.is_char_boundary(begins) {
            break;
        }
        if name::read(text, begins).is_some_and(|name| name.end == end) {
            start = Some(begins);
        }
        match begins.checked_sub(1) {
            Some(gap) if bytes.get(gap) == Some(&b' ') => at = gap,
            _ => break,
        }
    }
    start
}
