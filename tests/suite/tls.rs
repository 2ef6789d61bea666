//! TLS on the TCP listener: whose certificate says who asks, and what is refused before anybody asks anything.

use std::fs;

use agent_factory::client::{Call, Client};
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{
    Authority, Daemon, Provider, Workshop, factoryctl_with, factoryd, is_cut, raw_over, until, within, write_secret,
};

/// Far enough.
const GOOD: i32 = 2099;
const GRANTS: &str = "[access.certificates.\"dns:ci.acme\"]\nrole = \"submitter\"\ntenant = \"acme\"\nuser = \"ci\"\n\
    [access.certificates.\"dns:ops.acme\"]\nrole = \"operator\"\n";

/// The sections `[api]` and `[api.tls]`.
fn settings(address: &str, auth: &str) -> String {
    format!(
        "[api]\ntcp = \"{address}:0\"\ntokens_file = \"tokens.toml\"\n[api.tls]\ncertificate_file = \"server.pem\"\n\
         key_file = \"server.key\"\nclient_ca_file = \"ca.pem\"\nclient_crl_file = \"crl.pem\"\nclient_auth = \"{auth}\"\n{GRANTS}"
    )
}

fn furnish(workshop: &Workshop, authority: &Authority) {
    let server = authority.sign("localhost", 1, GOOD);
    workshop.write("server.pem", &server.certificate);
    write_secret(workshop.directory(), "server.key", &server.key);
    workshop.write("ca.pem", &authority.pem());
    workshop.write("crl.pem", &authority.revoke(&[13]));
    let token = |token: &str, role: &str| {
        let digest = hex::encode(Sha256::digest(token));
        format!("[[token]]\nsha256 = \"{digest}\"\nname = \"{token}\"\nrole = \"{role}\"\n")
    };
    workshop.write("tokens.toml", &[token("looker", "viewer"), token("boss", "admin")].concat());
}

async fn daemon(authority: &Authority, auth: &str) -> Daemon {
    let workshop = Workshop::with(&Provider::echo().await, &settings("127.0.0.1", auth)).worker(json!({}));
    furnish(&workshop, authority);
    Daemon::start(workshop).await
}

async fn ask(client: &Client, call: Call) -> (u16, Value) {
    let answer = client.exchange(&call).await.expect("an answer");
    (answer.status(), serde_json::from_slice(answer.body()).expect("JSON"))
}

