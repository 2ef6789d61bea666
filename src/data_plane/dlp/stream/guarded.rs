//! A filter that may break: small pieces are examined where they come, large ones on a thread that may take its time, and a text
//! that breaks what examines it is told no further.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Detect, Released, Sight, StreamFilter};
use crate::data_plane::dlp::error::Error;
use crate::data_plane::dlp::handle::{ANSWER_WITHIN, Dlp};
use crate::data_plane::dlp::message::{Message, Opening};
use crate::data_plane::dlp::metrics;
use crate::data_plane::dlp::pseudonym::Pseudonyms;
use crate::data_plane::dlp::redaction::Withheld;
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::Rules;

/// What is examined where it comes, in bytes: some hundred microseconds at the most.
const INLINE_BYTES_MAX: usize = 16 * 1024;

/// A text that is filtered while it is written.
pub struct Stream {
    /// None once it has refused or broken: nothing passes any more.
    filter: Option<StreamFilter>,
    rules: Rules,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter.fmt(f)
    }
}

/// What became of a filter's work: the filter is back, unless it has ended.
type Done = (Option<StreamFilter>, Result<Released, Withheld>);

impl Stream {
    fn new(filter: StreamFilter, rules: Rules) -> Self {
        Self { filter: Some(filter), rules }
    }

    /// Takes a piece, and gives what may be told by now.
    ///
    /// # Errors
    /// Something was found that does not pass, or the text could not be examined. What was given before holds nothing of it, and
    /// nothing passes any more.
    pub async fn push(&mut self, piece: &str) -> Result<Text, Error> {
        let bytes = self.filter.as_ref().map_or(0, StreamFilter::kept).saturating_add(piece.len());
        let work = |mut filter: StreamFilter, piece: &str| {
            let released = filter.push(piece);
            (released.is_ok().then_some(filter), released)
        };
        if bytes <= INLINE_BYTES_MAX {
            return self.told(|filter| catch_unwind(AssertUnwindSafe(|| work(filter, piece))).ok());
        }
        let piece = piece.to_owned();
        let filter = self.filter.take();
        let thread = filter.map(|filter| tokio::task::spawn_blocking(move || work(filter, &piece)));
        self.told_by(thread).await
    }

    /// Gives the rest; nothing more comes.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub async fn finish(mut self) -> Result<Text, Error> {
        let bytes = self.filter.as_ref().map_or(0, StreamFilter::kept);
        let work = |filter: StreamFilter| (None, filter.finish());
        if bytes <= INLINE_BYTES_MAX {
            return self.told(|filter| catch_unwind(AssertUnwindSafe(|| work(filter))).ok());
        }
        let filter = self.filter.take();
        let thread = filter.map(|filter| tokio::task::spawn_blocking(move || work(filter)));
        self.told_by(thread).await
    }

    fn told(&mut self, work: impl FnOnce(StreamFilter) -> Option<Done>) -> Result<Text, Error> {
        let done = self.filter.take().and_then(work);
        self.settle(done)
    }

    async fn told_by(&mut self, thread: Option<tokio::task::JoinHandle<Done>>) -> Result<Text, Error> {
        let done = match thread {
            Some(thread) => thread.await.ok(),
            None => None,
        };
        self.settle(done)
    }

    /// INVARIANT I143: what broke its filter, or was refused, is told no further.
    fn settle(&mut self, done: Option<Done>) -> Result<Text, Error> {
        let Some((filter, released)) = done else {
            tracing::warn!("a text that is being written could not be examined; it is told no further");
            return Err(Error::Failed { reason: "a piece of the text broke what examined it".to_owned() });
        };
        self.filter = filter;
        match released {
            Ok(Released { text, counts }) => {
                metrics::found(&counts, &self.rules);
                Ok(text.into())
            }
            Err(withheld) => {
                match &withheld {
                    Withheld::Blocked(kinds) => metrics::blocked(kinds),
                    Withheld::Asked(question) => metrics::asked(&question.counts),
                }
                Err(withheld.into())
            }
        }
    }
}

