//! Signatures that others make, with OpenSSL and with Python's `cryptography` at the time of the test, are those that the daemon
//! accepts; and what it may not trust, it refuses with the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Daemon, Workshop, factoryctl, until};
use crate::tools;

const SIGN_PY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/signatures/sign.py");

fn openssl_there() -> bool {
    tools::available("openssl", "openssl", "signatures that OpenSSL makes")
}

fn python_there() -> bool {
    openssl_there() && tools::python_with("cryptography", "python3-cryptography", "signatures that Python makes")
}

/// What a program writes on standard output; it must do well.
fn run(program: &str, arguments: &[&str], directory: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).current_dir(directory).output().expect("it starts");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn openssl(directory: &Path, arguments: &str) -> Vec<u8> {
    run("openssl", &arguments.split_whitespace().collect::<Vec<_>>(), directory)
}

fn python(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    run("python3", &[&[SIGN_PY], arguments].concat(), directory)
}

/// Makes a key with OpenSSL; its public half is put among the trusted ones.
fn openssl_key(workshop: &Workshop, id: &str, kind: &str) {
    let private = workshop.path("private");
    openssl(&private, &format!("genpkey {kind} -out {id}.pem"));
    openssl(&private, &format!("pkey -in {id}.pem -pubout -out ../keys/{id}.pub.pem"));
}

const ED25519: &str = "-algorithm ed25519";
const RSA_2048: &str = "-algorithm rsa -pkeyopt rsa_keygen_bits:2048";
const RSA_3072: &str = "-algorithm rsa -pkeyopt rsa_keygen_bits:3072";

/// Writes a template whose file is its own canonical form: no spaces, keys in order, nothing to escape.
fn canonical_template(workshop: &Workshop, name: &str) -> PathBuf {
    let text = format!(
        r#"{{"capabilities":["work"],"model":{{"max_output_tokens":64,"route":"free"}},"name":"{name}","system_prompt":"Answer.","version":"1.0.0"}}"#
    );
    workshop.write(&format!("templates/{name}.json"), &text)
}

async fn published(daemon: &Daemon, name: &str) -> Value {
    let template = until("a published template", async || {
        daemon.client.template(name).await.ok().filter(|template| template.status == "published")
    })
    .await;
    let signature = template.signature.expect("signed");
    json!([signature.key_id, signature.algorithm, signature.scheme])
}

#[tokio::test]
async fn the_daemon_publishes_what_openssl_signed() {
    if !openssl_there() {
        return;
    }
    let workshop = Workshop::new("");
    let private = workshop.path("private");
    for (id, kind, algorithm) in [("ossl-ed", ED25519, "ed25519"), ("ossl-rsa", RSA_3072, "rsa-pss-sha256")] {
        openssl_key(&workshop, id, kind);
        let file = canonical_template(&workshop, id);
        let digest = openssl(&private, &format!("dgst -sha256 -r ../templates/{id}.json"));
        let digest = String::from_utf8(digest).expect("text");
        let digest = digest.split_whitespace().next().expect("a digest");
        fs::write(private.join("message"), format!("agent-factory/template/v1\n{id}\n{algorithm}\n{digest}"))
            .expect("written");
        let sign = match algorithm {
            "ed25519" => format!("pkeyutl -sign -rawin -inkey {id}.pem -in message -out raw"),
            _ => format!(
                "dgst -sha256 -sign {id}.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha256 -out raw message"
            ),
        };
        openssl(&private, &sign);
        let base64 = String::from_utf8(openssl(&private, "base64 -A -in raw")).expect("text");
        let signature =
            json!({"scheme": "factory-v1", "key_id": id, "algorithm": algorithm, "signature": base64.trim()});
        fs::write(file.with_extension("json.sig"), signature.to_string()).expect("written");
    }
    let daemon = Daemon::start(workshop).await;
    assert_eq!(published(&daemon, "ossl-ed").await, json!(["ossl-ed", "ed25519", "factory-v1"]));
    assert_eq!(published(&daemon, "ossl-rsa").await, json!(["ossl-rsa", "rsa-pss-sha256", "factory-v1"]));
}

