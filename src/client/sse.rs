//! Server-sent events, as the HTML standard frames them, from chunks cut anywhere.

use super::limits::EVENT_BYTES_MAX;

/// An event that exceeds [`EVENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {EVENT_BYTES_MAX} bytes")]
pub(super) struct EventTooLarge;

/// Collects chunks into the `data` of events. Names, ids and comments are left out: the data says all that there is.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed right after it belongs to the same line end.
    after_return: bool,
    has_data: bool,
}

impl Parser {
    /// Takes a chunk and hands on the data of each event that it completes, in order.
    ///
    /// # Errors
    /// [`EventTooLarge`]; the stream cannot be read further.
    pub(super) fn push(&mut self, chunk: &[u8], mut event: impl FnMut(Vec<u8>)) -> Result<(), EventTooLarge> {
        for &byte in chunk {
            let continues = std::mem::take(&mut self.after_return) && byte == b'\n';
            match byte {
                b'\n' if continues => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    if let Some(data) = self.end_line() {
                        event(data);
                    }
                }
                _ => self.line.push(byte),
            }
            if self.line.len().saturating_add(self.data.len()) > EVENT_BYTES_MAX {
                return Err(EventTooLarge);
            }
        }
        Ok(())
    }

    /// Takes in the line that just ended; an empty one completes an event.
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        let value = match line.strip_prefix(b"data:") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None if line == b"data" => &[],
            None => return None,
        };
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for chunk in chunks {
            parser.push(chunk, |data| events.push(String::from_utf8(data).expect("UTF-8"))).expect("small events");
        }
        events
    }

    #[test]
    fn framing_follows_the_standard() {
        let cases: &[(&str, &[&str])] = &[
            ("data: a\n\n", &["a"]),
            ("data:a\n\ndata:  b\n\n", &["a", " b"]),
            ("event: x\nid: 7\ndata: a\ndata: b\n\n", &["a\nb"]),
            (": comment\n\n\n", &[]),
            ("data\n\n", &[""]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &["a", "b", "c"]),
            ("data: cut off\n", &[]),
            ("database: no\n\n", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(parsed([text.as_bytes()]), *want, "{text:?}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; EVENT_BYTES_MAX];
        assert_eq!(parser.push(&chunk, |_| {}), Ok(()));
        assert_eq!(parser.push(b"x", |_| {}), Err(EventTooLarge));
    }

    proptest! {
        #[test]
        fn chunk_boundaries_change_nothing(
            parts in prop::collection::vec("(data: ?|:|id: )?[a-zé]{0,4}(\n|\r\n|\r)", 0..30),
            size in 1_usize..7,
        ) {
            let text = parts.concat();
            prop_assert_eq!(parsed(text.as_bytes().chunks(size)), parsed([text.as_bytes()]));
        }
    }
}
