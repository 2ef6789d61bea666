//! Why a text is not JSON: each slip of the hand by its name and place. It goes on behind what people write out of habit
//! (comments, single quotes, a comma too many), so that all of it is told at once.

use super::mistake::{MISTAKES_MAX, Mistake, Place, in_order};
use super::strict::NESTING_MAX;

/// The mistakes of a text that a JSON parser has refused; empty where the text is JSON after all.
pub(in crate::control_plane::template) fn mistakes(text: &str) -> Vec<Mistake> {
    let mut reader = Reader { text, at: 0, pointer: String::new(), mistakes: Vec::new() };
    let _stopped = reader.document().is_none();
    in_order(reader.mistakes)
}

/// Reading goes on (`Some`), or makes no sense from here (`None`).
type Going = Option<()>;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    pointer: String,
    mistakes: Vec<Mistake>,
}

/// What closes a list or an object.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    close: char,
}

const OBJECT: Kind = Kind { name: "object", close: '}' };
const LIST: Kind = Kind { name: "list", close: ']' };

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn step(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.text.len());
    }

    fn pass(&mut self, belongs: impl Fn(char) -> bool) -> (usize, usize) {
        let begins = self.at;
        let length = self.rest().find(|c| !belongs(c)).unwrap_or(self.rest().len());
        self.step(length);
        (begins, self.at)
    }

    fn note(&mut self, at: usize, message: impl Into<String>) -> Going {
        let place = Some(Place::of(self.text, at));
        self.mistakes.push(Mistake::at(self.pointer.clone(), message).placed(place));
        (self.mistakes.len() <= MISTAKES_MAX).then_some(())
    }

    fn stop(&mut self, at: usize, message: impl Into<String>) -> Going {
        let _noted = self.note(at, message);
        None
    }

    fn document(&mut self) -> Going {
        self.space()?;
        if self.peek().is_none() {
            return self.stop(0, "the file is empty; a template is a JSON object with a name and a version");
        }
        self.value(0)?;
        self.space()?;
        match self.peek() {
            None => Some(()),
            Some(_) => self.stop(self.at, "not JSON: something follows behind the end of the template; take it away"),
        }
    }

    /// White space, and what people put where it may stand.
    fn space(&mut self) -> Going {
        loop {
            self.pass(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            let begins = self.at;
            let comment = if self.rest().starts_with("/*") {
                self.rest().find("*/").map(|end| end.saturating_add(2)).or(Some(self.rest().len()))
            } else if self.rest().starts_with("//") || self.rest().starts_with('#') {
                Some(self.rest().find('\n').unwrap_or(self.rest().len()))
            } else {
                None
            };
            if let Some(length) = comment {
                self.step(length);
                self.note(begins, "not JSON: there are no comments; take it away, or say it in `description`")?;
                continue;
            }
            match self.peek() {
                Some(other) if other.is_whitespace() || matches!(other, '\u{feff}' | '\u{200b}') => {
                    self.step(other.len_utf8());
                    let code = u32::from(other);
                    self.note(begins, format!("not JSON: U+{code:04X} is no white space here; write plain blanks"))?;
                }
                Some(_) | None => return Some(()),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Going {
        if depth > NESTING_MAX {
            return self.stop(self.at, format!("nested deeper than {NESTING_MAX} levels"));
        }
        match self.peek() {
            Some('{') => self.members(depth, OBJECT),
            Some('[') => self.members(depth, LIST),
            Some('"') => self.string(),
            Some('\'') => self.single_quoted(),
            Some('0'..='9' | '-' | '+' | '.') => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(),
            Some('“' | '”' | '„' | '«' | '»') => {
                self.stop(self.at, "not JSON: typographic quotes; write plain double quotes \"…\"")
            }
            Some(_) | None => self.stop(
                self.at,
                "not JSON: expected a value: a text in double quotes, a number, true, false, null, an object or a list",
            ),
        }
    }

    /// What stands between braces or brackets.
    fn members(&mut self, depth: usize, kind: Kind) -> Going {
        let (begins, parent) = (self.at, self.pointer.len());
        self.step(1);
        let mut comma = None;
        let mut index = 0_usize;
        loop {
            self.space()?;
            match self.peek() {
                None => return self.unclosed(begins, kind),
                Some(c) if c == kind.close => {
                    self.step(1);
                    return match comma {
                        Some(at) => self.note(at, format!("not JSON: a comma before {c}; take it away")),
                        None => Some(()),
                    };
                }
                Some(',') => {
                    self.note(self.at, "not JSON: a comma too many; take it away")?;
                    self.step(1);
                    continue;
                }
                Some(_) if index > 0 && comma.is_none() => self.separate(kind)?,
                Some(_) => {}
            }
            if kind.close == '}' {
                self.name()?;
            } else {
                self.pointer.push_str(&format!("/{index}"));
            }
            self.value(depth.saturating_add(1))?;
            self.pointer.truncate(parent);
            index = index.saturating_add(1);
            self.space()?;
            comma = (self.peek() == Some(',')).then_some(self.at);
            if comma.is_some() {
                self.step(1);
            }
        }
    }

    /// Two members without a comma between them.
    fn separate(&mut self, kind: Kind) -> Going {
        match self.peek() {
            Some(';') => {
                self.note(self.at, "not JSON: expected a comma, not a semicolon")?;
                self.step(1);
                self.space()
            }
            Some(c) if c == '"' || c == '\'' || c == '{' || c == '[' || c.is_alphanumeric() || c == '-' => {
                self.note(self.at, "not JSON: a comma is missing before this")
            }
            Some(_) | None => self.stop(self.at, format!("not JSON: expected a comma or {}", kind.close)),
        }
    }

    fn unclosed(&mut self, begins: usize, kind: Kind) -> Going {
        let Place { line, column } = Place::of(self.text, begins);
        let Kind { name, close } = kind;
        let message = format!(
            "not JSON: the file ends before the {name} that begins at line {line}, column {column} is closed with {close}"
        );
        self.stop(self.text.len(), message)
    }

    /// A member's name and its colon; adds the name to the pointer.
    fn name(&mut self) -> Going {
        let begins = self.at;
        match self.peek() {
            Some('"') => self.string()?,
            Some('\'') => self.single_quoted()?,
            Some(c) if c.is_alphanumeric() || matches!(c, '_' | '$') => {
                self.pass(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'));
                self.note(begins, "not JSON: a name stands in double quotes")?;
            }
            Some(_) | None => return self.stop(begins, "not JSON: expected a name in double quotes, or }"),
        }
        let written = self.text.get(begins..self.at).unwrap_or_default();
        let key = serde_json::from_str(written).unwrap_or_else(|_| written.trim_matches(['"', '\'']).to_owned());
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        self.space()?;
        match self.peek() {
            Some(':') => self.step(1),
            Some('=') => {
                self.note(self.at, "not JSON: expected a colon, not an equals sign")?;
                self.step(if self.rest().starts_with("=>") { 2 } else { 1 });
            }
            Some(_) | None => return self.stop(self.at, "not JSON: expected a colon behind the name"),
        }
        self.space()
    }

    fn string(&mut self) -> Going {
        let begins = self.at;
        self.step(1);
        loop {
            self.pass(|c| !matches!(c, '"' | '\\') && c >= ' ');
            match self.peek() {
                Some('"') => {
                    self.step(1);
                    return Some(());
                }
                Some('\\') => self.escape()?,
                Some('\n' | '\r') => {
                    let message =
                        "not JSON: this text is not closed on its line: close it with \", or write \\n for a new line";
                    return self.stop(begins, message);
                }
                Some('\t') => {
                    self.note(self.at, "not JSON: a tab inside a text; write \\t")?;
                    self.step(1);
                }
                Some(control) => {
                    let code = u32::from(control);
                    self.note(self.at, format!("not JSON: a control character inside a text; write \\u{code:04x}"))?;
                    self.step(1);
                }
                None => return self.stop(begins, "not JSON: this text is not closed; close it with \""),
            }
        }
    }

    fn escape(&mut self) -> Going {
        let begins = self.at;
        self.step(1);
        match self.peek() {
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => self.step(1),
            Some('u') => {
                let unit = self.unit(1);
                let low = || self.rest().get(5..7) == Some("\\u");
                match unit {
                    Some(0xd800..=0xdbff) if low() && self.unit(7).is_some_and(|u| (0xdc00..=0xdfff).contains(&u)) => {
                        self.step(11);
                    }
                    Some(0xd800..=0xdfff) => {
                        self.note(
                            begins,
                            "not JSON: half of a character; write both surrogates, or the character itself",
                        )?;
                        self.step(5);
                    }
                    Some(_) => self.step(5),
                    None => {
                        self.note(begins, "not JSON: \\u is followed by four hexadecimal digits")?;
                        self.step(1);
                    }
                }
            }
            Some(_) => self.note(begins, "not JSON: no such escape; write \\\\ for a backslash")?,
            None => {}
        }
        Some(())
    }

    /// The four hexadecimal digits so many bytes ahead.
    fn unit(&self, ahead: usize) -> Option<u16> {
        let digits = self.rest().get(ahead..ahead.saturating_add(4))?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    }

    fn single_quoted(&mut self) -> Going {
        let begins = self.at;
        self.step(1);
        self.pass(|c| !matches!(c, '\'' | '\n'));
        self.note(begins, "not JSON: single quotes; write double quotes")?;
        if self.peek() == Some('\'') {
            self.step(1);
            return Some(());
        }
        None
    }

    fn number(&mut self) -> Going {
        let (begins, ends) = self.pass(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'));
        let written = self.text.get(begins..ends).unwrap_or_default();
        if serde_json::from_str::<serde_json::Number>(written).is_ok() {
            return Some(());
        }
        let unsigned = written.trim_start_matches(['-', '+']);
        let reason = if written.starts_with('+') {
            "a number has no plus sign before it"
        } else if written.parse::<f64>().is_ok_and(f64::is_infinite)
            && unsigned.starts_with(|c: char| c.is_ascii_digit())
        {
            "a number beyond what readers can hold"
        } else if unsigned.len() > 1 && unsigned.starts_with('0') && !unsigned.starts_with("0.") {
            "a number does not begin with 0; write a text in double quotes if it is none"
        } else if unsigned.starts_with('.') || unsigned.ends_with('.') {
            "digits stand on both sides of a decimal point"
        } else {
            "not a number; a text stands in double quotes"
        };
        self.note(begins, format!("not JSON: {reason}"))
    }

    fn word(&mut self) -> Going {
        let (begins, ends) = self.pass(|c| c.is_alphanumeric() || c == '_');
        let right = match self.text.get(begins..ends).unwrap_or_default() {
            "true" | "false" | "null" => return Some(()),
            "True" | "TRUE" => "write true",
            "False" | "FALSE" => "write false",
            "None" | "NULL" | "Null" | "nil" | "undefined" => "leave the field out where it has nothing to say",
            "NaN" | "Infinity" => "there is no such number",
            _ => "a text stands in double quotes",
        };
        self.note(begins, format!("not JSON: {right}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_slip_is_told_by_its_name_and_place() {
        for (text, line, column, part) in [
            ("", 1, 1, "the file is empty"),
            ("{\n  \"a\": 1,\n}", 2, 9, "a comma before }"),
            ("{\"a\": [1, 2,]}", 1, 12, "a comma before ]"),
            ("{\"a\": 1,, \"b\": 2}", 1, 9, "a comma too many"),
            ("{'a': 1}", 1, 2, "single quotes"),
            ("{\"a\": 'x'}", 1, 7, "single quotes"),
            ("{a: 1}", 1, 2, "a name stands in double quotes"),
            ("{\"a\": 1 // so\n}", 1, 9, "no comments"),
            ("/* so */ {\"a\": 1}", 1, 1, "no comments"),
            ("{\"a\": 1\n# so\n}", 2, 1, "no comments"),
            ("{\"a\": 1\n \"b\": 2}", 2, 2, "a comma is missing"),
            ("{\"a\": 1; \"b\": 2}", 1, 8, "semicolon"),
            ("{\"a\" 1}", 1, 6, "expected a colon"),
            ("{\"a\" = 1}", 1, 6, "equals sign"),
            ("{\"a\": True}", 1, 7, "write true"),
            ("{\"a\": None}", 1, 7, "leave the field out"),
            ("{\"a\": NaN}", 1, 7, "no such number"),
            ("{\"a\": hello}", 1, 7, "double quotes"),
            ("{\"a\": 01}", 1, 7, "begin with 0"),
            ("{\"a\": +1}", 1, 7, "plus sign"),
            ("{\"a\": .5}", 1, 7, "both sides"),
            ("{\"a\": 5.}", 1, 7, "both sides"),
            ("{\"a\": 1e999}", 1, 7, "beyond"),
            ("{\"é\": \"x\ty\"}", 1, 9, "write \\t"),
            ("{\"a\": \"x\\qy\"}", 1, 9, "no such escape"),
            ("{\"a\": \"\\ud800\"}", 1, 8, "half of a character"),
            ("{\"a\": \"\\u12\"}", 1, 8, "four hexadecimal digits"),
            ("{\"a\": \"x\n\"}", 1, 7, "not closed on its line"),
            ("{\"a\": \"x", 1, 7, "not closed"),
            ("{\"a\": {\"b\": 1}", 1, 15, "begins at line 1, column 1 is closed with }"),
            ("{\"a\": 1} {", 1, 10, "behind the end"),
            ("{\"a\": “x”}", 1, 7, "typographic"),
            ("{\u{a0}\"a\": 1}", 1, 2, "U+00A0"),
            ("{\"a\": }", 1, 7, "expected a value"),
        ] {
            let found = mistakes(text);
            let first = found.first().unwrap_or_else(|| panic!("{text} passes"));
            assert_eq!(first.place, Some(Place { line, column }), "{text}: {first}");
            assert!(first.message.contains(part), "{text}: {first}");
        }
    }

    #[test]
    fn slips_that_can_be_passed_by_are_told_together() {
        let text = "{\n  // a comment\n  'name': \"a\",\n  version: \"1.0.0\",\n  \"tools\": [\"x\",],\n}";
        let told: Vec<String> = mistakes(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "line 2, column 3: not JSON: there are no comments; take it away, or say it in `description`",
                "line 3, column 3: not JSON: single quotes; write double quotes",
                "line 4, column 3: not JSON: a name stands in double quotes",
                "line 5, column 16: /tools: not JSON: a comma before ]; take it away",
                "line 5, column 18: not JSON: a comma before }; take it away",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_text_has_mistakes_exactly_where_a_parser_refuses_it(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "'", "1", "-", "0", ".5", "true", "null", " ", "\n", "\\u00e9", "//", "x", "1e5", "\\",
            ]), 0..12)
        ) {
            let text = pieces.concat();
            let accepted = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(accepted, mistakes(&text).is_empty(), "{}: {:?}", text, mistakes(&text));
        }
    }
}
