//! Rate limits: each principal has its own, whichever route it asks, and none of them is only written down.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use crate::harness::{Daemon, RawAnswer, Workshop, raw, raw_over, until};

/// A minute between two requests, so that no pace of this test gives one back.
const SETTINGS: &str = "[api]\ntcp = \"127.0.0.1:0\"\ntokens_file = \"tokens.toml\"\nanonymous_role = \"viewer\"\nrequests_per_minute = 1\nburst = 2\n";

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Nothing limits whoever is on the socket, so that it can look.
fn lookers() -> String {
    format!("[access.users.{}]\nrole = \"admin\"\nrequests_per_minute = \"none\"\n", own_uid())
}

async fn daemon() -> Daemon {
    let workshop = Workshop::new(&format!("{SETTINGS}{}", lookers())).worker(json!({}));
    let token = |token: &str, name: &str, more: &str| {
        let digest = hex::encode(Sha256::digest(token));
        format!("[[token]]\nsha256 = \"{digest}\"\nname = \"{name}\"\nrole = \"admin\"\n{more}\n")
    };
    let tokens = [
        token("default", "default", ""),
        token("four", "four", "requests_per_minute = 1\nburst = 4"),
        token("old", "rotated", ""),
        token("new", "rotated", ""),
        token("free", "free", "requests_per_minute = \"none\""),
    ];
    workshop.write("tokens.toml", &tokens.concat());
    Daemon::start(workshop).await
}

fn request(line: &str, token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("{line} HTTP/1.1\r\nhost: factoryd\r\nconnection: close\r\ncontent-length: 0\r\n{authorization}\r\n")
}

async fn over_tcp(daemon: &Daemon, line: &str, token: Option<&str>) -> RawAnswer {
    let stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
    raw_over(stream, request(line, token).as_bytes()).await
}

async fn over_socket(daemon: &Daemon, line: &str) -> RawAnswer {
    raw(&daemon.workshop.socket(), request(line, None).as_bytes()).await
}

/// How many requests are served before one is refused.
async fn served(daemon: &Daemon, token: Option<&str>) -> usize {
    for count in 0..10 {
        let answer = over_tcp(daemon, "GET /factory/tasks", token).await;
        if answer.status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            assert!((1..=60).contains(&retry_after(&answer)), "{}", answer.head);
            return count;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    panic!("nothing was refused")
}

fn retry_after(answer: &RawAnswer) -> u64 {
    let value = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: ")).expect("when to try again");
    value.trim().parse().expect("seconds")
}

#[tokio::test]
async fn each_principal_has_its_own_limit_and_tokens_of_one_name_share_theirs() {
    let daemon = daemon().await;
    assert_eq!(served(&daemon, Some("default")).await, 2);
    assert_eq!(served(&daemon, Some("four")).await, 4);
    assert_eq!(served(&daemon, None).await, 2);
    assert_eq!(served(&daemon, Some("old")).await, 2);
    assert_eq!(served(&daemon, Some("new")).await, 0);
    for _ in 0..10 {
        assert_eq!(over_tcp(&daemon, "GET /factory/tasks", Some("free")).await.status, 200);
        assert_eq!(over_socket(&daemon, "GET /factory/tasks").await.status, 200);
    }
}

#[tokio::test]
async fn a_limit_holds_on_every_guarded_route_and_on_no_other() {
    let daemon = daemon().await;
    served(&daemon, Some("default")).await;
    let (_, document) = daemon.get("/openapi.json").await;
    let mut open = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let url = path.replace("{scope}", "global").replace(['{', '}'], "");
            let answer = over_tcp(&daemon, &format!("{} {url}", method.to_uppercase()), Some("default")).await;
            if answer.status == 429 {
                assert!(answer.body.contains("requests a minute"), "{method} {path}: {}", answer.body);
                assert!(retry_after(&answer) > 0);
            } else {
                assert_eq!(answer.status, 200, "{method} {path}");
                open.push(path.as_str());
            }
        }
    }
    assert_eq!(open, ["/health", "/openapi.json", "/ready"]);
}

#[tokio::test]
async fn refusals_are_counted_each_and_audited_once_a_minute() {
    let daemon = daemon().await;
    served(&daemon, Some("default")).await;
    for _ in 0..4 {
        assert_eq!(over_tcp(&daemon, "POST /factory/tasks", Some("default")).await.status, 429);
    }
    served(&daemon, None).await;
    let text = daemon.metrics().await;
    for line in [
        "factory_rate_limited_total{via=\"token\"} 5",
        "factory_rate_limited_total{via=\"anonymous\"} 1",
        "factory_rate_limited_total{via=\"peer\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    let (_, page) = daemon.get("/factory/audit").await;
    let refused: Vec<&Value> =
        page["items"].as_array().expect("items").iter().filter(|entry| entry["code"] == "rate_limited").collect();
    let who: Vec<&Value> = refused.iter().map(|entry| &entry["principal"]).collect();
    assert_eq!(who, ["token:default", "anonymous"], "{page}");
}

#[tokio::test]
async fn a_peers_limit_holds_on_the_socket_and_is_taken_up_on_hang_up() {
    let limited = format!("[access.users.{}]\nrole = \"admin\"\nrequests_per_minute = 1\nburst = 3\n", own_uid());
    let daemon = Daemon::start(Workshop::new(&limited)).await;
    for _ in 0..3 {
        assert_eq!(over_socket(&daemon, "GET /factory/tasks").await.status, 200);
    }
    let refused = over_socket(&daemon, "GET /factory/tasks").await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited".to_owned()));
    assert_eq!(over_socket(&daemon, "GET /health").await.status, 200);
    let ended = daemon.ctl(&["tasks", "ls"]).await;
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("requests a minute"), "{}", ended.err);

    daemon
        .workshop
        .edit_settings(|text| text.replace("burst = 3", "burst = 1000").replace("minute = 1\n", "minute = 6000000\n"));
    daemon.signal(rustix::process::Signal::HUP);
    until("the new limit", async || (over_socket(&daemon, "GET /factory/tasks").await.status == 200).then_some(()))
        .await;
    assert!(!daemon.workshop.log().contains("need a restart"), "{}", daemon.workshop.log());
}

#[tokio::test]
async fn the_default_of_the_settings_is_taken_up_on_hang_up_without_a_restart() {
    let daemon = Daemon::start(Workshop::new("[api]\nopen_tasks_max = 7\n")).await;
    daemon.workshop.edit_settings(|text| text.replace("[api]\n", "[api]\nrequests_per_minute = 1\nburst = 1\n"));
    daemon.signal(rustix::process::Signal::HUP);
    until("the limit", async || (over_socket(&daemon, "GET /factory/tasks").await.status == 429).then_some(())).await;
    assert!(!daemon.workshop.log().contains("need a restart"), "{}", daemon.workshop.log());
}
