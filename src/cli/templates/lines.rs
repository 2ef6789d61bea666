//! Two texts, line by line: the longest common subsequence of their lines, with what is the same for long left out. Pure.

/// The most pairs of lines that are compared, 4 bytes each; beyond, everything between the common beginning and end is told as
/// changed.
const PAIRS_MAX: usize = 4_000_000;
/// Lines that are shown around a change.
const CONTEXT: usize = 2;

/// One line of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// In both.
    Same(&'a str),
    /// In the first alone.
    Gone(&'a str),
    /// In the second alone.
    New(&'a str),
    /// So many lines that are in both.
    Skipped(usize),
}

/// Compares two texts.
pub(super) fn compare<'a>(from: &'a str, to: &'a str) -> Vec<Line<'a>> {
    let (one, other): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let begin = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let (one_rest, other_rest) = (one.get(begin..).unwrap_or_default(), other.get(begin..).unwrap_or_default());
    let end = one_rest.iter().rev().zip(other_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let middle = |lines: &[&'a str]| lines.iter().take(lines.len().saturating_sub(end)).copied().collect::<Vec<_>>();
    let (gone, new) = (middle(one_rest), middle(other_rest));
    let mut lines: Vec<Line<'a>> = one.iter().take(begin).copied().map(Line::Same).collect();
    if gone.len().saturating_mul(new.len()) > PAIRS_MAX {
        lines.extend(gone.iter().copied().map(Line::Gone));
        lines.extend(new.iter().copied().map(Line::New));
    } else {
        lines.extend(common(&gone, &new));
    }
    lines.extend(one_rest.iter().skip(gone.len()).copied().map(Line::Same));
    shortened(&lines)
}

/// The comparison by the table of common lengths, read from its beginning.
fn common<'a>(one: &[&'a str], other: &[&'a str]) -> Vec<Line<'a>> {
    let width = other.len().saturating_add(1);
    let at = |row: usize, column: usize| row.saturating_mul(width).saturating_add(column);
    let mut lengths = vec![0_u32; width.saturating_mul(one.len().saturating_add(1))];
    let look = |lengths: &[u32], row, column| lengths.get(at(row, column)).copied().unwrap_or(0);
    for (row, line) in one.iter().enumerate().rev() {
        for (column, against) in other.iter().enumerate().rev() {
            let (below, beside) = (row.saturating_add(1), column.saturating_add(1));
            let length = if line == against {
                look(&lengths, below, beside).saturating_add(1)
            } else {
                look(&lengths, below, column).max(look(&lengths, row, beside))
            };
            if let Some(place) = lengths.get_mut(at(row, column)) {
                *place = length;
            }
        }
    }
    let (mut row, mut column, mut lines) = (0_usize, 0_usize, Vec::new());
    loop {
        match (one.get(row), other.get(column)) {
            (Some(line), Some(against)) if line == against => {
                lines.push(Line::Same(line));
                (row, column) = (row.saturating_add(1), column.saturating_add(1));
            }
            (Some(line), Some(_))
                if look(&lengths, row.saturating_add(1), column) >= look(&lengths, row, column.saturating_add(1)) =>
            {
                lines.push(Line::Gone(line));
                row = row.saturating_add(1);
            }
            (_, Some(line)) => {
                lines.push(Line::New(line));
                column = column.saturating_add(1);
            }
            (Some(line), None) => {
                lines.push(Line::Gone(line));
                row = row.saturating_add(1);
            }
            (None, None) => return lines,
        }
    }
}

/// Leaves out what is the same far from any change.
fn shortened<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    let changed = |line: &Line<'_>| !matches!(line, Line::Same(_));
    let near = |place: usize| {
        let begin = place.saturating_sub(CONTEXT);
        let end = place.saturating_add(CONTEXT).saturating_add(1).min(lines.len());
        lines.get(begin..end).unwrap_or_default().iter().any(changed)
    };
    let mut told: Vec<Line<'a>> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        match (near(place), told.last_mut()) {
            (true, _) => told.push(*line),
            (false, Some(Line::Skipped(count))) => *count = count.saturating_add(1),
            (false, _) => told.push(Line::Skipped(1)),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_the_same_for_long_is_left_out() {
        let lines = |middle: &str| format!("a\nb\nc\nd\n{middle}\ne\nf\ng\nh\ni");
        let (from, to) = (lines("x"), lines("y"));
        let told = compare(&from, &to);
        let expected = [
            Line::Skipped(2),
            Line::Same("c"),
            Line::Same("d"),
            Line::Gone("x"),
            Line::New("y"),
            Line::Same("e"),
            Line::Same("f"),
            Line::Skipped(3),
        ];
        assert_eq!(told, expected);
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_out_of_the_comparison(one in "[ab\n]{0,30}", other in "[ab\n]{0,30}") {
            let (from, to): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
            let told = common(&from, &to);
            let of = |keep: fn(&Line<'_>) -> bool| -> Vec<&str> {
                told.iter().filter(|line| keep(line)).filter_map(|line| match line {
                    Line::Same(text) | Line::Gone(text) | Line::New(text) => Some(*text),
                    Line::Skipped(_) => None,
                }).collect()
            };
            prop_assert_eq!(of(|line| !matches!(line, Line::New(_))), from);
            prop_assert_eq!(of(|line| !matches!(line, Line::Gone(_))), to);
        }
    }
}
