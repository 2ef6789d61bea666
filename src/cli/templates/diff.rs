//! `factoryctl templates diff`.

use clap::Args;
use serde_json::Value;

use super::lines::{self, Line};
use crate::cli::exit::Error;
use crate::cli::output::{Paint, Tone};
use crate::cli::session::Session;
use crate::protocol::template::{TemplateChange, TemplateDiff, TemplateSide};

/// The longest text that is shown whole on one line, in characters; longer ones are compared line by line.
const SHORT_MAX: usize = 80;

/// The arguments.
#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// The template's name.
    name: String,
    /// The first; what was served before the present version, unless given.
    from: Option<String>,
    /// The second; what is served, unless given.
    to: Option<String>,
}

impl Diff {
    pub(super) async fn perform(self, session: &Session) -> Result<(), Error> {
        let diff = session.client.template_diff(&self.name, self.from.as_deref(), self.to.as_deref()).await?;
        session.output.show(&diff, |paint| told(&diff, paint))
    }
}

fn told(diff: &TemplateDiff, paint: Paint) -> String {
    let side = |side: &TemplateSide| format!("{} {}", side.version, side.digest.get(..12).unwrap_or(&side.digest));
    let mut text =
        vec![format!("{}  {} -> {}", paint.text(Tone::Strong, &diff.name), side(&diff.from), side(&diff.to))];
    if diff.changes.is_empty() {
        text.push(paint.text(Tone::Faint, "no difference"));
    }
    text.extend(diff.changes.iter().map(|change| self::change(change, paint)));
    text.join("\n")
}

fn change(change: &TemplateChange, paint: Paint) -> String {
    let pointer = paint.text(Tone::Strong, &change.pointer);
    if let (Some(Value::String(from)), Some(Value::String(to))) = (&change.from, &change.to)
        && (long(from) || long(to))
    {
        let compared = lines::compare(from, to).into_iter().map(|line| match line {
            Line::Same(line) => format!("    {}", plain(line)),
            Line::Gone(line) => paint.text(Tone::Bad, &format!("  - {}", plain(line))),
            Line::New(line) => paint.text(Tone::Good, &format!("  + {}", plain(line))),
            Line::Skipped(count) => paint.text(Tone::Faint, &format!("    … {count} lines are the same")),
        });
        return std::iter::once(pointer).chain(compared).collect::<Vec<_>>().join("\n");
    }
    let gone = change.from.as_ref().map(|value| paint.text(Tone::Bad, &format!("  - {value}")));
    let new = change.to.as_ref().map(|value| paint.text(Tone::Good, &format!("  + {value}")));
    [Some(pointer), gone, new].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn long(text: &str) -> bool {
    text.chars().count() > SHORT_MAX || text.contains('\n')
}

/// Control characters would let a prompt write over the terminal.
fn plain(line: &str) -> String {
    line.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_texts_are_compared_line_by_line_and_short_values_whole() {
        let side = |version: &str| TemplateSide { version: version.to_owned(), digest: "0123456789abcdef".to_owned() };
        let change = |pointer: &str, from: Option<Value>, to: Option<Value>| TemplateChange {
            pointer: pointer.to_owned(),
            kind: String::new(),
            from,
            to,
        };
        let diff = TemplateDiff {
            name: "a".to_owned(),
            from: side("1.0.0"),
            to: side("1.1.0"),
            changes: vec![
                change("/system_prompt", Some(json!("One.\nTwo.\u{1b}[2J")), Some(json!("One.\nThree."))),
                change("/memory/history", None, Some(json!(3))),
            ],
        };
        assert_eq!(
            told(&diff, Paint::Plain),
            "a  1.0.0 0123456789ab -> 1.1.0 0123456789ab\n/system_prompt\n    One.\n  - Two.\u{fffd}[2J\n  + Three.\n/memory/history\n  + 3"
        );
    }
}
