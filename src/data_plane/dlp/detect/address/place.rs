//! Towns with their postal codes, as they follow a street.

use super::street::{digits_end, unit_after};
use crate::data_plane::dlp::detect::boundary::{run_end, slice};
use crate::data_plane::dlp::detect::reader::{Shape, blanks, one_of, word};
use crate::data_plane::dlp::detect::words::Topics;

/// The most words in a town's name.
const TOWN_WORDS_MAX: usize = 5;

/// The most parts between a street and its town: a building, a hamlet.
const PARTS_MAX: usize = 2;

/// The states of the United States and its territories, and the provinces of Canada.
const STATES: &str = " AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI \
    WY DC PR GU VI AB BC MB NB NL NS ON PE QC SK ";

/// States that are written out.
const STATE_NAMES: [&str; 20] = [
    "California",
    "Texas",
    "New York",
    "Florida",
    "Illinois",
    "Massachusetts",
    "Washington",
    "Oregon",
    "Ohio",
    "Pennsylvania",
    "Georgia",
    "Michigan",
    "Virginia",
    "Colorado",
    "Arizona",
    "New Jersey",
    "North Carolina",
    "Minnesota",
    "Wisconsin",
    "Maryland",
];

/// Countries that end an address.
const COUNTRIES: [&str; 22] = [
    "France",
    "United Kingdom",
    "UK",
    "U.K.",
    "USA",
    "U.S.A.",
    "United States",
    "États-Unis",
    "Royaume-Uni",
    "Belgique",
    "Belgium",
    "Suisse",
    "Switzerland",
    "Canada",
    "Ireland",
    "Irlande",
    "England",
    "Scotland",
    "Wales",
    "Luxembourg",
    "Germany",
    "Allemagne",
];

/// What follows a street.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the address ends.
    pub(super) end: usize,
    /// Whether a postal code or a state is there.
    pub(super) coded: bool,
}

const fn coded(end: usize) -> Place {
    Place { end, coded: true }
}

const fn named(end: usize) -> Place {
    Place { end, coded: false }
}

/// The unit and the town that follow a street, which ends at `at`.
pub(super) fn after_street(text: &str, at: usize) -> Option<Place> {
    let bytes = text.as_bytes();
    let (mut end, mut unit) = (at, None);
    for _ in 0..=PARTS_MAX {
        let start = joint(bytes, end)?;
        if let Some(code) = code_and_town(text, start) {
            return Some(coded(code));
        }
        match unit_after(text, start) {
            Some(after) => (end, unit) = (after, Some(named(after))),
            None => return town_after(text, end, start).or(unit),
        }
    }
    unit
}

/// The town that begins at `start`, after a street or unit that ends at `end`: with its code or state, or after a comma.
fn town_after(text: &str, end: usize, start: usize) -> Option<Place> {
    let bytes = text.as_bytes();
    let town = town(text, start)?;
    if let Some(code) = state_and_code(text, town) {
        return Some(coded(code));
    }
    if let Some(country) = joint(bytes, town).and_then(|at| one_of(bytes, at, &COUNTRIES)) {
        return Some(named(country));
    }
    let further = after_part(text, town).map(coded);
    further.or_else(|| (bytes.get(end) == Some(&b',')).then_some(named(town)))
}

/// The town and code after one part that is neither, as a hamlet is.
fn after_part(text: &str, at: usize) -> Option<usize> {
    let mut end = at;
    for _ in 0..PARTS_MAX {
        let start = joint(text.as_bytes(), end)?;
        if let Some(code) = code_and_town(text, start) {
            return Some(code);
        }
        let next = town(text, start)?;
        if let Some(code) = state_and_code(text, next) {
            return Some(code);
        }
        end = next;
    }
    None
}

/// Where the next part of an address begins: after a comma, a hyphen, a line's end, or only a space.
fn joint(bytes: &[u8], at: usize) -> Option<usize> {
    let joints: [&[u8]; 13] = [
        b",\r\n",
        b",\n",
        b"\r\n",
        b", ",
        b" - ",
        b"\\n",
        b",\\n",
        b" \n",
        b" | ",
        b"\n",
        b" ",
        b",",
        "\u{a0}".as_bytes(),
    ];
    let joint = joints.into_iter().find(|joint| slice(bytes, at, at.saturating_add(joint.len())) == *joint)?;
    let mut start = at.saturating_add(joint.len());
    if joint.ends_with(b"\n") {
        start = run_end(bytes, start, 32, |byte| byte == b' ' || byte == b'\t');
    }
    Some(start)
}

/// Where a postal code with its town ends that begins at `at`: `75002 Paris Cedex 02`, `SW1A 1AA`, `IL 62701`.
pub(super) fn code_and_town(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let country = one_of(bytes, at, &["F-", "FR-", "B-", "BE-", "CH-", "L-", "LU-", "D-", "DE-"]);
    let digits_at = country.unwrap_or(at);
    if let Some(end) = digits_end(bytes, digits_at, 5) {
        let len = end.saturating_sub(digits_at);
        let start = blanks(bytes, end, 1)?;
        let town = town(text, start)?;
        // Four digits are a year as well: they need their country, or to be none.
        let year = matches!(bytes.get(digits_at), Some(b'1' | b'2'))
            && matches!(bytes.get(digits_at.saturating_add(1)), Some(b'9' | b'0'))
            && country.is_none();
        let code = len == 5 || (len == 4 && !(year && starts_month(text, start)));
        return code.then(|| with_country(text, cedex(bytes, town)));
    }
    if let Some(end) = united_kingdom(bytes, at) {
        return Some(with_country(text, end));
    }
    let state = word(text, at).filter(|state| state.shape == Shape::Capitals && is_state(state.text))?;
    let zip = zip(bytes, blanks(bytes, state.end, 2)?)?;
    Some(with_country(text, zip))
}

