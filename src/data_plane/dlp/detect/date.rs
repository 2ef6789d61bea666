//! Days as people write them: in figures, in the order of any country, and with months in words.

use super::boundary::{blank_len, hyphen_len, run_end, slice};

/// The years in which somebody who is alive, or was until lately, can be born.
const YEARS: std::ops::RangeInclusive<u32> = 1880..=2035;

/// The longest name of a month, in bytes.
const MONTH_BYTES_MAX: usize = 12;

/// Names of months in English, French, German, Spanish, Italian, Dutch and Portuguese, and their abbreviations, between spaces.
const MONTHS: [&str; 12] = [
    " january jan janvier janv januar jänner enero ene gennaio gen januari janeiro ",
    " february feb février fév fevrier fevr févr februar febrero febbraio februari fevereiro ",
    " march mar mars märz marzo maart mrt março ",
    " april apr avril avr abril abr aprile ",
    " may mai mayo maggio mag mei maio ",
    " june jun juin juni junio giugno giu junho ",
    " july jul juillet juil juli julio luglio lug julho ",
    " august aug août aout agosto augustus ago ",
    " september sep sept septembre septiembre settembre set setembro ",
    " october oct octobre oktober okt octubre ottobre ott outubro ",
    " november nov novembre noviembre novembro ",
    " december dec décembre déc decembre dezember dez diciembre dic dicembre dezembro ",
];

/// Where the day ends that is written from `at`, if one is.
pub(super) fn end_of(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let end = match bytes.get(at)? {
        byte if byte.is_ascii_digit() => in_figures(bytes, at).or_else(|| day_first(text, at)),
        byte if byte.is_ascii_alphabetic() => month_first(text, at),
        _ => None,
    }?;
    let goes_on = bytes.get(end).is_some_and(|byte| byte.is_ascii_digit())
        || matches!(bytes.get(end), Some(b'/' | b'-' | b'.'))
            && bytes.get(end.saturating_add(1)).is_some_and(u8::is_ascii_digit);
    (!goes_on).then_some(end)
}

/// Digits at `at`: their value, how many, and where they end.
fn figure(bytes: &[u8], at: usize) -> Option<(u32, usize, usize)> {
    let end = run_end(bytes, at, 9, |byte| byte.is_ascii_digit());
    let value = std::str::from_utf8(slice(bytes, at, end)).ok()?.parse().ok()?;
    Some((value, end.saturating_sub(at), end))
}

/// Whether a year and nothing else stands at `at`.
pub(super) fn is_year_alone(bytes: &[u8], at: usize) -> bool {
    figure(bytes, at).is_some_and(|(year, digits, _)| digits == 4 && YEARS.contains(&year))
}

fn is_day(day: u32, month: u32) -> bool {
    let most = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=most).contains(&day)
}

fn is_year(value: u32, digits: usize) -> bool {
    digits == 2 || (digits == 4 && YEARS.contains(&value))
}

/// `12/05/1980`, `12.5.80`, `1980-05-12`, `12 05 1980`, `12 / 05 / 1980`, `19800512`, `12051980`.
fn in_figures(bytes: &[u8], at: usize) -> Option<usize> {
    let (first, digits, end) = figure(bytes, at)?;
    if digits == 8 {
        let (left, right) = (first.checked_div(10_000)?, first.checked_rem(10_000)?);
        let iso = YEARS.contains(&left) && is_day(right.checked_rem(100)?, right.checked_div(100)?);
        let (one, other) = (left.checked_div(100)?, left.checked_rem(100)?);
        let others = YEARS.contains(&right) && (is_day(one, other) || is_day(other, one));
        return (iso || others).then_some(end);
    }
    let (joint, second_at) = joint(bytes, end)?;
    let (second, second_digits, end) = figure(bytes, second_at)?;
    let (other_joint, third_at) = self::joint(bytes, end)?;
    let (third, third_digits, end) = figure(bytes, third_at)?;
    if joint != other_joint || second_digits > 2 {
        return None;
    }
    let iso = digits == 4 && YEARS.contains(&first) && third_digits <= 2 && is_day(third, second);
    let usual = digits <= 2 && is_year(third, third_digits) && (is_day(first, second) || is_day(second, first));
    (iso || usual).then_some(end)
}

