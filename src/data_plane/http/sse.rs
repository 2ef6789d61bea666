//! Server-sent events, as the WHATWG HTML standard (9.2) parses them: bytes in, events out.
//!
//! Lines end with LF, CR or CRLF; a byte order mark at the start is left out; a line that starts with a colon is a comment; several
//! `data` lines are joined by LF; an event without `data` is none. `event` is passed over, since every wire format says the kind in its
//! data as well; so are `id` and `retry`, which serve reconnection.
//!
//! INVARIANT: how the bytes are cut into pieces changes neither the events nor the error.

use std::ops::Range;

/// The byte order mark in UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One event; it lives until the next is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) data: &'a str,
}

/// An event is larger than the reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overlong;

/// Reads events out of bytes that come in pieces.
pub(crate) struct Events {
    /// Bytes that came; those before `read` have been used, those before `seen` hold no end of a line.
    bytes: Vec<u8>,
    read: usize,
    seen: usize,
    /// Whether the last line ended with CR, so that an LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    /// The event so far.
    data: String,
    has_data: bool,
    /// Whether the event was given out, and its texts are to be forgotten.
    told: bool,
    overlong: bool,
    event_bytes_max: usize,
}

/// What a line did to the event.
enum Step {
    More,
    Whole,
}

impl Events {
    /// A reader of events of at most so many bytes each.
    pub(crate) fn new(event_bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            read: 0,
            seen: 0,
            after_cr: false,
            begun: false,
            data: String::new(),
            has_data: false,
            told: false,
            overlong: false,
            event_bytes_max,
        }
    }

    /// Takes a piece in.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.read.min(self.bytes.len()));
        self.seen = self.seen.saturating_sub(self.read);
        self.read = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// The next event that is whole; none until more has come.
    ///
    /// # Errors
    /// [`Overlong`], and from then on nothing else.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'_>>, Overlong> {
        self.forget();
        if !self.begin() {
            return Ok(None);
        }
        while let Some(line) = self.line()? {
            if let Step::Whole = self.take(line) {
                self.told = true;
                return Ok(Some(Event { data: &self.data }));
            }
        }
        Ok(None)
    }

    /// What came after the last event, at the end of the bytes. The standard drops it; some servers leave out the last empty line,
    /// so whoever reads the event decides whether it is whole.
    pub(crate) fn rest(&mut self) -> Option<Event<'_>> {
        self.forget();
        if self.overlong {
            return None;
        }
        let line = self.read..self.bytes.len();
        self.read = line.end;
        self.take(line);
        self.told = true;
        self.has_data.then_some(Event { data: &self.data })
    }

    fn forget(&mut self) {
        if std::mem::take(&mut self.told) {
            self.data.clear();
            self.has_data = false;
        }
    }

    /// Passes over a byte order mark; whether it is known that there is none, or no more of one.
    fn begin(&mut self) -> bool {
        if self.begun {
            return true;
        }
        if self.bytes.starts_with(BOM) {
            self.read = BOM.len();
            self.seen = self.read;
        } else if BOM.starts_with(&self.bytes) {
            return false;
        }
        self.begun = true;
        true
    }

    /// Where the next line that has ended is, without its end.
    fn line(&mut self) -> Result<Option<Range<usize>>, Overlong> {
        if self.overlong {
            return Err(Overlong);
        }
        if self.after_cr && self.read < self.bytes.len() {
            self.after_cr = false;
            if self.bytes.get(self.read) == Some(&b'\n') {
                self.read = self.read.saturating_add(1);
                self.seen = self.seen.max(self.read);
            }
        }
        let unseen = self.bytes.get(self.seen..).unwrap_or_default();
        let found = memchr::memchr2(b'\n', b'\r', unseen).map(|at| self.seen.saturating_add(at));
        let end = found.unwrap_or(self.bytes.len());
        let line = self.read..end;
        let size = line.len().saturating_add(self.data.len());
        if size > self.event_bytes_max {
            self.overlong = true;
            return Err(Overlong);
        }
        self.seen = end;
        if found.is_none() {
            return Ok(None);
        }
        self.after_cr = self.bytes.get(end) == Some(&b'\r');
        self.read = end.saturating_add(1);
        self.seen = self.read;
        Ok(Some(line))
    }

    fn take(&mut self, line: Range<usize>) -> Step {
        let line = self.bytes.get(line).unwrap_or_default();
        if line.is_empty() {
            return if self.has_data { Step::Whole } else { Step::More };
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(at) => (line.get(..at), line.get(at.saturating_add(1)..).unwrap_or_default()),
            None => (Some(line), <&[u8]>::default()),
        };
        if field == Some(b"data") {
            if self.has_data {
                self.data.push('\n');
            }
            self.data.push_str(&String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value)));
            self.has_data = true;
        }
        Step::More
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Told = (Vec<String>, Option<String>, bool);

    fn owned(event: Event<'_>) -> String {
        event.data.to_owned()
    }

    /// All events, what is left, and whether one was too large.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Told {
        let mut events = Events::new(limit);
        let mut told = Vec::new();
        for piece in pieces {
            events.push(piece);
            loop {
                match events.next() {
                    Ok(Some(event)) => told.push(owned(event)),
                    Ok(None) => break,
                    Err(Overlong) => return (told, events.rest().map(owned), true),
                }
            }
        }
        (told, events.rest().map(owned), false)
    }

    fn events(bytes: &str) -> Vec<String> {
        read([bytes.as_bytes()], 1_000).0
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        let table = [
            ("data: YHOO\ndata: +2\ndata: 10\n\n", vec!["YHOO\n+2\n10".to_owned()]),
            (
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
                vec!["first event".to_owned(), "second event".to_owned()],
            ),
            ("data\n\ndata\ndata\n\ndata:", vec!["".to_owned(), "\n".to_owned()]),
            ("data:test\n\ndata: test\n\n", vec!["test".to_owned(), "test".to_owned()]),
            ("event: add\ndata: 73857293\n\nevent: gone\n\ndata: x\n\n", vec!["73857293".to_owned(), "x".to_owned()]),
        ];
        for (bytes, expected) in table {
            assert_eq!(events(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn lines_end_in_three_ways_and_a_mark_may_come_first() {
        for end in ["\n", "\r", "\r\n"] {
            let bytes =
                format!("\u{feff}event: a{end}data: 1{end}data: 2{end}{end}: keep-alive{end}{end}data: 3{end}{end}");
            assert_eq!(events(&bytes), ["1\n2".to_owned(), "3".to_owned()], "{end:?}");
        }
    }

    #[test]
    fn what_has_no_empty_line_after_it_is_the_rest() {
        for bytes in ["data: a\n\ndata: b", "data: a\n\ndata: b\n", "data: a\r\n\r\ndata: b\r\n"] {
            let told = read([bytes.as_bytes()], 100);
            assert_eq!(told, (vec!["a".to_owned()], Some("b".to_owned()), false), "{bytes:?}");
        }
        assert_eq!(read([b": only a comment".as_slice()], 100), (Vec::new(), None, false));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(read([b"data: a\xFFb\n\n".as_slice()], 100).0, ["a\u{fffd}b".to_owned()]);
    }

    #[test]
    fn an_event_over_the_limit_ends_the_reading() {
        let table = [("data: 12345\n\n", false), ("data: 123456\n\n", true), ("data: 1\ndata: 2345\n\n", false)];
        for (bytes, overlong) in table {
            assert_eq!(read([bytes.as_bytes()], 11).2, overlong, "{bytes:?}");
        }
        let endless = [b"data: 1\n\nevent: x\n".as_slice(), &[b'y'; 5_000]];
        assert_eq!(read(endless, 1_000), (vec!["1".to_owned()], None, true));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("data: {\"a\": 1}".to_owned()),
            Just("data:".to_owned()),
            Just("event: x".to_owned()),
            Just(": note".to_owned()),
            Just("\n".to_owned()),
            Just("\n\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\u{feff}".to_owned()),
            Just("é\u{1F600}".to_owned()),
            ".{0,8}",
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        /// INVARIANT: how the bytes are cut changes nothing.
        #[test]
        fn any_cut_of_the_bytes_gives_the_same(
            bytes in stream(),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
            limit in 4_usize..60,
        ) {
            let whole = read([bytes.as_slice()], limit);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(&read(pieces, limit), &whole);
            prop_assert_eq!(read(bytes.chunks(1), limit), whole);
        }

        #[test]
        fn what_was_written_as_events_is_read_again(
            written in proptest::collection::vec(("[a-z]{0,5}", "[^\r\n]{0,20}", "[^\r\n]{0,20}"), 0..8)
        ) {
            let bytes: String = written
                .iter()
                .map(|(name, one, two)| format!("event: {name}\ndata: {one}\n: note\ndata: {two}\n\n"))
                .collect();
            let expected: Vec<_> = written.iter().map(|(_, one, two)| format!("{one}\n{two}")).collect();
            prop_assert_eq!(events(&bytes), expected);
        }
    }
}
