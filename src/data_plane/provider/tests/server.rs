//! A provider that does as it is told: answers each request from a script, and keeps what it was asked.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;

use crate::config::settings::BaseUrl;

/// What the server does with one request.
#[derive(Clone)]
pub(super) enum Act {
    /// Sends these bytes, framed by the script itself, then closes.
    Raw(String),
    /// Sends a status line, headers and a body of its full length.
    Answer(u16, &'static str, String),
    /// Holds the connection and says nothing.
    Silence,
    /// Answers when the gate is opened.
    Gated(Arc<Notify>, String),
}

/// What one request said.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: String,
}

#[derive(Clone, Default)]
pub(super) struct Server {
    script: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) arrived: Arc<Notify>,
}

pub(super) fn completion(text: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion","model":"qwen-real","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}}}"#
    )
}

impl Server {
    pub(super) async fn tcp(script: impl IntoIterator<Item = Act>) -> (Self, BaseUrl) {
        let server = Self::scripted(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let url = BaseUrl::Http(format!("http://{}/v1", listener.local_addr().expect("an address")));
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        (server, url)
    }

    pub(super) fn unix(path: PathBuf, script: impl IntoIterator<Item = Act>) -> (Self, BaseUrl) {
        let server = Self::scripted(script);
        let listener = UnixListener::bind(&path).expect("bound");
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        (server, BaseUrl::Unix(path))
    }

    fn scripted(script: impl IntoIterator<Item = Act>) -> Self {
        Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(seen) = read_request(&mut stream).await {
            self.seen.lock().expect("no panic").push(seen);
            self.arrived.notify_one();
            let act = self.script.lock().expect("no panic").pop_front().unwrap_or(Act::Silence);
            let (status, headers, body) = match act {
                Act::Raw(bytes) => {
                    // The client may hang up before it has read everything.
                    stream.write_all(bytes.as_bytes()).await.ok();
                    return;
                }
                Act::Silence => std::future::pending().await,
                Act::Answer(status, headers, body) => (status, headers, body),
                Act::Gated(gate, body) => {
                    gate.notified().await;
                    (200, "", body)
                }
            };
            let head = format!("HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < head_end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { head, body: String::from_utf8_lossy(&bytes[head_end..]).into_owned() })
}