fn starts_month(text: &str, at: usize) -> bool {
    word(text, at).is_some_and(|word| word.is(Topics::MONTH))
}

/// Where the state and code, or the code, ends that follows a town: `, IL 62701`, ` NW1 6XE`, `, California 90210`.
fn state_and_code(text: &str, town: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let start = joint(bytes, town)?;
    if let Some(end) = united_kingdom(bytes, start) {
        return Some(with_country(text, end));
    }
    let named = one_of(bytes, start, &STATE_NAMES);
    let short =
        word(text, start).filter(|state| state.shape == Shape::Capitals && is_state(state.text)).map(|state| state.end);
    let state = named.or(short);
    if let Some(state) = state {
        let joint = joint(bytes, state);
        let code = joint.and_then(|at| zip(bytes, at).or_else(|| canadian(bytes, at)));
        return Some(with_country(text, code.unwrap_or(state)));
    }
    zip(bytes, start).filter(|end| end.saturating_sub(start) >= 5).map(|end| with_country(text, end))
}

fn is_state(text: &str) -> bool {
    text.len() == 2 && STATES.split(' ').any(|state| state == text)
}

/// `62701`, `62701-1234`.
fn zip(bytes: &[u8], at: usize) -> Option<usize> {
    let end = digits_end(bytes, at, 5).filter(|end| end.saturating_sub(at) == 5)?;
    let plus = (bytes.get(end) == Some(&b'-')).then(|| digits_end(bytes, end.saturating_add(1), 4)).flatten();
    let end = plus.filter(|plus| plus.saturating_sub(end) == 5).unwrap_or(end);
    (!bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(end)
}

/// A postcode of the United Kingdom: one or two letters, a digit, a digit or letter or none; a space; a digit, two letters.
fn united_kingdom(bytes: &[u8], at: usize) -> Option<usize> {
    let letters = run_end(bytes, at, 2, |byte| byte.is_ascii_uppercase());
    let outward = run_end(bytes, letters, 3, |byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let shape =
        letters > at && bytes.get(letters).is_some_and(u8::is_ascii_digit) && outward.saturating_sub(letters) <= 2;
    let inward = blanks(bytes, outward, 1)?;
    let [digit, one, other] = slice(bytes, inward, inward.saturating_add(3)) else { return None };
    let end = inward.saturating_add(3);
    let sound = digit.is_ascii_digit() && one.is_ascii_uppercase() && other.is_ascii_uppercase();
    (shape && sound && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(end)
}

/// A postal code of Canada: letter, digit, letter; a space; digit, letter, digit.
fn canadian(bytes: &[u8], at: usize) -> Option<usize> {
    let [a, b, c, rest @ ..] = slice(bytes, at, at.saturating_add(7)) else { return None };
    let outward = a.is_ascii_uppercase() && b.is_ascii_digit() && c.is_ascii_uppercase();
    let gap = usize::from(rest.first() == Some(&b' '));
    let [d, e, f, ..] = slice(rest, gap, rest.len()) else { return None };
    let inward = d.is_ascii_digit() && e.is_ascii_uppercase() && f.is_ascii_digit();
    (outward && inward).then(|| at.saturating_add(6).saturating_add(gap))
}

/// Where the town's name ends that begins at `at`.
fn town(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut next, mut end) = (at, None);
    for _ in 0..TOWN_WORDS_MAX {
        let Some(read) = word(text, next) else { break };
        let joins = read.shape == Shape::Small
            && end.is_some()
            && (read.is(Topics::JOINER) || read.text.starts_with("d'") || read.text.starts_with("l'"));
        let code = bytes.get(read.end).is_some_and(u8::is_ascii_digit);
        let state = end.is_some() && is_state(read.text);
        if state || code || (!joins && (read.shape == Shape::Small || read.is(Topics::NO_TOWN))) {
            break;
        }
        if !joins {
            end = Some(read.end);
        }
        match blanks(bytes, read.end, 1) {
            Some(after) => next = after,
            None => break,
        }
    }
    end
}

/// Where the town ends with `Cedex` and its number.
fn cedex(bytes: &[u8], town: usize) -> usize {
    // "Cedex" has a capital, so that it is a part of the town already.
    let named = slice(bytes, town.saturating_sub(5), town).eq_ignore_ascii_case(b"cedex");
    let district = blanks(bytes, town, 1).and_then(|at| digits_end(bytes, at, 2));
    let follows = blanks(bytes, town, 1).and_then(|at| one_of(bytes, at, &["cedex", "cédex"]));
    if named { district.unwrap_or(town) } else { follows.map_or(town, |end| cedex_number(bytes, end)) }
}

fn cedex_number(bytes: &[u8], end: usize) -> usize {
    blanks(bytes, end, 1).and_then(|at| digits_end(bytes, at, 2)).unwrap_or(end)
}

fn with_country(text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    let country = joint(bytes, end).and_then(|at| one_of(bytes, at, &COUNTRIES));
    country.filter(|end| !bytes.get(*end).is_some_and(u8::is_ascii_alphabetic)).unwrap_or(end)
}
