//! Secrets are planted everywhere that a text can get in, and looked for everywhere that one can get out: they are found only where
//! `docs/security.md` says ("Where a secret may be found").

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_factory::client::Client;
use agent_factory::protocol::task::SubmitTask;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use crate::harness::{Daemon, Gate, PATIENCE, Provider, Reply, Workshop, factoryctl, raw, raw_over, until};

/// Where a secret can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Surface {
    Provider,
    Tool,
    Data,
    Backup,
    Log,
    Metrics,
    Events,
    Audit,
    Refusals,
    Process,
}

use Surface::{Backup, Data};

/// What is kept of a task is in the data directory, and in backups of it.
const KEPT: &[Surface] = &[Data, Backup];
const NOWHERE: &[Surface] = &[];
/// A name that there is not is told back to whoever wrote it, and to nobody else.
const TOLD_BACK: &[Surface] = &[Surface::Refusals];

/// With encryption at rest what is kept is on no disk in clear, and neither is what it is encrypted with.
const SEALED: &[Surface] = NOWHERE;
/// The policy: where what was planted at a place must be, which is also where alone it may be.
const POLICY: &[(&str, &[Surface])] = &[
    ("the prompt", KEPT),
    ("an object's member", KEPT),
    ("a member's name", KEPT),
    ("metadata", KEPT),
    ("the idempotency key", NOWHERE),
    ("the comment of a feedback", KEPT),
    ("a message of the front door", KEPT),
    ("a model's answer", KEPT),
    ("a tool's argument", KEPT),
    ("a tool's result", KEPT),
    ("a prompt that is blocked", KEPT),
    ("a prompt whose call fails", KEPT),
    ("a prompt that is interrupted", KEPT),
    ("a text that is scanned", NOWHERE),
    ("the provider's key", NOWHERE),
    ("a valid token", NOWHERE),
    ("a token that nobody has", NOWHERE),
    ("an authorization header", NOWHERE),
    ("an x-api-key header", NOWHERE),
    ("a header that means nothing", NOWHERE),
    ("a body that breaks off", NOWHERE),
    ("a body that is no JSON", NOWHERE),
    ("a member that is not known", NOWHERE),
    ("the name of a member that is not known", TOLD_BACK),
    ("a number that is a text", NOWHERE),
    ("a deadline that is none", NOWHERE),
    ("a budget that is none", NOWHERE),
    ("a template that there is not", TOLD_BACK),
    ("a capability that nothing has", TOLD_BACK),
    ("a model that there is not", TOLD_BACK),
    ("a query", NOWHERE),
    ("the name of a parameter", TOLD_BACK),
    ("a path", NOWHERE),
    ("a route that there is not", NOWHERE),
    ("a message of the front door that is malformed", NOWHERE),
    ("a body that is too large", NOWHERE),
];

/// A secret of a place: a key such as code hosts give out, which the filter knows.
fn secret(place: &str) -> String {
    let digest = [Sha256::digest(place), Sha256::digest(format!("more {place}"))].concat();
    let body: String = BASE64.encode(digest).chars().filter(char::is_ascii_alphanumeric).take(36).collect();
    format!("ghp_{body}")
}

/// An address of a place, which the filter knows as well.
fn address(place: &str) -> String {
    format!("ada.{}@planted.example.org", hex::encode(&Sha256::digest(place)[..8]))
}

fn planted(place: &str) -> String {
    assert!(POLICY.iter().any(|(known, _)| *known == place), "{place} is not in the policy");
    format!("Write to {} with {} today.", address(place), secret(place))
}

/// The forms in which a text may be written down: as it is, in base64 wherever it begins, in hexadecimal.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let base64 = (0..3).map(|before| {
        let encoded = BASE64.encode([vec![b' '; before], text.as_bytes().to_vec()].concat());
        // What depends on the neighbours is left out.
        let (begin, end) = ([0, 2, 3][before], encoded.len() - 3);
        encoded.as_bytes()[begin..end].to_vec()
    });
    let plain = [text.as_bytes().to_vec(), hex::encode(text).into_bytes()];
    plain.into_iter().chain(base64).collect()
}