#[tokio::test]
async fn the_daemon_publishes_what_the_predecessor_signed_where_that_is_allowed() {
    if !python_there() {
        return;
    }
    let workshop = Workshop::new("");
    let private = workshop.path("private");
    for (id, kind) in [("old-2048", RSA_2048), ("old-3072", RSA_3072), ("py-ed", ED25519)] {
        openssl_key(&workshop, id, kind);
    }
    workshop.write(
        "keys/trust.toml",
        "[keys.old-2048]\nschemes = [\"legacy\"]\ntemplates = [\"old-*\"]\n[keys.old-3072]\nschemes = [\"legacy\", \"factory-v1\"]\n[keys.py-ed]\n",
    );
    let sign = |form: &str, template: &str, key: &str| {
        let over =
            json!({"description": "Schöne \"Grüße\" \u{1f600} \u{7f}", "model": {"route": "free", "temperature": 1.0}});
        let file = workshop.unsigned_template(template, over);
        let signature = python(&private, &[form, file.to_str().expect("text"), &format!("{key}.pem")]);
        fs::write(file.with_extension("json.sig"), signature).expect("written");
    };
    sign("legacy", "old-a", "old-2048");
    sign("legacy", "old-b", "old-3072");
    sign("legacy", "new-a", "old-2048");
    sign("v1", "new-b", "old-3072");
    sign("v1", "new-c", "py-ed");
    sign("v1", "old-c", "old-2048");
    let daemon = Daemon::start(workshop).await;
    for (template, signer) in [
        ("old-a", json!(["old-2048", "rsa-pss-sha256", "legacy"])),
        ("old-b", json!(["old-3072", "rsa-pss-sha256", "legacy"])),
        ("new-b", json!(["old-3072", "rsa-pss-sha256", "factory-v1"])),
        ("new-c", json!(["py-ed", "ed25519", "factory-v1"])),
    ] {
        assert_eq!(published(&daemon, template).await, signer, "{template}");
    }
    for (template, reason) in [("new-a", "may not sign a template named new-a"), ("old-c", "may not use")] {
        let refused = daemon.client.template(template).await.expect("a template");
        assert_eq!(refused.status, "refused", "{template}");
        assert!(refused.reasons.iter().any(|told| told.contains(reason)), "{template}: {:?}", refused.reasons);
    }
    let metrics = daemon.metrics().await;
    for reason in ["template_not_allowed", "scheme_not_allowed"] {
        let line = format!("factory_template_signature_failures_total{{reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "{line}");
    }
    assert!(metrics.contains("factory_template_keys{status=\"trusted\"} 3"), "{metrics}");
    assert!(metrics.contains("factory_template_keys{status=\"not_listed\"} 1"));
}

/// Both canonical forms to the byte: a signature fits only the form that was signed. The values try escapes, orders of keys,
/// floats and integers, and are others than those of the committed corpus.
#[tokio::test]
async fn what_python_makes_of_odd_values_is_what_is_verified() {
    if !python_there() {
        return;
    }
    let workshop = Workshop::new("");
    let private = workshop.path("private");
    openssl_key(&workshop, "odd", RSA_2048);
    let corpus = String::from_utf8(python(&private, &["corpus", "300", "20261120"])).expect("UTF-8");
    let lines: Vec<&str> = corpus.lines().collect();
    let mut files = Vec::new();
    for (index, some) in lines.chunks(30).enumerate() {
        let members: Vec<String> = some.iter().enumerate().map(|(n, line)| format!("\"{n}\": {line}")).collect();
        for form in ["v1", "legacy"] {
            let file =
                workshop.write(&format!("templates/odd-{index}-{form}.json"), &format!("{{{}}}", members.join(", ")));
            let path = file.to_str().expect("text").to_owned();
            fs::write(file.with_extension("json.sig"), python(&private, &[form, &path, "odd.pem"])).expect("written");
            files.push(path);
        }
    }
    assert_eq!(files.len(), 20);
    let none = workshop.path("none.sock");
    let mut verify = vec!["templates", "verify", "--keys", "keys", "--legacy-key", "keys/odd.pub.pem", "--json"];
    verify.extend(files.iter().map(String::as_str));
    let verified = factoryctl(&none, &verify, "").await;
    assert_eq!(verified.code, Some(0), "{} {}", verified.out, verified.err);
    let schemes: Vec<Value> =
        verified.json()["items"].as_array().expect("items").iter().map(|item| item["scheme"].clone()).collect();
    assert_eq!(schemes, ["factory-v1", "legacy"].repeat(10).into_iter().map(Value::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_key_is_listed_revoked_and_stops_what_it_signed() {
    let workshop = Workshop::new("").worker(json!({}));
    let none = workshop.path("none.sock");
    let made = factoryctl(&none, &["keys", "generate", "admin", "--out", "private"], "").await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    fs::copy(workshop.path("private/admin.pub.pem"), workshop.path("keys/admin.pub.pem")).expect("copied");
    workshop.write(
        "keys/trust.toml",
        "[keys.admin]\nrevokes = true\n[keys.suite]\ntemplates = [\"work*\"]\nnot_after = \"2099-01-01T00:00:00Z\"\n",
    );
    let daemon = Daemon::start(workshop).await;
    published(&daemon, "worker").await;

    let listed = factoryctl(&none, &["keys", "ls", "--dir", "keys", "--json"], "").await.json();
    let suite =
        listed["items"].as_array().expect("items").iter().find(|key| key["key_id"] == "suite").expect("listed").clone();
    for (field, value) in [
        ("status", json!("trusted")),
        ("algorithm", json!("ed25519")),
        ("bits", json!(256)),
        ("schemes", json!(["factory-v1"])),
        ("templates", json!(["work*"])),
        ("not_after", json!("2099-01-01T00:00:00.000000Z")),
        ("revokes", json!(false)),
    ] {
        assert_eq!(suite[field], value, "{field}");
    }
    if openssl_there() {
        let der = openssl(&daemon.workshop.path("keys"), "pkey -pubin -in suite.pub.pem -outform DER -out ../spki.der");
        assert!(der.is_empty());
        let digest = String::from_utf8(openssl(daemon.workshop.directory(), "dgst -sha256 -r spki.der")).expect("text");
        assert!(digest.starts_with(suite["spki_sha256"].as_str().expect("hex")), "{digest}");
    }

    let revoke =
        ["keys", "revoke", "suite", "--key", "private/admin.pem", "--dir", "keys", "--reason", "a test", "--json"];
    let revoked = factoryctl(&none, &revoke, "").await;
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    assert_eq!(revoked.json()["version"], 1);
    let reasons = until("the revocation", async || {
        daemon.client.template("worker").await.ok().filter(|template| template.status == "refused").map(|t| t.reasons)
    })
    .await;
    assert!(reasons.iter().any(|reason| reason.contains("revoked")), "{reasons:?}");
    let again = factoryctl(&none, &revoke, "").await;
    assert_eq!(again.code, Some(3), "{} {}", again.out, again.err);
    let listed = factoryctl(&none, &["keys", "ls", "--dir", "keys"], "").await;
    assert!(listed.out.contains("revoked"), "{}", listed.out);
    let verified = factoryctl(&none, &["templates", "verify", "templates/worker.json", "--json"], "").await;
    assert_eq!((verified.code, verified.json()["items"][0]["ok"].clone()), (Some(3), json!(false)));
}
