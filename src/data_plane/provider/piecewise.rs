//! Reads an answer that comes as a stream of events, and tells its pieces as they come.
//!
//! INVARIANT: how the bytes are cut changes neither what is told nor what it ends with.

use super::error::{Charge, Error};
use super::exchange::{Delta, Deltas};
use crate::data_plane::http::{Events, Overlong, Stream};

/// The largest event that is read, in bytes.
pub(super) const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A format's reading of its events, one after the other.
pub(super) trait Pieces: Send {
    /// Takes an event's data in, and gives what is to be told of it.
    ///
    /// # Errors
    /// What the event says of a failure, or that it is not what the format promises.
    fn take(&mut self, data: &str) -> Result<Vec<Delta>, Error>;

    /// Whether the answer is whole and nothing that counts comes any more.
    fn is_over(&self) -> bool;
}

/// A failure that is told in the middle of a stream. A model that has read the prompt has worked, so that such a failure may cost
/// something even where it would be free as an answer; where words have come, they tell what, and else it is in doubt.
pub(super) fn failed_at_work(failure: Error, has_worked: bool, has_words: bool) -> Error {
    match failure.charge() {
        Charge::None if has_worked && !has_words => {
            Error::Cut("the provider failed while the model was at work".to_owned())
        }
        Charge::None | Charge::Unknown => failure,
    }
}

/// Hears a stream to its end. Whether the answer is whole then, its format knows.
///
/// # Errors
/// Those of the stream and of its events; what came before has been told.
pub(super) async fn hear(mut stream: Stream, pieces: &mut impl Pieces, heard: &Deltas) -> Result<(), Error> {
    let mut reader = Reader::new(pieces);
    loop {
        let chunk = stream.chunk().await?;
        if let Some(chunk) = &chunk {
            reader.push(chunk);
        }
        while let Some(told) = reader.next()? {
            tell(told, heard).await;
            if reader.pieces.is_over() {
                stream.end();
                return Ok(());
            }
        }
        if chunk.is_none() {
            tell(reader.rest()?, heard).await;
            return Ok(());
        }
    }
}

async fn tell(told: Vec<Delta>, heard: &Deltas) {
    for delta in told {
        // Who has gone hears nothing; the answer counts all the same.
        let _gone = heard.send(delta).await.is_err();
    }
}

/// Bytes in, pieces out.
struct Reader<'a, P> {
    events: Events,
    pieces: &'a mut P,
}

impl<'a, P: Pieces> Reader<'a, P> {
    fn new(pieces: &'a mut P) -> Self {
        Self { events: Events::new(EVENT_BYTES_MAX), pieces }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.events.push(bytes);
    }

    /// What the next event tells; none until more has come.
    fn next(&mut self) -> Result<Option<Vec<Delta>>, Error> {
        match self.events.next() {
            Ok(Some(event)) => self.pieces.take(event.data).map(Some),
            Ok(None) => Ok(None),
            Err(Overlong) => Err(Error::Nonsense { what: "an event over the limit" }),
        }
    }

    /// What an event tells after which the stream ended without an empty line.
    fn rest(&mut self) -> Result<Vec<Delta>, Error> {
        match self.events.rest() {
            Some(event) => self.pieces.take(event.data),
            None => Ok(Vec::new()),
        }
    }
}

/// All that a stream tells, and how it ends, where its bytes come in these pieces.
#[cfg(test)]
pub(super) fn told_of<'a>(
    bytes: impl IntoIterator<Item = &'a [u8]>,
    pieces: &mut impl Pieces,
) -> (Vec<Delta>, Result<(), Error>) {
    let mut reader = Reader::new(pieces);
    let mut told = Vec::new();
    let all = || -> Result<(), Error> {
        for piece in bytes {
            reader.push(piece);
            while let Some(deltas) = reader.next()? {
                told.extend(deltas);
                if reader.pieces.is_over() {
                    return Ok(());
                }
            }
        }
        told.extend(reader.rest()?);
        Ok(())
    };
    let ended = all();
    (told, ended)
}
