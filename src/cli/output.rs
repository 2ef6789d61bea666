//! The only writer to standard output and standard error, and the colours.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::exit::{Error, Exit};

/// Whether and what to paint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Escape codes are understood.
    Coloured,
    /// Text only.
    Plain,
}

/// What a piece of text means to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
    Strong,
}

impl Paint {
    /// INVARIANT 3: for a terminal, and not against the user's wish.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() && !no_colour_wanted() { Self::Coloured } else { Self::Plain }
    }

    pub(super) fn text(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Self::Plain, _) | (_, Tone::Plain) => return text.to_owned(),
            (Self::Coloured, Tone::Good) => "32",
            (Self::Coloured, Tone::Warning) => "33",
            (Self::Coloured, Tone::Bad) => "31",
            (Self::Coloured, Tone::Faint) => "2",
            (Self::Coloured, Tone::Strong) => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// `NO_COLOR` (no-color.org) set to anything, or a terminal that knows no colours.
#[expect(
    clippy::disallowed_methods,
    reason = "what every command line program honours; the daemon's settings are no part of this"
)]
fn no_colour_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb")
}

/// The form of what goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Human,
}

/// Where results and remarks go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    form: Form,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { form: if json { Form::Json } else { Form::Human } }
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Prints a result: as the document, or as people read it.
    pub(super) fn show(&self, document: &impl Serialize, human: impl FnOnce(Paint) -> String) -> Result<(), Error> {
        let mut text = match self.form {
            Form::Json => serde_json::to_string(document).map_err(io::Error::other)?,
            Form::Human => human(Paint::of(&io::stdout())),
        };
        if !text.ends_with('\n') && !text.is_empty() {
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }

    /// Says something that is no result. Nobody may be reading, which changes nothing.
    pub(super) fn remark(&self, remark: impl FnOnce(Paint) -> String) {
        let text = remark(Paint::of(&io::stderr()));
        let _unread = writeln!(io::stderr().lock(), "{text}").is_err();
    }

    /// Tells an error on standard error, with `--json` on standard output as well, and gives its exit code.
    pub(super) fn tell_error(&self, error: &Error) -> Exit {
        let exit = error.exit();
        if exit == Exit::Done {
            return exit;
        }
        if self.form == Form::Json {
            // Where standard output is gone, standard error still tells.
            let _unread = self.show(&error.told(), |_| String::new()).is_err();
        }
        self.remark(|paint| {
            let mut text = format!("{} {error}", paint.text(Tone::Bad, "error:"));
            for reason in error.told().reasons() {
                text.push_str("\n  - ");
                text.push_str(reason);
            }
            if let Some(advice) = error.advice() {
                text.push('\n');
                text.push_str(&paint.text(Tone::Faint, "what to do:"));
                text.push(' ');
                text.push_str(&advice);
            }
            text
        });
        exit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_3_no_escape_codes_without_a_terminal() {
        let file = tempfile::tempfile().expect("a file");
        assert_eq!(Paint::of(&file), Paint::Plain);
        for tone in [Tone::Plain, Tone::Good, Tone::Warning, Tone::Bad, Tone::Faint, Tone::Strong] {
            assert_eq!(Paint::Plain.text(tone, "x"), "x");
        }
        assert_eq!(Paint::Coloured.text(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