async fn told(client: &Client, call: Call) -> (u16, String) {
    let (status, body) = ask(client, call).await;
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_certificate_is_its_principal_and_nothing_more() {
    let authority = Authority::new();
    let daemon = daemon(&authority, "required").await;
    let port = daemon.tcp_port();
    let client = |name, serial| authority.client(port, Some(&authority.sign(name, serial, GOOD)), None);
    let work = json!({"template_name": "worker", "input": "hello"});
    let submit = || Call::post("/factory/tasks?wait=20s").json(&work).expect("JSON");
    let (status, task) = ask(&client("ci.acme", 2), submit()).await;
    assert_eq!((status, &task["tenant"], &task["user"]), (200, &json!("acme"), &json!("ci")), "{task}");
    assert_eq!(told(&client("CI.Acme", 3), Call::get("/factory/tree")).await, (403, "forbidden".to_owned()));
    assert_eq!(told(&client("ops.acme", 4), Call::get("/factory/tree")).await.0, 200);
    let unknown = (403, "certificate_not_granted".to_owned());
    assert_eq!(told(&client("stranger.acme", 5), Call::get("/factory/tasks")).await, unknown);
    let (_, log) = daemon.get("/factory/audit").await;
    let by: Vec<&Value> = log["items"].as_array().expect("items").iter().map(|entry| &entry["principal"]).collect();
    assert!(by.contains(&&json!("certificate:dns:ci.acme")), "{log}");
}

#[tokio::test]
async fn a_certificate_that_is_not_good_never_gets_through_the_handshake() {
    let (authority, elsewhere) = (Authority::new(), Authority::new());
    let daemon = daemon(&authority, "required").await;
    let port = daemon.tcp_port();
    for (what, signed) in [
        ("of another authority", Some(elsewhere.sign("ops.acme", 4, GOOD))),
        ("expired", Some(authority.sign("ops.acme", 4, 2021))),
        ("revoked", Some(authority.sign("ops.acme", 13, GOOD))),
        ("none", None),
    ] {
        for token in [None, Some("boss")] {
            let client = authority.client(port, signed.as_ref(), token);
            assert!(is_cut(client.exchange(&Call::get("/health")).await), "{what} {token:?}");
        }
    }
    // The other way round: a daemon that another authority signed for is not spoken to.
    let good = authority.sign("ops.acme", 4, GOOD);
    assert!(is_cut(elsewhere.client(port, Some(&good), None).exchange(&Call::get("/health")).await));
    assert_eq!(told(&authority.client(port, Some(&good), None), Call::get("/factory/tree")).await.0, 200);
    assert!(daemon.metrics().await.contains("factory_tls_handshakes_total{outcome=\"failed\"} 9\n"));
}

#[tokio::test]
async fn a_token_beside_a_certificate_decides_alone() {
    let authority = Authority::new();
    let daemon = daemon(&authority, "optional").await;
    let port = daemon.tcp_port();
    let (ops, stranger) = (authority.sign("ops.acme", 4, GOOD), authority.sign("stranger.acme", 5, GOOD));
    let release = || Call::post("/factory/tree/release").json(&json!({"path": "root/none"})).expect("JSON");
    for (certificate, token, status, code) in [
        (Some(&ops), None, 404, "child_unknown"),
        (Some(&ops), Some("looker"), 403, "forbidden"),
        (Some(&ops), Some("taken-away"), 401, "token_unknown"),
        (Some(&ops), Some("two words"), 401, "token_malformed"),
        (Some(&stranger), Some("boss"), 404, "child_unknown"),
        (Some(&stranger), None, 403, "certificate_not_granted"),
        (None, Some("boss"), 404, "child_unknown"),
        (None, None, 401, "token_missing"),
    ] {
        let client = authority.client(port, certificate, token);
        assert_eq!(told(&client, release()).await, (status, code.to_owned()), "{token:?}");
    }
}

#[tokio::test]
async fn a_reload_revokes_at_once_and_a_bad_one_changes_nothing() {
    let authority = Authority::new();
    let daemon = daemon(&authority, "required").await;
    let port = daemon.tcp_port();
    let (ops, other) = (authority.sign("ops.acme", 4, GOOD), authority.sign("ops.acme", 6, GOOD));
    let (gone, stays) = (authority.client(port, Some(&ops), None), authority.client(port, Some(&other), None));
    // Connections that stay open, as clients have them.
    assert_eq!(told(&gone, Call::get("/factory/tree")).await.0, 200);
    assert_eq!(told(&stays, Call::get("/factory/tree")).await.0, 200);
    let list = fs::read_to_string(daemon.workshop.path("crl.pem")).expect("the list");
    daemon.workshop.write("crl.pem", &list[..list.len() / 2]);
    daemon.signal(Signal::HUP);
    until("a bad set is told", async || daemon.workshop.log().contains("tls_file_malformed").then_some(())).await;
    assert_eq!(told(&gone, Call::get("/factory/tree")).await.0, 200, "the old set goes on");
    daemon.workshop.write("crl.pem", &authority.revoke(&[4, 13]));
    daemon.signal(Signal::HUP);
    until("the connection is cut off", async || {
        daemon.metrics().await.contains("factory_tls_distrusted_total 1\n").then_some(())
    })
    .await;
    assert!(is_cut(gone.exchange(&Call::get("/factory/tree")).await));
    assert_eq!(told(&stays, Call::get("/factory/tree")).await.0, 200);
}

#[tokio::test]
async fn a_grant_that_is_taken_away_is_gone_for_open_connections_too() {
    let authority = Authority::new();
    let daemon = daemon(&authority, "required").await;
    let ops = authority.client(daemon.tcp_port(), Some(&authority.sign("ops.acme", 4, GOOD)), None);
    assert_eq!(told(&ops, Call::get("/factory/tree")).await.0, 200);
    daemon.workshop.edit_settings(|text| text.replace("dns:ops.acme", "dns:nobody.acme"));
    daemon.signal(Signal::HUP);
    until("the grant is gone", async || (told(&ops, Call::get("/factory/tree")).await.0 == 403).then_some(())).await;
}

#[tokio::test]
async fn clear_text_and_tls_do_not_mistake_each_other() {
    let authority = Authority::new();
    let daemon = daemon(&authority, "required").await;
    let stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
    let answer = raw_over(stream, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "tls_required"));
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
    stream.write_all(&[22, 3, 1, 255, 255, 0, 0, 0]).await.expect("sent");
    stream.shutdown().await.expect("shut");
    let mut rest = Vec::new();
    // An alert or nothing, and the end.
    let _reset = within("the end of a connection", stream.read_to_end(&mut rest)).await.is_err();
    let plain = Workshop::new("[api]\ntcp = \"127.0.0.1:0\"\nanonymous_role = \"viewer\"\n");
    let plain = Daemon::start(plain).await;
    assert!(is_cut(authority.client(plain.tcp_port(), None, None).exchange(&Call::get("/health")).await));
}

