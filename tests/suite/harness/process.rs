//! The two programs, run to their end.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::waiting::within;
use super::workshop::Workshop;

/// How a program ended.
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The one JSON document on standard output.
    pub(crate) fn json(&self) -> Value {
        let mut documents = serde_json::Deserializer::from_str(&self.out).into_iter::<Value>();
        let first = documents.next().unwrap_or_else(|| panic!("nothing on standard output; {}", self.err));
        let first = first.unwrap_or_else(|fault| panic!("{fault}: {}", self.out));
        assert!(documents.next().is_none(), "more than one document: {}", self.out);
        first
    }
}

/// Runs `factoryd` in a workshop until it ends by itself.
pub(crate) async fn factoryd(workshop: &Workshop, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factoryd"));
    command.arg("--config").arg(workshop.settings()).args(arguments).current_dir(workshop.directory());
    to_its_end(command, "").await
}

/// Runs `factoryctl` against a socket, with something on standard input.
pub(crate) async fn factoryctl(socket: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factoryctl"));
    command.arg("--socket").arg(socket).args(arguments);
    command.current_dir(socket.parent().expect("a directory"));
    to_its_end(command, input).await
}

/// Runs `factoryctl` in a directory with these arguments alone.
pub(crate) async fn factoryctl_with(directory: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factoryctl"));
    command.args(arguments).current_dir(directory);
    to_its_end(command, "").await
}

async fn to_its_end(mut command: Command, input: &str) -> Ended {
    command.env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that does not read its input closes it.
    let _unread = stdin.write_all(input.as_bytes()).await.is_err();
    drop(stdin);
    let output = within("the end of a program", child.wait_with_output()).await.expect("it ends");
    Ended::of(&output)
}