impl Dlp {
    /// A filter for a text that is about to be written and goes on from `context`, which has been told. It keeps the detectors that
    /// are in force now.
    ///
    /// # Errors
    /// The pool is not running.
    pub async fn stream(&self, rules: Rules, tenant: &Tenant, context: &Text) -> Result<Stream, Error> {
        let worker = self.next_worker().ok_or(Error::Unavailable)?;
        let opening = Opening { rules: rules.clone(), tenant: tenant.clone(), context: context.clone() };
        let opened = worker.call(ANSWER_WITHIN, |reply| Message::Open(opening.clone(), reply)).await;
        match opened {
            Ok(filter) => Ok(Stream::new(filter, rules)),
            Err(fault) => {
                tracing::warn!(%fault, "no filter for a text that is about to be written");
                Err(Error::Unavailable)
            }
        }
    }
}

impl Opening {
    /// The filter that is asked for.
    pub(in crate::data_plane::dlp) fn filter(self, pseudonyms: Pseudonyms, detect: (Detect, Sight)) -> StreamFilter {
        StreamFilter::new(detect, self.rules, pseudonyms, self.context.expose())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data_plane::dlp::detect::detect;
    use crate::data_plane::dlp::finding::Finding;
    use crate::data_plane::dlp::pseudonym::PseudonymKey;
    use crate::domain::failure::Failure as _;
    use crate::domain::protection::Action;

    const MAIL: &str = "jean.dupont@example.fr";
    const PROSE: &str = "nothing in it changes what was agreed before, and whoever reads it knows that; ";

    fn stream(action: Action, detect: impl Fn(&str) -> Vec<Finding> + Send + Sync + 'static) -> Stream {
        let pseudonyms = Pseudonyms::new(PseudonymKey::from_bytes([7; 32]), "acme".parse().expect("a tenant"));
        Stream::new(StreamFilter::new((Arc::new(detect), Sight::SHIPPED), action.into(), pseudonyms, ""), action.into())
    }

    #[tokio::test]
    async fn pieces_of_any_size_are_told_as_the_whole() {
        let text = format!("{}{MAIL} {}", PROSE.repeat(600), PROSE.repeat(600));
        for size in [7, 4_096, text.len()] {
            let (mut stream, mut told, mut rest) = (stream(Action::Mask, detect), String::new(), text.as_str());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                told.push_str(stream.push(piece).await.expect("passes").expose());
                rest = after;
            }
            told.push_str(stream.finish().await.expect("passes").expose());
            assert_eq!(told, text.replace(MAIL, "<EMAIL_ADDRESS>"), "by {size}");
        }
    }

    #[tokio::test]
    async fn nothing_passes_after_what_is_blocked() {
        let mut stream = stream(Action::Block, detect);
        let refusal = stream.push(&format!("{MAIL} {}", PROSE.repeat(4))).await.expect_err("blocked");
        assert_eq!(refusal.code(), "dlp_blocked");
        assert!(!refusal.to_string().contains("jean"));
        assert!(stream.push("more").await.is_err());
        assert!(stream.finish().await.is_err());
    }

    /// INVARIANT I143.
    #[tokio::test]
    async fn a_text_that_breaks_its_filter_is_told_no_further() {
        for size in [1, INLINE_BYTES_MAX] {
            let broken = |text: &str| if text.contains("boom") { panic!("broken") } else { Vec::new() };
            let mut stream = stream(Action::Mask, broken);
            let calm = PROSE.repeat(4);
            assert!(stream.push(&calm).await.is_ok_and(|told| !told.is_empty()));
            let fault = stream.push(&format!("boom {}", calm.repeat(size / 64 + 1))).await.expect_err("broken");
            assert_eq!(fault.code(), "dlp_failed");
            assert!(stream.push(&calm).await.is_err());
            assert_eq!(stream.finish().await.expect_err("broken").code(), "dlp_failed");
        }
    }
}