/// What was collected, by surface.
#[derive(Default)]
struct Found(BTreeMap<Surface, Vec<u8>>);

impl Found {
    fn add(&mut self, surface: Surface, bytes: impl AsRef<[u8]>) {
        let all = self.0.entry(surface).or_default();
        all.extend_from_slice(bytes.as_ref());
        all.push(b'\n');
    }

    fn add_directory(&mut self, surface: Surface, directory: &Path) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.add_directory(surface, &path);
            } else {
                self.add(surface, fs::read(&path).expect("a file"));
            }
        }
    }

    /// The surfaces that hold a text in any form.
    fn holding(&self, text: &str) -> BTreeSet<Surface> {
        let forms = forms(text);
        let holds = |bytes: &[u8]| forms.iter().any(|form| memchr::memmem::find(bytes, form).is_some());
        self.0.iter().filter(|(_, bytes)| holds(bytes)).map(|(surface, _)| *surface).collect()
    }
}

/// A daemon with everything on that may write something down, and what it talks to.
struct Run {
    daemon: Daemon,
    model: Provider,
    tool: Provider,
    gate: Gate,
    found: Found,
    events: Arc<Mutex<Vec<u8>>>,
    /// The master key, where the daemon encrypts.
    master: Option<String>,
}

/// Whether the daemon encrypts what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtRest {
    Clear,
    Encrypted,
}

impl Run {
    async fn begin(at_rest: AtRest) -> Self {
        let gate = Gate::closed();
        let held = gate.clone();
        let answer: &'static str = planted("a model's answer").leak();
        let model = Provider::start(move |call| match call.prompt().split(' ').next() {
            Some("ANSWER") => Reply::Say(answer),
            Some("FAIL") => Reply::Status(400, None),
            Some("WAIT") => Reply::echo_behind(&held),
            _ => Reply::Echo,
        })
        .await;
        let result: &'static str = planted("a tool's result").leak();
        let tool = Provider::start(move |_| Reply::Say(result)).await;
        let settings = format!(
            "[tools.publish]\nurl = \"http://127.0.0.1:{}/hook\"\n[log]\nlevel = \"debug\"\n\
             [audit]\ncheckpoint_every = \"1s\"\n\
             [api]\ntcp = \"127.0.0.1:0\"\ntokens_file = \"tokens.toml\"\nbody_bytes_max = 65536\n",
            tool.port()
        );
        let workshop = Workshop::with(&model, &settings).worker(json!({}));
        workshop.template("guarded", json!({"dlp": {"outbound": "block"}}));
        let steps = json!([{"id": "out", "tool": "publish", "input": "send {{input}}"}]);
        workshop.template("boss", json!({"kind": "orchestrator", "tools": ["publish"], "plan": {"steps": steps}}));
        let key = workshop.write("provider.key", &secret("the provider's key")).display().to_string();
        let keyed = format!("kind = \"openai\"\napi_key_file = {key:?}");
        workshop.edit_settings(|text| text.replacen("kind = \"openai\"", &keyed, 1));
        let digest = hex::encode(Sha256::digest(secret("a valid token")));
        workshop.write("tokens.toml", &format!("[[token]]\nsha256 = \"{digest}\"\nname = \"ci\"\nrole = \"admin\"\n"));
        let master = if at_rest == AtRest::Encrypted { Some(with_master(&workshop).await) } else { None };
        let daemon = Daemon::start(workshop).await;
        let run = Self { daemon, model, tool, gate, found: Found::default(), events: Arc::default(), master };
        run.listen();
        run
    }