#[tokio::test]
async fn handshakes_that_never_end_keep_nobody_out() {
    let authority = Authority::new();
    let workshop = Workshop::new(&settings("127.0.0.1", "required").replace("tcp =", "connections_max = 2\ntcp ="));
    furnish(&workshop, &authority);
    let daemon = Daemon::start(workshop).await;
    let port = daemon.tcp_port();
    let mut half_open = Vec::new();
    for number in 0..400_u32 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        if number % 2 == 0 {
            stream.write_all(&[22, 3, 1]).await.expect("sent");
        }
        half_open.push(stream);
    }
    let ops = authority.client(port, Some(&authority.sign("ops.acme", 4, GOOD)), None);
    assert_eq!(within("an answer", told(&ops, Call::get("/factory/tree"))).await.0, 200);
    assert_eq!(within("an answer over the socket", daemon.get("/health")).await.0, 200);
    let text = daemon.metrics().await;
    let crowded =
        text.lines().find_map(|line| line.strip_prefix("factory_tls_handshakes_total{outcome=\"crowded_out\"} "));
    let crowded: u32 = crowded.expect("a count").parse().expect("a number");
    assert!(crowded >= 400 - 256, "{crowded}");
    drop(half_open);
}

#[tokio::test]
async fn the_daemon_does_not_start_with_files_that_it_cannot_stand_behind() {
    let authority = Authority::new();
    let workshop = Workshop::new(&settings("127.0.0.1", "required"));
    furnish(&workshop, &authority);
    let key = fs::read_to_string(workshop.path("server.key")).expect("the key");
    fs::remove_file(workshop.path("server.key")).expect("removed");
    for (text, code) in [
        (None, "tls_file_unreadable"),
        (Some(key.as_str()), "tls_file_exposed"),
        (Some("no key"), "tls_file_malformed"),
    ] {
        if let Some(text) = text {
            workshop.write("server.key", text);
        }
        if code == "tls_file_malformed" {
            write_secret(workshop.directory(), "server.key", "no key");
        }
        let ended = factoryd(&workshop, &[]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains(code), "{code}: {}", ended.err);
        assert!(!workshop.socket().exists() && !ended.err.contains(&key[40..80]));
    }
}

#[tokio::test]
async fn factoryctl_asks_over_the_network() {
    let authority = Authority::new();
    let workshop = Workshop::with(&Provider::echo().await, &settings("0.0.0.0", "optional")).worker(json!({}));
    furnish(&workshop, &authority);
    let ops = authority.sign("ops.acme", 4, GOOD);
    workshop.write("ops.pem", &ops.certificate);
    write_secret(workshop.directory(), "ops.key", &ops.key);
    write_secret(workshop.directory(), "token", "looker\n");
    let daemon = Daemon::start(workshop).await;
    let url = format!("https://localhost:{}", daemon.tcp_port());
    let run = async |arguments: &[&str]| {
        let all = [&["--json", "--url", &url, "--ca", "ca.pem"], arguments].concat();
        factoryctl_with(daemon.workshop.directory(), &all).await
    };
    let cert = ["--cert", "ops.pem", "--cert-key", "ops.key"];
    let answered = run(&[&["run", "worker", "hello"], &cert[..]].concat()).await;
    assert_eq!((answered.code, &answered.json()["state"]), (Some(0), &json!("succeeded")), "{}", answered.err);
    let looked = run(&["tree", "--token-file", "token"]).await;
    assert_eq!(looked.code, Some(0), "{}", looked.err);
    let refused = run(&["run", "worker", "hello", "--token-file", "token"]).await;
    assert_eq!((refused.code, &refused.json()["code"]), (Some(3), &json!("forbidden")));
    let nobody = run(&["tree"]).await;
    assert_eq!((nobody.code, &nobody.json()["code"]), (Some(3), &json!("token_missing")));
    assert_eq!(run(&["tree", "--cert", "ops.pem"]).await.code, Some(2));
    let clear = url.replace("https", "http").replace("localhost", "factory.example");
    let clear = factoryctl_with(daemon.workshop.directory(), &["--json", "--url", &clear, "tree"]).await;
    assert_eq!((clear.code, &clear.json()["code"]), (Some(2), &json!("daemon_address_invalid")));
}
