//! Requests byte by byte, for what no client would send.

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::waiting::within;

/// An answer as it came.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawAnswer {
    /// The `code` of the problem that it is.
    pub(crate) fn code(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem: Value = serde_json::from_str(&self.body).expect("a problem");
        assert_eq!(problem["status"], self.status, "{problem}");
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl RawAnswer {
    /// The code of a failure, as it is told at this path.
    pub(crate) fn code_at(&self, path: &str) -> String {
        if path.starts_with("/v1/") { self.code_of_v1() } else { self.code() }
    }

    /// The `code` of the error of OpenAI's or Anthropic's that it is.
    pub(crate) fn code_of_v1(&self) -> String {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        let error: Value = serde_json::from_str(&self.body).expect("an error");
        error["error"]["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends bytes to a Unix socket and reads all that comes back. The request must ask for the connection to be closed.
pub(crate) async fn raw(socket: &Path, bytes: &[u8]) -> RawAnswer {
    raw_over(UnixStream::connect(socket).await.expect("a connection"), bytes).await
}

/// The same over a connection.
pub(crate) async fn raw_over(stream: impl AsyncRead + AsyncWrite, bytes: &[u8]) -> RawAnswer {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let exchange = async {
        // Whoever refuses a request by its head need not read the rest, and may close.
        let write = async { writing.write_all(bytes).await.is_ok() };
        let (_written, _closed) = tokio::join!(write, reading.read_to_end(&mut answer));
    };
    within("a raw answer", exchange).await;
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    RawAnswer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}