    /// Hears all events from now on, until the daemon ends.
    fn listen(&self) {
        let (client, events): (Client, _) = (self.daemon.client.clone(), Arc::clone(&self.events));
        let _listening = tokio::spawn(async move {
            let Ok(mut stream) = client.events().await else { return };
            while let Ok(Some(event)) = stream.next().await {
                let told = serde_json::to_vec(&event).expect("JSON");
                events.lock().expect("no poison").extend_from_slice(&told);
            }
        });
    }

    async fn work(&self) {
        let submit = async |template: &str, input: Value, place: &str| {
            let metadata = [("note".to_owned(), planted("metadata"))].into();
            let template_name = Some(template.to_owned());
            let work = SubmitTask { template_name, input, metadata, ..SubmitTask::default() };
            let key = (place == "the prompt").then(|| secret("the idempotency key"));
            self.daemon.client.submit(&work, key.as_deref(), PATIENCE).await.expect("a task")
        };
        let task = submit("worker", planted("the prompt").into(), "the prompt").await;
        let comment = json!({"score": 1, "comment": planted("the comment of a feedback")});
        assert_eq!(self.daemon.post(&format!("/factory/tasks/{}/feedback", task.task_id), &comment).await.0, 200);
        let object = json!({"text": planted("an object's member"), planted("a member's name"): 1});
        submit("worker", object, "").await;
        submit("worker", format!("ANSWER {}", planted("the prompt")).into(), "").await;
        submit("worker", format!("FAIL {}", planted("a prompt whose call fails")).into(), "").await;
        submit("boss", planted("a tool's argument").into(), "").await;
        let blocked = submit("guarded", planted("a prompt that is blocked").into(), "").await;
        assert_eq!(blocked.error.expect("blocked").code, "dlp_blocked");
        let message = json!({"role": "user", "content": planted("a message of the front door")});
        let chat = json!({"model": "worker", "messages": [message]});
        assert_eq!(self.daemon.post("/v1/chat/completions", &chat).await.0, 200);
        let scan = json!({"text": planted("a text that is scanned")});
        assert_eq!(self.daemon.post("/factory/dlp/scan", &scan).await.0, 200);
    }

    /// A request byte by byte, whose answer is looked through.
    async fn ask(&mut self, line: &str, headers: &str, body: &str) -> u16 {
        let request = request(line, headers, body);
        let answer = raw(&self.daemon.workshop.socket(), request.as_bytes()).await;
        self.found.add(Surface::Refusals, [answer.head.as_bytes(), answer.body.as_bytes()].concat());
        answer.status
    }

    async fn ask_over_tcp(&mut self, token: &str) -> u16 {
        let request = request("GET /factory/agents", &format!("authorization: Bearer {token}\r\n"), "");
        let stream = TcpStream::connect(("127.0.0.1", self.daemon.tcp_port())).await.expect("a connection");
        let answer = raw_over(stream, request.as_bytes()).await;
        self.found.add(Surface::Refusals, [answer.head.as_bytes(), answer.body.as_bytes()].concat());
        answer.status
    }

