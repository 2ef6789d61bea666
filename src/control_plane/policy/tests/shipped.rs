//! What the shipped rules deny.

use serde_json::{Value, json};

use crate::control_plane::policy::Policy;

fn denied(template: Value) -> Vec<String> {
    let denials = Policy::shipped().check(&template, None).err().unwrap_or_default();
    denials.iter().map(ToString::to_string).collect()
}

#[test]
fn dangerous_tools_are_denied_by_name() {
    for tool in [
        "shell",
        "shell_command",
        "run-shell",
        "bash",
        "RunBash",
        "exec",
        "execCode",
        "python_eval",
        "eval",
        "subprocess.run",
        "mcp:fs/write_file",
        "writeFile",
        "filesystem_write",
        "delete_directory",
        "http_get",
        "network",
        "fetch",
        "web/curl",
        "os.system",
        "writefile",
        "safeshellx",
        "SHELL",
        "run_python",
        "HTTPRequest",
        "HTTPGet",
        "DBExec",
        "OSExec",
        "SSHRun",
        "TCPConnect",
        "URLFetch",
        "JSEval",
        "SHExec",
        "http2_get",
        "exec2",
        "bash5",
        "open_socket2",
        "httpget",
        "webfetch",
        "runcmd",
        "zsh",
        "python",
        "telnet",
        "ftp_put",
        "copy_file",
        "put_file",
        "overwrite_file",
        "mkdir",
        "HTTPs_get",
        "ExEc",
        "HTTP2Get",
    ] {
        let told = denied(json!({"tools": ["read_notes", tool]}));
        assert!(!told.is_empty() && told.iter().all(|line| line.contains(tool)), "{tool}: {told:?}");
    }
}

#[test]
fn harmless_tools_pass() {
    for tool in [
        "read_file",
        "search",
        "calculator",
        "summarise",
        "list_directory",
        "publish_report",
        "wash",
        "cite",
        "evidence",
        "retrieval",
        "executive_summary",
        "evaluate_answer",
        "process_invoice",
        "system_status",
    ] {
        assert_eq!(denied(json!({"tools": [tool]})), Vec::<String>::new());
    }
    assert!(denied(json!({"system_prompt": "write files in a shell"})).is_empty());
}

#[test]
fn sizes_have_a_cap() {
    assert!(denied(json!({"model": {"max_output_tokens": 65_536}})).is_empty());
    assert!(denied(json!({"model": {"max_output_tokens": 65_537}}))[0].contains("output_tokens"));
    let many: Vec<String> = (0..65).map(|n| format!("t{n}")).collect();
    assert!(denied(json!({ "tools": many }))[0].contains("tool_count"));
}
