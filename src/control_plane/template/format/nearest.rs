//! Which of some words somebody may have meant.

/// The longest word that is compared, in characters; no name of a field is longer.
const CHARS_MAX: usize = 64;

/// The candidate that is nearest to a word that was written, if one is near: a third of its letters may be wrong.
pub(in crate::control_plane::template) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = plain(written);
    if written.is_empty() || written.len() > CHARS_MAX {
        return None;
    }
    let allowed = |candidate: &[char]| (candidate.len().max(written.len()) / 3).max(1);
    let scored = candidates.into_iter().filter_map(|candidate| {
        let letters = plain(candidate);
        if letters.len().abs_diff(written.len()) > allowed(&letters) {
            return None;
        }
        let distance = distance(&written, &letters);
        // A word of one or two letters is near to everything.
        (distance <= allowed(&letters) && distance < letters.len()).then_some((distance, candidate))
    });
    scored.min().map(|(_, candidate)| candidate)
}

/// The letters and digits alone, in lower case: `maxOutputTokens` is `max_output_tokens`.
fn plain(word: &str) -> Vec<char> {
    word.chars()
        .take(CHARS_MAX.saturating_add(1))
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut current = vec![row.saturating_add(1)];
        for (column, against) in other.iter().enumerate() {
            let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX);
            let next = column.saturating_add(1);
            let replaced = cell(&above, column).saturating_add(usize::from(letter != against));
            let moved = cell(&above, next).min(cell(&current, column)).saturating_add(1);
            let swapped = match (row.checked_sub(1), column.checked_sub(1)) {
                (Some(up), Some(left)) if one.get(up) == Some(against) && other.get(left) == Some(letter) => {
                    cell(&before, left).saturating_add(1)
                }
                _ => usize::MAX,
            };
            current.push(replaced.min(moved).min(swapped));
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(one.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_what_is_far_is_not() {
        let words = ["temperature", "route", "max_output_tokens", "id"];
        for (written, meant) in [
            ("temprature", Some("temperature")),
            ("tempreature", Some("temperature")),
            ("maxOutputTokens", Some("max_output_tokens")),
            ("max-output-token", Some("max_output_tokens")),
            ("Route", Some("route")),
            ("routes", Some("route")),
            ("colour", None),
            ("x", None),
            ("", None),
            ("ab", None),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
    }

    #[test]
    fn a_swap_of_neighbours_is_one_step() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (one, other, steps) in [("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(&letters(one), &letters(other)), steps, "{one} {other}");
        }
    }
}
