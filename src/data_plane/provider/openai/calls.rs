//! The calls of tools in an answer, put together from what servers send of them.
//!
//! A stream brings a call in pieces that name its place (`index`); its name comes with the first, its arguments with all. Servers
//! differ: some leave the place or the call's name out, some put every call at the same place, some write arguments as an object
//! instead of as text.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::data_plane::provider::calling::{self, ARGUMENTS_BYTES_MAX, CALLS_MAX};
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::ToolCall;

/// A call, or a piece of one.
#[derive(Deserialize)]
pub(super) struct Piece<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, borrow)]
    arguments: Option<&'a RawValue>,
}

/// The calls as far as they have come.
#[derive(Default)]
pub(super) struct Calls {
    open: Vec<Open>,
}

#[derive(Default)]
struct Open {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes in a call that is whole.
    ///
    /// # Errors
    /// [`Error::Nonsense`] over the limits.
    pub(super) fn whole(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        let open = self.begin(piece.index)?;
        open.take(piece)
    }

    /// Takes in a piece of a call.
    ///
    /// # Errors
    /// [`Error::Nonsense`] over the limits.
    pub(super) fn piece(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        let at = self.place(&piece);
        let open = match at.and_then(|at| self.open.get_mut(at)) {
            Some(open) => open,
            None => self.begin(piece.index)?,
        };
        open.take(piece)
    }

    /// Which of the calls a piece goes on with; none where it begins another.
    fn place(&self, piece: &Piece<'_>) -> Option<usize> {
        let id = piece.id.as_deref().filter(|id| !id.is_empty());
        let named =
            piece.function.as_ref().and_then(|function| function.name.as_deref()).is_some_and(|name| !name.is_empty());
        match (piece.index, id) {
            (Some(index), id) => {
                let at = self.open.iter().rposition(|open| open.index == Some(index))?;
                let other = |open: &Open| named && id.is_some_and(|id| !open.id.is_empty() && open.id != id);
                (!self.open.get(at).is_some_and(other)).then_some(at)
            }
            (None, _) if named => None,
            (None, Some(id)) => self.open.iter().rposition(|open| open.id == id).or(self.open.len().checked_sub(1)),
            (None, None) => self.open.len().checked_sub(1),
        }
    }

    fn begin(&mut self, index: Option<u64>) -> Result<&mut Open, Error> {
        if self.open.len() >= CALLS_MAX {
            return Err(Error::Nonsense { what: "too many calls of tools" });
        }
        let at = self.open.len();
        self.open.push(Open { index, ..Open::default() });
        self.open.get_mut(at).ok_or(Error::Nonsense { what: "too many calls of tools" })
    }