    /// What is refused, in every way that there is.
    async fn err(&mut self) {
        assert_eq!(self.ask_over_tcp(&secret("a valid token")).await, 200);
        assert_eq!(self.ask_over_tcp(&secret("a token that nobody has")).await, 401);
        let headers = format!(
            "authorization: Bearer {}\r\nx-api-key: {}\r\nx-trace: {}\r\n",
            secret("an authorization header"),
            secret("an x-api-key header"),
            secret("a header that means nothing")
        );
        assert_eq!(self.ask("GET /factory/agents", &headers, "").await, 200);
        let submit = "POST /factory/tasks";
        let task = |more: Value| {
            let mut body = json!({"template_name": "worker", "input": "x"});
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            body.to_string()
        };
        let member = secret("the name of a member that is not known");
        let large = format!("{{\"input\": \"{}{}\"}}", planted("a body that is too large"), "x".repeat(70_000));
        let bodies = [
            (submit, format!("{{\"template_name\": \"worker\", \"input\": \"{}", planted("a body that breaks off"))),
            (submit, planted("a body that is no JSON")),
            (submit, task(json!({"nothing": planted("a member that is not known")}))),
            (submit, task(json!({member: 1}))),
            (submit, task(json!({"metadata": planted("a number that is a text")}))),
            (submit, task(json!({"deadline": planted("a deadline that is none")}))),
            (submit, task(json!({"budget_usd": planted("a budget that is none")}))),
            (submit, task(json!({"template_name": secret("a template that there is not")}))),
            (submit, json!({"capability": secret("a capability that nothing has"), "input": "x"}).to_string()),
            (submit, large),
            ("PUT /factory/budgets/global", json!({"limit_usd": planted("a budget that is none")}).to_string()),
            ("POST /factory/dlp/scan", json!({"text": {"a": planted("a number that is a text")}}).to_string()),
        ];
        for (line, body) in bodies {
            let status = self.ask(line, "content-type: application/json\r\n", &body).await;
            assert!((400..500).contains(&status), "{status}: {line} {body:.100}");
        }
        let said = planted("a message of the front door that is malformed");
        for line in ["POST /v1/chat/completions", "POST /v1/messages"] {
            let (unknown, hello) = (secret("a model that there is not"), json!([{"role": "user", "content": "hello"}]));
            for body in [
                json!({"model": unknown, "messages": hello, "max_tokens": 16}),
                json!({"model": "worker", "messages": said}),
                json!({"max_tokens": said}),
                json!({"model": "worker", "messages": [{"role": said, "content": "hello"}]}),
            ] {
                let status = self.ask(line, "", &body.to_string()).await;
                assert!((400..500).contains(&status), "{status}: {line}");
            }
        }
        for path in [
            format!("/factory/tasks?limit={}", secret("a query")),
            format!("/factory/audit?after={}", secret("a query")),
            format!("/factory/tasks?{}=1", secret("the name of a parameter")),
            format!("/factory/tasks/{}", secret("a path")),
            format!("/factory/templates/{}", secret("a path")),
            format!("/factory/budgets/{}", secret("a path")),
            format!("/nothing/{}", secret("a route that there is not")),
        ] {
            let status = self.ask(&format!("GET {path}"), "", "").await;
            assert!((400..500).contains(&status), "{status}: {path}");
        }
    }

    /// Interrupted in the middle of a call, as by a power cut, and started again.
    async fn crash(&mut self) {
        let calls = self.model.count();
        let input = format!("WAIT {}", planted("a prompt that is interrupted"));
        let task = self.daemon.submit("worker", &input).await;
        self.model.was_asked(calls + 1).await;
        self.collect().await;
        self.daemon.kill9();
        self.gate.open();
        self.daemon.start_again().await;
        self.listen();
        until("the interrupted task is where a person or the model takes it on", async || {
            let task = self.daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
            (task.state.has_ended() || task.waiting_for.is_some()).then_some(())
        })
        .await;
        self.daemon.signal(Signal::HUP);
        until("the settings were taken up", async || {
            let newest = self.daemon.client.newest_audit(1).await.expect("entries").items;
            newest.iter().any(|entry| entry.action == "reload_settings").then_some(())
        })
        .await;
    }

