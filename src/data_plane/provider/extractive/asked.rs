//! Parts the question or instruction from the text that it is about.

use std::borrow::Cow;

/// The longest line that is taken for a question or an instruction, in bytes.
const ASKED_BYTES_MAX: usize = 400;

/// What is asked about the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// Nothing in particular.
    Nothing,
    /// A question, to be answered or said not to be.
    Question(Cow<'a, str>),
    /// An instruction, whose words steer the choice.
    Instruction(Cow<'a, str>),
    /// A question that came without a text.
    Unanswerable,
}

/// The text, and what its first or last line asks; in a text of one line, its first or last sentence.
pub(super) fn part(said: &str) -> (&str, Asked<'_>) {
    let said = said.trim();
    if let (Some((first, after)), Some((before, last))) = (said.split_once('\n'), said.rsplit_once('\n')) {
        for (line, rest) in [(last, before), (first, after)] {
            let asked = asked(line);
            if asked != Asked::Nothing {
                return (rest, asked);
            }
        }
        return (said, Asked::Nothing);
    }
    if let Some((instruction, rest)) = said.split_once(':')
        && rest.starts_with(char::is_whitespace)
        && commands(instruction)
    {
        return (rest.trim_start(), Asked::Instruction(instruction.trim().into()));
    }
    if said.ends_with('?') {
        let ends = [". ", "! ", "? ", "… "];
        let cut =
            ends.iter().filter_map(|end| said.rfind(end).map(|at| at.saturating_add(end.len()))).max().unwrap_or(0);
        let (text, question) = said.split_at_checked(cut).unwrap_or((said, ""));
        return (text, asked(question));
    }
    match said.split_once("? ") {
        Some((question, rest)) if !question.contains(". ") && question.len() < ASKED_BYTES_MAX => {
            (rest, Asked::Question(question.into()))
        }
        Some(_) | None => (said, Asked::Nothing),
    }
}

/// What one line asks.
pub(super) fn asked(line: &str) -> Asked<'_> {
    let line = line.trim();
    if line.len() > ASKED_BYTES_MAX {
        Asked::Nothing
    } else if line.ends_with(['?', '？']) {
        Asked::Question(line.into())
    } else if commands(line) {
        Asked::Instruction(line.into())
    } else {
        Asked::Nothing
    }
}

/// Whether a line begins with the imperative of a verb that asks for a reading.
fn commands(line: &str) -> bool {
    const VERBS: &[&str] = &[
        "summarise",
        "summarize",
        "explain",
        "analyse",
        "analyze",
        "extract",
        "review",
        "describe",
        "tell",
        "answer",
        "résume",
        "résumez",
        "explique",
        "expliquez",
        "analysez",
        "extrais",
        "extrayez",
        "décris",
        "décrivez",
        "réponds",
        "répondez",
        "synthétise",
        "synthétisez",
    ];
    let line = line.trim_start();
    let line = ["please ", "Please "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    let first = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    line.len() <= ASKED_BYTES_MAX && first.len() <= 16 && VERBS.contains(&first.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str) -> Asked<'_> {
        Asked::Question(text.into())
    }

    #[test]
    fn what_is_asked_is_parted_from_the_text() {
        let table = [
            ("One fact.\nAnother.\nWhich fact?", "One fact.\nAnother.", question("Which fact?")),
            ("Which fact?\nOne fact.", "One fact.", question("Which fact?")),
            ("One fact. Another! Which fact?", "One fact. Another! ", question("Which fact?")),
            ("Which fact? One fact.", "One fact.", question("Which fact")),
            ("Which fact?", "", question("Which fact?")),
            ("Résume ce texte : il pleut.", "il pleut.", Asked::Instruction("Résume ce texte".into())),
            ("Please summarize:\nIt rains.", "It rains.", Asked::Instruction("Please summarize:".into())),
            ("It rains.", "It rains.", Asked::Nothing),
            ("", "", Asked::Nothing),
        ];
        for (said, text, asked) in table {
            assert_eq!(part(said), (text, asked), "{said}");
        }
    }
}