/// The sign between two figures, and where it ends with the blanks around it.
fn joint(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let skip = |at: usize| blank_len(bytes, at).map_or(at, |len| at.saturating_add(len));
    let sign_at = skip(at);
    let sign = match bytes.get(sign_at)? {
        sign @ (b'/' | b'.' | b'-') => (*sign, sign_at.saturating_add(1)),
        _ => match hyphen_len(bytes, sign_at) {
            Some(len) => (b'-', sign_at.saturating_add(len)),
            None if sign_at > at => return Some((b' ', sign_at)),
            None => return None,
        },
    };
    Some((sign.0, skip(sign.1)))
}

/// `12 May 1980`, `1er mai 1980`, `12th of May, 1980`, `12-May-80`.
fn day_first(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (day, digits, end) = figure(bytes, at)?;
    let end = ordinal_end(text, end);
    let month_at = filler(text, end)?;
    let (month, end) = month(text, month_at)?;
    let year_at = filler(text, end)?;
    // Years are shortened as in '80.
    let year_at = year_at.saturating_add(usize::from(bytes.get(year_at) == Some(&b'\'')));
    let (year, year_digits, end) = figure(bytes, year_at)?;
    (digits <= 2 && is_day(day, month) && is_year(year, year_digits)).then_some(end)
}

/// `May 12, 1980`, `Sept. 3rd 1980`.
fn month_first(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // Most words are no months, and no figure follows them.
    let name_end = name_end(text, at)?;
    let day_at = filler(text, name_end).filter(|at| bytes.get(*at).is_some_and(u8::is_ascii_digit))?;
    let (month, _) = month(text, at)?;
    let (day, digits, end) = figure(bytes, day_at)?;
    let (year, year_digits, end) = figure(bytes, filler(text, ordinal_end(text, end))?)?;
    (digits <= 2 && year_digits == 4 && is_day(day, month) && is_year(year, year_digits)).then_some(end)
}

fn ordinal_end(text: &str, at: usize) -> usize {
    let ends = ["st", "nd", "rd", "th", "er", "ème", "e", "ᵉʳ", "º", "."];
    let rest = text.get(at..).unwrap_or_default();
    let begins = |end: &&&str| rest.get(..end.len()).is_some_and(|start| start.eq_ignore_ascii_case(end));
    ends.iter().find(begins).map_or(at, |end| at.saturating_add(end.len()))
}

/// Where the next part begins: after blanks, a comma, a stop, a hyphen, and the words that join a day to its month.
fn filler(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let skip = |mut at: usize| {
        for _ in 0..3 {
            let sign = matches!(bytes.get(at), Some(b',' | b'.' | b'-' | b'/')).then_some(1);
            match sign.or_else(|| blank_len(bytes, at)).or_else(|| hyphen_len(bytes, at)) {
                Some(len) => at = at.saturating_add(len),
                None => break,
            }
        }
        at
    };
    let at = skip(from);
    let rest = text.get(at..)?;
    let joins = ["of ", "de ", "d'", "d’", "del "];
    let join = joins.iter().find(|join| rest.starts_with(**join)).map_or(0, |join| join.len());
    (at > from || join > 0).then(|| at.saturating_add(join))
}

/// The month whose name is at `at`, and where the name ends.
fn month(text: &str, at: usize) -> Option<(u32, usize)> {
    let end = name_end(text, at)?;
    let name = format!(" {} ", text.get(at..end)?.to_lowercase());
    let place = MONTHS.iter().position(|names| names.contains(&name))?;
    Some((u32::try_from(place).ok()?.saturating_add(1), end))
}

/// Where the letters at `at` end, if they are as many as a month may have.
fn name_end(text: &str, at: usize) -> Option<usize> {
    let most = at.saturating_add(MONTH_BYTES_MAX).saturating_add(1);
    let end = run_end(text.as_bytes(), at, MONTH_BYTES_MAX.saturating_add(1), |byte| {
        byte.is_ascii_alphabetic() || byte >= 0x80
    });
    (end.saturating_sub(at) >= 3 && end < most && text.is_char_boundary(end)).then_some(end)
}