    /// What only a living daemon tells.
    async fn collect(&mut self) {
        self.found.add(Surface::Metrics, self.daemon.metrics().await);
        self.found.add(Surface::Metrics, self.daemon.get("/factory/metrics").await.1.to_string());
        let told = self.daemon.ctl(&["audit", "export"]).await;
        assert_eq!(told.code, Some(0), "{}", told.err);
        self.found.add(Surface::Audit, told.out.as_bytes());
        // Records are in base64 there.
        for line in told.out.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let record = line["record"].as_str().map(|text| BASE64.decode(text.trim_end_matches('=')).expect("base64"));
            self.found.add(Surface::Audit, record.unwrap_or_default());
        }
        let pid = self.daemon.pid().as_raw_nonzero();
        for about in ["cmdline", "environ"] {
            self.found.add(Surface::Process, fs::read(format!("/proc/{pid}/{about}")).expect("read"));
        }
    }

    /// Stops the daemon and reads what is left.
    async fn end(mut self) -> Found {
        self.collect().await;
        let archive = self.daemon.workshop.path("b.zst").display().to_string();
        assert_eq!(self.daemon.ctl(&["backup", &archive]).await.code, Some(0));
        assert_eq!(self.daemon.stop().await.code(), Some(0));
        let workshop = &self.daemon.workshop;
        let restored = workshop.path("restored").display().to_string();
        let settings = workshop.settings().display().to_string();
        let told =
            factoryctl(&workshop.socket(), &["restore", &archive, "--config", &settings, "--data-dir", &restored], "")
                .await;
        assert_eq!(told.code, Some(0), "{}", told.err);
        let mut found = std::mem::take(&mut self.found);
        found.add_directory(Backup, Path::new(&restored));
        found.add(Backup, fs::read(&archive).expect("an archive"));
        found.add_directory(Data, &workshop.path("data"));
        found.add(Surface::Log, workshop.log());
        found.add(Surface::Events, self.events.lock().expect("no poison").as_slice());
        for (surface, called) in [(Surface::Provider, &self.model), (Surface::Tool, &self.tool)] {
            for call in called.asked() {
                found.add(surface, format!("{} {:?} {}", call.path, call.idempotency_key, call.raw));
            }
        }
        found
    }
}

fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nhost: factoryd\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// Has the daemon encrypt with a master key of its own; returns the key as its file has it.
async fn with_master(workshop: &Workshop) -> String {
    let path = workshop.path("master.key");
    let made = factoryctl(&workshop.socket(), &["keys", "master", &path.display().to_string()], "").await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    workshop.edit_settings(|text| format!("{text}\n[encryption]\nmaster_key_file = \"master.key\"\n"));
    fs::read_to_string(path).expect("a key").trim().to_owned()
}

#[tokio::test]
async fn a_planted_secret_is_found_only_where_the_policy_says() {
    check(AtRest::Clear).await;
}

#[tokio::test]
async fn with_encryption_a_planted_secret_is_on_no_disk() {
    check(AtRest::Encrypted).await;
}

async fn check(at_rest: AtRest) {
    let mut run = Run::begin(at_rest).await;
    run.work().await;
    run.err().await;
    run.crash().await;
    let master = run.master.clone();
    let found = run.end().await;
    for surface in [Surface::Provider, Surface::Tool, Surface::Log, Surface::Metrics, Surface::Events, Surface::Audit] {
        assert!(found.0.get(&surface).is_some_and(|bytes| bytes.len() > 100), "nothing of {surface:?} was read");
    }
    let mut wrong = Vec::new();
    for (place, policy) in POLICY {
        let policy = if at_rest == AtRest::Encrypted && *policy == KEPT { SEALED } else { policy };
        let expected: BTreeSet<Surface> = policy.iter().copied().collect();
        let holding = found.holding(&secret(place));
        if holding != expected {
            wrong.push(format!("the key planted in {place}: {holding:?} instead of {expected:?}"));
        }
        let strays: Vec<_> = found.holding(&address(place)).difference(&expected).copied().collect();
        if !strays.is_empty() {
            wrong.push(format!("the address planted in {place}: also in {strays:?}"));
        }
    }
    if let Some(master) = master {
        assert_eq!(found.holding(&master), BTreeSet::new(), "the master key");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The search itself: what is there is found, in every form.
#[test]
fn the_search_finds_what_is_hidden_in_the_usual_ways() {
    let text = secret("the prompt");
    for before in ["", "a", "ab", "abc"] {
        let whole = format!("{before}{text} and more");
        for hidden in [whole.clone(), BASE64.encode(&whole), hex::encode(&whole)] {
            let mut found = Found::default();
            found.add(Surface::Log, hidden);
            assert_eq!(found.holding(&text), [Surface::Log].into());
        }
    }
}