    /// All calls, now that no more comes. Half of one, in an answer that was cut short, is none. A call without a name of its own
    /// gets one that follows from the answer's `id`.
    ///
    /// # Errors
    /// [`Error::Nonsense`] where one is no call.
    pub(super) fn finish(self, id: &str, cut_short: bool) -> Result<Vec<ToolCall>, Error> {
        let mut calls: Vec<ToolCall> = Vec::with_capacity(self.open.len());
        for (at, open) in self.open.into_iter().enumerate() {
            let is_taken = |id: &str| calls.iter().any(|call| call.id == id);
            let name = if open.id.is_empty() || is_taken(&open.id) {
                calling::derived_id(&format!("{id}/{at}"))
            } else {
                open.id
            };
            match calling::whole(name, open.name, &open.arguments) {
                Ok(call) => calls.push(call),
                Err(_) if cut_short => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(calls)
    }
}

impl Open {
    fn take(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        if self.id.is_empty() {
            self.id = piece.id.unwrap_or_default();
        }
        let Some(function) = piece.function else { return Ok(()) };
        if self.name.is_empty() {
            self.name = function.name.unwrap_or_default();
        }
        let Some(arguments) = function.arguments.map(RawValue::get) else { return Ok(()) };
        let text: String = if arguments.starts_with('"') {
            serde_json::from_str(arguments).map_err(|_| Error::Nonsense { what: "arguments that are no text" })?
        } else if arguments == "null" {
            String::new()
        } else {
            arguments.to_owned()
        };
        if self.arguments.len().saturating_add(text.len()) > ARGUMENTS_BYTES_MAX {
            return Err(Error::Nonsense { what: "a call of a tool over the limit" });
        }
        self.arguments.push_str(&text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_together(pieces: &[&str]) -> Result<Vec<(String, String, String)>, Error> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.piece(serde_json::from_str(piece).expect("a piece"))?;
        }
        let told = |call: ToolCall| (call.id, call.name, call.arguments.expose().to_owned());
        Ok(calls.finish("answer", false)?.into_iter().map(told).collect())
    }

    fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn pieces_find_their_call() {
        let table: [(&[&str], _); 5] = [
            (
                &[
                    r#"{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":""}}"#,
                    r#"{"index":1,"id":"b","type":"function","function":{"name":"two","arguments":"{}"}}"#,
                    r#"{"index":0,"function":{"arguments":"{\"x\":"}}"#,
                    r#"{"index":0,"id":"","function":{"name":"","arguments":"1}"}}"#,
                ],
                vec![call("a", "one", "{\"x\":1}"), call("b", "two", "{}")],
            ),
            // Every call at the first place.
            (
                &[
                    r#"{"index":0,"id":"a","function":{"name":"one","arguments":"{}"}}"#,
                    r#"{"index":0,"id":"b","function":{"name":"one","arguments":"{}"}}"#,
                ],
                vec![call("a", "one", "{}"), call("b", "one", "{}")],
            ),
            // No place at all.
            (
                &[
                    r#"{"id":"a","function":{"name":"one","arguments":"{"}}"#,
                    r#"{"function":{"arguments":"}"}}"#,
                    r#"{"id":"b","function":{"name":"two"}}"#,
                ],
                vec![call("a", "one", "{}"), call("b", "two", "{}")],
            ),
            // The name and the call's name again with each piece.
            (
                &[
                    r#"{"index":0,"id":"a","function":{"name":"one","arguments":"{"}}"#,
                    r#"{"index":0,"id":"a","function":{"name":"one","arguments":"}"}}"#,
                ],
                vec![call("a", "one", "{}")],
            ),
            // Arguments as an object, or none.
            (
                &[
                    r#"{"index":0,"id":"a","function":{"name":"one","arguments":{"x": 1.10}}}"#,
                    r#"{"index":1,"id":"b","function":{"name":"two","arguments":null}}"#,
                ],
                vec![call("a", "one", "{\"x\": 1.10}"), call("b", "two", "{}")],
            ),
        ];
        for (pieces, expected) in table {
            assert_eq!(put_together(pieces), Ok(expected), "{pieces:?}");
        }
    }

    #[test]
    fn calls_without_names_or_with_the_same_are_told_apart() {
        let piece = r#"{"function":{"name":"one","arguments":"{}"}}"#;
        let calls = put_together(&[piece, piece]).expect("calls");
        let [(first, ..), (second, ..)] = calls.as_slice() else { panic!("two calls") };
        assert!(!first.is_empty() && first != second);
        let mut twice = Calls::default();
        for _ in 0..2 {
            twice
                .whole(serde_json::from_str(r#"{"id":"a","function":{"name":"one"}}"#).expect("a call"))
                .expect("taken");
        }
        let twice = twice.finish("answer", false).expect("calls");
        assert!(twice.len() == 2 && twice[0].id == "a" && twice[1].id != "a");
    }

    #[test]
    fn limits_hold_and_half_a_call_is_none() {
        let many: Vec<String> =
            (0..=CALLS_MAX).map(|at| format!(r#"{{"index":{at},"function":{{"name":"x"}}}}"#)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(put_together(&many), Err(Error::Nonsense { what: "too many calls of tools" }));
        let long =
            format!(r#"{{"index":0,"function":{{"name":"x","arguments":"{}"}}}}"#, "y".repeat(ARGUMENTS_BYTES_MAX));
        let over = put_together(&[&long, r#"{"index":0,"function":{"arguments":"z"}}"#]);
        assert_eq!(over, Err(Error::Nonsense { what: "a call of a tool over the limit" }));
        for bad in [
            r#"{"index":0,"function":{"name":"x","arguments":"{\"a\""}}"#,
            r#"{"index":0,"function":{"arguments":"{}"}}"#,
        ] {
            assert!(put_together(&[bad]).is_err(), "{bad}");
            let mut half = Calls::default();
            half.piece(serde_json::from_str(bad).expect("a piece")).expect("taken");
            assert_eq!(half.finish("answer", true), Ok(Vec::new()));
        }
    }
}
