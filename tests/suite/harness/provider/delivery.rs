//! How an answer comes across: whole or in pieces, at its pace, and with its fault.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;

use super::asked::Asked;
use super::connection::Reset;
use super::meter::{Line, Meter, count, due};
use super::reply::{Answer, Counts, Cut, Fault, Gate, Reported};
use super::wire::{Piece, Said};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer under way: the model has begun to work, and the meter runs.
pub(super) struct Work {
    answer: Answer,
    counted: Counts,
    line: Line,
}

impl Work {
    /// Begins; what nobody will see in pieces is billed at once.
    pub(super) fn begin(asked: &Asked, answer: Answer, meter: &Meter) -> Self {
        let counted = count(asked, &answer);
        let due = due(counted, &answer);
        let line = meter.begin(asked, due);
        if !asked.is_streamed() || matches!(answer.fault, Some(Fault::Status(_))) {
            line.wrote(due.output);
        }
        Self { answer, counted, line }
    }

    /// What is answered.
    pub(super) fn respond(self, asked: &Asked, reset: Reset) -> Response<Body> {
        let said = Said {
            answer: &self.answer,
            number: asked.number,
            model: self.answer.model.clone().unwrap_or_else(|| asked.model().to_owned()),
            counted: self.counted,
            include_usage: asked.body["stream_options"]["include_usage"] == true,
        };
        if let Some(Fault::Status(status)) = self.answer.fault {
            return failed(status, &asked.format.failure(status));
        }
        if asked.is_streamed() {
            let mut pieces = asked.format.pieces(&said);
            // Tokens that are billed and in no piece, such as those of reasoning, come with the last one.
            let told: u64 = pieces.iter().map(|piece| piece.tokens).sum();
            let whole = match self.answer.usage {
                Reported::Exactly(counts) => u64::try_from(counts.output).unwrap_or(0),
                Reported::Counted | Reported::Lie(_) | Reported::Unsaid => told,
            };
            if let Some(last) = pieces.last_mut() {
                last.tokens += whole.saturating_sub(told);
            }
            let failing = asked.format.failing_piece();
            return streamed(self, pieces, failing, reset);
        }
        plain(&self.answer, &asked.format.document(&said).to_string(), reset)
    }
}

/// How a row of pieces ends.
#[derive(Clone, Copy)]
enum End {
    Whole,
    Broken,
    Hung,
}

fn plain(answer: &Answer, text: &str, reset: Reset) -> Response<Body> {
    let half = text.len() / 2;
    let half = (half..).find(|at| text.is_char_boundary(*at)).expect("its end is one");
    let whole = |text: &str| Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).boxed_unsync();
    let body = match answer.fault {
        None | Some(Fault::Status(_)) => whole(text),
        Some(Fault::Half(_) | Fault::Cut(Cut::Ended, _)) => whole(&text[..half]),
        Some(Fault::Error(_)) => whole(r#"{"error":{"message":"not now","type":"server_error","code":null}}"#),
        Some(Fault::Hang(_)) => paced(vec![text[..half].to_owned()], End::Hung),
        Some(Fault::Cut(cut, _)) => {
            if cut == Cut::Reset {
                reset.at_the_end();
            }
            paced(vec![text[..half].to_owned()], End::Broken)
        }
    };
    let mut response = Response::builder().header(CONTENT_TYPE, "application/json");
    if matches!(answer.fault, Some(Fault::Hang(_) | Fault::Cut(Cut::Reset | Cut::Closed, _))) {
        response = response.header(CONTENT_LENGTH, text.len());
    }
    response.body(body).expect("a response")
}

fn paced(texts: Vec<String>, end: End) -> Body {
    let pieces = texts.into_iter().map(|text| Piece { text, tokens: 0 }).collect();
    row(pieces, end, (Duration::ZERO, None), None)
}

fn streamed(work: Work, mut pieces: Vec<Piece>, failing: Piece, reset: Reset) -> Response<Body> {
    let end = match work.answer.fault {
        None | Some(Fault::Status(_)) => End::Whole,
        Some(Fault::Cut(cut, count)) => {
            pieces.truncate(count);
            match cut {
                Cut::Ended => End::Whole,
                Cut::Closed => End::Broken,
                Cut::Reset => {
                    reset.at_the_end();
                    End::Broken
                }
            }
        }
        Some(Fault::Half(count)) => {
            pieces.truncate(count + 1);
            pieces.last_mut().into_iter().for_each(halve);
            End::Whole
        }
        Some(Fault::Error(count)) => {
            pieces.truncate(count);
            pieces.push(failing);
            End::Whole
        }
        Some(Fault::Hang(count)) => {
            pieces.truncate(count);
            End::Hung
        }
    };
    let body = row(pieces, end, (work.answer.between, work.answer.held), Some(work.line));
    Response::builder().header(CONTENT_TYPE, "text/event-stream; charset=utf-8").body(body).expect("a response")
}

/// Leaves the first half of a piece's document, and what ends the piece.
fn halve(piece: &mut Piece) {
    let end = piece.text.trim_end().len();
    let start = piece.text.find("data: ").expect("data") + "data: ".len();
    let middle = (start + (end - start) / 2..).find(|at| piece.text.is_char_boundary(*at)).expect("its end is one");
    piece.text.replace_range(middle..end, "");
}

/// One piece after the other, each flushed before the next; the meter runs with them.
fn row(pieces: Vec<Piece>, end: End, (between, held): (Duration, Option<(usize, Gate)>), line: Option<Line>) -> Body {
    let state = (pieces.into_iter().enumerate(), line, held);
    let frames = stream::unfold(state, move |(mut left, line, held)| async move {
        // Whoever cuts a connection has sent what came before, if only the head.
        tokio::task::yield_now().await;
        let next = left.next();
        if next.as_ref().is_none_or(|(number, _)| *number > 0) {
            tokio::time::sleep(between).await;
        }
        if let (Some((number, _)), Some((pieces, gate))) = (&next, &held)
            && number >= pieces
        {
            gate.passed().await;
        }
        match (next.map(|(_, piece)| piece), end) {
            (Some(piece), _) => {
                if let Some(line) = &line {
                    line.wrote(i64::try_from(piece.tokens).expect("few"));
                }
                Some((Ok(Frame::data(Bytes::from(piece.text))), (left, line, held)))
            }
            (None, End::Whole) => None,
            (None, End::Broken) => Some((Err(io::Error::other("cut off")), (left, line, held))),
            (None, End::Hung) => std::future::pending().await,
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// A failure before any work, or instead of its result.
pub(super) fn failed(status: u16, body: &Value) -> Response<Body> {
    let mut response = whole(body.to_string());
    *response.status_mut() = status.try_into().expect("a status");
    response
}

pub(super) fn whole(text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    Response::builder().header(CONTENT_TYPE, "application/json").body(body).expect("a response")
}

/// A body that is announced and not sent.
pub(super) fn cut() -> Response<Body> {
    let body = paced(vec!["{\"choices\":[".to_owned()], End::Broken);
    Response::builder().header(CONTENT_LENGTH, 4096).body(body).expect("a response")
}
