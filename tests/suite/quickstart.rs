//! The first command of the README: a real answer for a real file, and nothing left behind.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::within;

async fn quickstart(directory: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factoryd"));
    command.arg("quickstart").args(arguments).current_dir(directory).env_clear().env("TMPDIR", directory);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within("the quickstart", command.output()).await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

#[tokio::test]
async fn it_answers_from_the_file_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "# Bridges\n\nThe bridge at Sydney was opened in 1932. It is 503 metres long and carries eight lanes.\n";
    std::fs::write(directory.path().join("README.md"), text).expect("written");
    let (code, out, err) = quickstart(directory.path(), &["--json"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let tour: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!((&tour["file"], &tour["task"]["state"]), (&json!("README.md"), &json!("succeeded")));
    assert!(tour["task"]["output"].as_str().is_some_and(|answer| answer.contains("1932")), "{tour}");
    assert!(tour["tree"]["children"].is_array());
    assert_eq!(names(directory.path()), ["README.md"]);
}

#[tokio::test]
async fn it_tells_answer_cost_and_tree() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, out, err) = quickstart(directory.path(), &[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    for told in ["documentaliste", "$0.00", "one_for_one"] {
        assert!(out.contains(told), "{told} is missing:\n{out}");
    }
    assert_eq!(names(directory.path()), Vec::<String>::new());
}
