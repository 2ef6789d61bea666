mod models;
mod protection;

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::keys::KEYS;
use super::settings::{
    BaseUrl, ClientAuth, KeySource, LogFormat, ProviderKind, Rate, RateLimit, Role, Settings, ToolUrl,
};
use super::*;
use crate::domain::budget::{Scope, Window};
use crate::domain::entity::Kind;
use crate::domain::protection::{Action, Rules};

/// Every setting of the contract at once.
const FULL: &str = r#"
data_dir = "data"
templates_dir = "/srv/templates"
socket = "control.sock"
max_workers = 8
[agents]
active_max = 7
idle_max = "5m"
memory_max = 134217728
queue_max = 9
[api]
tcp = "127.0.0.1:8000"
tokens_file = "tokens.toml"
anonymous_role = "viewer"
body_bytes_max = 1000
connections_max = 2
drain_grace = "3s"
open_tasks_max = 4
[api.tls]
certificate_file = "tls/server.pem"
key_file = "tls/server.key"
client_ca_file = "tls/ca.pem"
client_crl_file = "tls/crl.pem"
client_auth = "optional"
[store]
cache_bytes = 1048576
[log]
format = "json"
level = "info,agent_factory::store=debug"
[templates]
enable_signature_validation = true
trusted_keys_dir = "keys"
rsa_public_key_path = "legacy.pem"
cache_ttl = "300s"
cache_entries = 10000
[providers.local]
kind = "openai"
base_url = "http://127.0.0.1:11434/v1/"
api_key_file = "key"
timeout = "60s"
max_concurrency = 3
[providers.sock]
kind = "openai"
base_url = "unix:///run/llm.sock"
api_key_env = "SOCK_KEY"
[tools.publish]
url = "http://127.0.0.1:9000/hook/"
api_key_file = "tool.key"
timeout = "5s"
idempotent = true
max_concurrency = 2
[tools."mail/send"]
url = "unix:///run/mail.sock"
api_key_env = "MAIL_KEY"
[models."local/qwen"]
input_usd_per_mtok = "0.10"
output_usd_per_mtok = "0.40"
cached_input_usd_per_mtok = "0.01"
cache_write_usd_per_mtok = "0.20"
context_tokens = 32768
max_output_tokens = 8192
tokenizer = "other"
tokenizer_margin_percent = 30
image_tokens = 1200
tool_prompt_tokens = 50
capabilities = ["tools", "images"]
[models."local/qwen".long_context]
above_tokens = 16000
input_usd_per_mtok = "0.20"
output_usd_per_mtok = "0.80"
cached_input_usd_per_mtok = "0.02"
cache_write_usd_per_mtok = "0.40"
[models."sock/llama"]
free = true
[routes]
review = ["local/qwen", "builtin/extractive"]
fallback = ["sock/llama"]
[routes.cheap]
models = ["sock/llama", "local/qwen"]
max_usd_per_call = "0.02"
hedge_after = "800ms"
[budgets.global]
limit_usd = "10.00"
window = "day"
[budgets."tenant:acme"]
limit_usd = "2.00"
window = "month"
[access.users.alice]
role = "operator"
tenant = "acme"
[access.groups.ops]
role = "viewer"
tenant = "acme"
[access.certificates."uri:spiffe://acme/ci"]
role = "submitter"
tenant = "acme"
user = "ann"
requests_per_minute = 60
"#;

/// A directory with a settings file.
struct Written {
    dir: tempfile::TempDir,
}

impl Written {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("factoryd.toml"), text).expect("written");
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("factoryd.toml")
    }

    fn load(&self, environment: &[(&str, &str)]) -> Result<Settings, Errors> {
        let mut environment: Vec<_> =
            environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        environment.push(("XDG_RUNTIME_DIR".to_owned(), "/run/user/7".to_owned()));
        load(&Sources { file: Some(self.path()), environment, flags: Overrides::default() })
    }

    /// The mistakes, each without the directory.
    fn mistakes(&self, environment: &[(&str, &str)]) -> Vec<String> {
        let errors = self.load(environment).expect_err("mistakes");
        let dir = format!("{}/", self.dir.path().display());
        errors.to_string().lines().map(|line| line.replace(&dir, "")).collect()
    }
}

fn check(text: &str, environment: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(Written::new(text).mistakes(environment), expected, "{text} {environment:?}");
}

#[test]
fn every_setting_of_the_contract_is_understood() {
    let written = Written::new(FULL);
    let settings = written.load(&[]).expect("settings");
    let dir = written.dir.path();
    assert_eq!(settings.data_dir, dir.join("data"), "relative to the file");
    assert_eq!(settings.templates_dir, Path::new("/srv/templates"));
    assert_eq!(settings.max_workers.get(), 8);
    assert_eq!(settings.api.tcp.map(|tcp| tcp.port()), Some(8000));
    assert_eq!(settings.api.anonymous_role, Some(Role::Viewer));
    assert_eq!(settings.api.drain_grace, Duration::from_secs(3));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.templates.rsa_public_key_path, Some(dir.join("legacy.pem")));
    let provider = |name: &str| settings.providers[&name.parse().expect("a name")].clone();
    assert_eq!(provider("local").base_url, BaseUrl::Http("http://127.0.0.1:11434/v1".to_owned()));
    assert_eq!(provider("local").api_key, KeySource::File(dir.join("key")));
    assert_eq!(provider("sock").base_url, BaseUrl::Unix("/run/llm.sock".into()));
    assert_eq!(provider("sock").api_key, KeySource::Env("SOCK_KEY".to_owned()));
    assert_eq!(provider("builtin").kind, ProviderKind::Builtin);
    let tool = |name: &str| settings.tools[&name.parse().expect("a name")].clone();
    assert_eq!(tool("publish").url, ToolUrl::Http("http://127.0.0.1:9000/hook".to_owned()));
    assert_eq!((tool("publish").idempotent, tool("publish").max_concurrency.get()), (true, 2));
    assert_eq!(tool("mail/send").url, ToolUrl::Unix("/run/mail.sock".into()));
    assert!(!tool("mail/send").idempotent, "unless it is declared so");
    assert!(settings.models[&"sock/llama".parse().expect("a model")].price.is_free());
    let acme: Scope = "tenant:acme".parse().expect("a scope");
    assert_eq!(settings.budgets[&acme].window, Window::Month);
    assert_eq!(settings.access.users["alice"].role, Role::Operator);
    let ci = &settings.access.certificates[&"uri:spiffe://acme/ci".parse().expect("a name")];
    assert_eq!((ci.grant.role, ci.user.as_ref().map(ToString::to_string)), (Role::Submitter, Some("ann".to_owned())));
    let tls = settings.tls.as_ref().expect("TLS");
    assert_eq!(tls.key_file, written.dir.path().join("tls/server.key"));
    assert_eq!(tls.clients.as_ref().expect("clients").auth, ClientAuth::Optional);
}

#[test]
fn the_list_of_keys_is_what_is_really_read() {
    let written = Written::new(FULL);
    let tree = file::read(&written.path()).expect("a tree");
    let mut report = Report::default();
    let host = Host::of_this_process(&[]);
    let _settings = validate::settings(tree, &host, &mut report);
    assert_eq!(report.mistakes, []);
    let mut asked: Vec<_> = report.asked.iter().map(String::as_str).collect();
    asked.retain(|&key| key != "providers.*.api_key" && key != "tools.*.api_key");
    assert_eq!(asked, KEYS, "an api_key is read only to be refused");
}

#[test]
fn the_documentation_has_an_entry_for_every_key() {
    let text = include_str!("../../docs/settings.md");
    let missing: Vec<_> = KEYS.iter().filter(|key| !text.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/settings.md says nothing about {missing:?}");
}

#[test]
fn the_shipped_example_is_understood_as_it_is_and_with_everything_switched_on() {
    let shipped = include_str!("../../config/factoryd.toml");
    Written::new(shipped).load(&[]).expect("the example as it is");
    let switched_on: String =
        shipped.lines().map(|line| line.strip_prefix("#:").unwrap_or(line)).fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        });
    Written::new(&switched_on).load(&[]).expect("the example with every line switched on");
    let missing: Vec<_> = KEYS
        .iter()
        .filter_map(|key| key.rsplit('.').find(|&part| part != "*"))
        .filter(|key| !switched_on.contains(key))
        .collect();
    assert!(missing.is_empty(), "config/factoryd.toml does not show {missing:?}");
}

#[test]
fn nothing_said_means_the_documented_defaults() {
    let settings = Written::new("").load(&[]).expect("settings");
    assert_eq!(
        (settings.data_dir.as_path(), settings.templates_dir.as_path()),
        (Path::new("data"), Path::new("templates"))
    );
    assert!(settings.templates.enable_signature_validation);
    assert_eq!((settings.templates.cache_ttl, settings.templates.cache_entries), (Duration::from_secs(300), 10_000));
    let agents = settings.agents;
    assert_eq!((agents.active_max, agents.idle_max), (100_000, Duration::from_secs(60)));
    assert_eq!((agents.memory_max, agents.queue_max), (None, 1_000));
    assert_eq!(settings.api.tcp, None);
    assert_eq!(settings.api.anonymous_role, None);
    assert!(settings.budgets.is_empty() && settings.access.users.is_empty() && settings.access.groups.is_empty());
    let routes: Vec<_> = settings.routes.iter().map(|(name, route)| format!("{name} {:?}", route.models)).collect();
    let expected = ["default", "fallback", "implementation", "review", "security_audit"];
    assert_eq!(routes, expected.map(|name| format!("{name} [builtin/extractive]")));
}

#[test]
fn what_is_said_of_agents_is_understood_and_has_its_bounds() {
    let agents = Written::new(FULL).load(&[]).expect("settings").agents;
    assert_eq!((agents.active_max, agents.idle_max), (7, Duration::from_secs(300)));
    assert_eq!((agents.memory_max, agents.queue_max), (Some(128 * 1024 * 1024), 9));
    check(
        "[agents]\nactive_max = 1000001\nidle_max = \"0s\"\nmemory_max = 1\nqueue_max = 0\n",
        &[],
        &[
            "factoryd.toml:2:14: agents.active_max: expected a whole number from 1 to 1000000",
            "factoryd.toml:3:12: agents.idle_max: expected more than zero",
            "factoryd.toml:4:14: agents.memory_max: expected a whole number from 67108864 to 1099511627776",
            "factoryd.toml:5:13: agents.queue_max: expected a whole number from 1 to 100000",
        ],
    );
}

#[test]
fn the_fallback_route_always_ends_in_the_last_resort() {
    let settings = Written::new(FULL).load(&[]).expect("settings");
    let fallback = &settings.routes[&"fallback".parse().expect("a route")];
    assert_eq!(format!("{:?}", fallback.models), "[sock/llama, builtin/extractive]");
}

#[test]
fn the_environment_outdoes_the_file_and_flags_outdo_both() {
    let written = Written::new(
        "data_dir = \"file\"\nsocket = \"file.sock\"\n[budgets.global]\nlimit_usd = \"1\"\nwindow = \"day\"",
    );
    let environment = [
        ("NG_DATA_DIR", "env"),
        ("NG_SOCKET", "env.sock"),
        ("NG_TEMPLATES_DIR", "t"),
        ("NG_CACHE_TTL", "7"),
        ("NG_MAX_WORKERS", "3"),
        ("NG_ENABLE_SIGNATURE_VALIDATION", "False"),
        ("NG_RSA_PUBLIC_KEY_PATH", "/k.pem"),
        ("NG_LOG", "debug"),
        ("NG_BUDGETS__GLOBAL__LIMIT_USD", "2.50"),
        ("NG_ROUTES__REVIEW", "builtin/extractive, builtin/other"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags =
        Overrides { socket: Some("flag.sock".into()), log_format: Some(LogFormat::Json), ..Overrides::default() };
    let settings =
        load(&Sources { file: Some(written.path()), environment: environment.to_vec(), flags }).expect("settings");
    assert_eq!(settings.socket, Path::new("flag.sock"));
    assert_eq!(settings.data_dir, Path::new("env"), "relative to the working directory");
    assert_eq!(settings.templates_dir, Path::new("t"));
    assert_eq!(settings.templates.cache_ttl, Duration::from_secs(7));
    assert_eq!(settings.max_workers.get(), 3);
    assert!(!settings.templates.enable_signature_validation);
    assert_eq!(settings.templates.rsa_public_key_path, Some("/k.pem".into()));
    assert_eq!((settings.log.level.as_str(), settings.log.format), ("debug", LogFormat::Json));
    assert_eq!(settings.budgets[&Scope::Global].amount.to_string(), "2.50");
    assert_eq!(settings.budgets[&Scope::Global].window, Window::Day, "from the file");
    assert_eq!(settings.routes[&"review".parse().expect("a route")].models.len(), 2);
}

#[test]
fn all_mistakes_are_told_together_with_their_places() {
    check(
        "data_dirr = \"x\"\nmax_workers = 0\n[api]\ntcp = \"0.0.0.0:80\"\n[nonsense]\nx = 1\n[budgets.glob]\nlimit_usd = 1.5\n",
        &[("NG_API__TPC", "x"), ("NG_ENABLE_SIGNATURE_VALIDATION", "maybe")],
        &[
            "factoryd.toml:1:1: data_dirr: unknown setting; did you mean \"data_dir\"?",
            "factoryd.toml:2:15: max_workers: expected a whole number from 1 to 1024",
            "factoryd.toml:4:7: api.tcp: only loopback addresses (127.0.0.0/8, ::1) may be listened on without TLS: add [api.tls]",
            "factoryd.toml:5:2: nonsense: unknown setting; known here: data_dir, templates_dir, socket, max_workers, agents, api, chaos, cache, dlp, store, audit, encryption, retention, hooks, log, templates, policy, providers, tools, models, routes, budgets, access",
            "factoryd.toml:7:10: budgets.glob.window: missing",
            "factoryd.toml:7:10: budgets.glob: not a budget scope: global, tenant:T, user:U, template:N or agent:ID",
            "factoryd.toml:8:13: budgets.glob.limit_usd: expected an amount as text, such as \"10.00\", found a number with a fraction",
            "NG_API__TPC: api.tpc: unknown setting; did you mean NG_API__TCP?",
            "NG_ENABLE_SIGNATURE_VALIDATION: templates.enable_signature_validation: expected true or false",
        ],
    );
}

#[test]
fn every_mistake_of_syntax_is_told() {
    let mistakes = Written::new("a = \nb = [1\n\n[c\n").mistakes(&[]);
    assert!(mistakes.len() >= 2, "{mistakes:?}");
    assert!(mistakes[0].starts_with("factoryd.toml:1:5: "), "{mistakes:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let written = Written::new("");
    let absent = Sources { file: Some(written.dir.path().join("absent.toml")), ..Sources::default() };
    let told = load(&absent).expect_err("no file").to_string();
    assert!(told.contains("absent.toml: cannot be read"), "{told}");
    fs::write(written.path(), b"a = \"\xff\"").expect("written");
    assert_eq!(written.mistakes(&[]), ["factoryd.toml: not UTF-8 after byte 5"]);
}

#[test]
fn providers_models_and_routes_must_fit_together() {
    check(
        concat!(
            "[providers.a]\nkind = \"mistral\"\nbase_url = \"http://h/v1\"\n",
            "[providers.b]\nkind = \"openai\"\napi_key = \"sk-secret\"\nbase_url = \"unix:relative\"\n",
            "[providers.c]\nkind = \"openai\"\nbase_url = \"http://u:p@h/v1\"\napi_key_file = \"x\"\napi_key_env = \"Y\"\n",
            "[providers.builtin]\nkind = \"openai\"\n",
            "[models.\"d/m\"]\ninput_usd_per_mtok = \"1\"\noutput_usd_per_mtok = \"1\"\n",
            "[models.\"builtin/extractive\"]\ninput_usd_per_mtok = \"1\"\noutput_usd_per_mtok = \"1\"\n",
            "[routes]\nr = [\"d/m\"]\ns = [\"c/m\"]\nt = []\nu = [\"plain\"]\n",
        ),
        &[],
        &[
            "factoryd.toml:2:8: providers.a.kind: expected openai (whatever speaks Chat Completions), anthropic, gemini or builtin",
            "factoryd.toml:6:11: providers.b.api_key: a key may not stand here: use api_key_file, api_key_env or api_key_credential",
            "factoryd.toml:7:12: providers.b.base_url: expected unix:// and an absolute path, such as \"unix:///run/llm.sock\"",
            "factoryd.toml:10:12: providers.c.base_url: a URL may not hold a password: use api_key_file or api_key_env",
            "factoryd.toml:12:15: providers.c.api_key_env: api_key_file is given as well; one of them",
            "factoryd.toml:14:8: providers.builtin.kind: the provider of this name is of kind \"builtin\"",
            "factoryd.toml:15:9: models.\"d/m\": there is no [providers.d]",
            "factoryd.toml:18:9: models.\"builtin/extractive\": models of the kind builtin are free; they take no price",
            "factoryd.toml:22:5: routes.r: d/m: there is no [providers.d]",
            "factoryd.toml:24:5: routes.t: expected 1 to 16 models",
            "factoryd.toml:25:5: routes.u: not a model: expected provider/model",
        ],
    );
}

#[test]
fn a_key_that_is_written_down_is_never_repeated() {
    let told = Written::new("[providers.b]\nkind = \"openai\"\napi_key = \"sk-hunter2\"\napi_key_env = \"sk-hunter2\"")
        .mistakes(&[]);
    assert!(!told.join("\n").contains("hunter2"), "{told:?}");
}

#[test]
fn two_variables_for_one_setting_are_a_mistake() {
    check(
        "",
        &[("NG_CACHE_TTL", "5"), ("NG_TEMPLATES__CACHE_TTL", "6s"), ("NG_API", "x"), ("NG_API__TCP", "127.0.0.1:1")],
        &[
            "NG_API: api: expected a table, found text",
            "NG_API__TCP: api.tcp: another variable sets the same",
            "NG_TEMPLATES__CACHE_TTL: templates.cache_ttl: another variable sets the same",
        ],
    );
}

#[test]
fn durations_need_a_unit_and_a_bound() {
    for (text, told) in [
        ("300", "expected a duration with its unit, such as \"300s\" or \"5m\""),
        ("0s", "expected more than zero"),
        ("2years", "expected at most a year"),
    ] {
        check(
            &format!("[templates]\ncache_ttl = \"{text}\""),
            &[],
            &[&format!("factoryd.toml:2:13: templates.cache_ttl: {told}")],
        );
    }
}

#[test]
fn log_levels_are_checked() {
    check(
        "[log]\nlevel = \"info,store=loud\"",
        &[],
        &[
            "factoryd.toml:2:9: log.level: expected one of off, error, warn, info, debug, trace, or such a level after MODULE=, with commas between",
        ],
    );
}

#[test]
fn how_long_ended_tasks_are_kept_is_a_day_at_least_or_for_ever() {
    let expected =
        "retention.tasks: expected how long, such as \"90d\", a day at least; or \"never\" to delete nothing";
    for wrong in ["\"23h\"", "\"0s\"", "\"always\"", "90", "\"37000d\"", "\"\""] {
        check(&format!("[retention]\ntasks = {wrong}\n"), &[], &[&format!("factoryd.toml:2:9: {expected}")]);
    }
    for (told, kept) in
        [("", Some(90)), ("tasks = \"never\"", None), ("tasks = \"1d\"", Some(1)), ("tasks = \"10years\"", Some(3652))]
    {
        let settings = Written::new(&format!("[retention]\n{told}\n")).load(&[]).expect("settings");
        assert_eq!(settings.retention.tasks.map(|kept| kept.as_secs() / 86_400), kept, "{told}");
    }
}

#[test]
fn the_summary_names_places_and_no_keys() {
    let written = Written::new(FULL);
    let settings = written.load(&[]).expect("settings");
    let text = settings.summary().to_string();
    for line in [
        "budget      tenant:acme: 2.00 USD, month",
        "route       review: local/qwen, builtin/extractive\n",
        "route       cheap: sock/llama, local/qwen; at most 0.02 USD a call; hedged after 800ms\n",
        "prices      2 of the settings, and the list of 20",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("WARNING"), "{text}");
}

#[test]
fn rates_have_a_number_a_burst_or_none() {
    let text = "[api]\nrequests_per_minute = 600\nburst = 20\n[access.users.a]\nrole = \"viewer\"\nrequests_per_minute = \"none\"\n[access.users.b]\nrole = \"viewer\"\n[access.groups.c]\nrole = \"viewer\"\nrequests_per_minute = 30\n";
    let settings = Written::new(text).load(&[]).expect("settings");
    let limit = |per_minute, burst| RateLimit::new(per_minute, burst).expect("a limit");
    assert_eq!(settings.access.rate, Some(limit(600, Some(20))));
    assert_eq!(settings.access.users["a"].rate, Rate::Unlimited);
    assert_eq!(settings.access.users["b"].rate, Rate::Default);
    assert_eq!(settings.access.groups["c"].rate, Rate::Limited(limit(30, Some(30))));
    check(
        "[api]\nrequests_per_minute = 0\n[access.users.a]\nrole = \"viewer\"\nburst = 5\n[access.groups.c]\nrole = \"viewer\"\nrequests_per_minute = \"none\"\nburst = 5\n[access.groups.d]\nrole = \"viewer\"\nrequests_per_minute = 5\nburst = -1\n",
        &[],
        &[
            "factoryd.toml:2:23: api.requests_per_minute: expected a whole number from 1 to 60000000, or \"none\"",
            "factoryd.toml:5:9: access.users.a.burst: needs a number as requests_per_minute beside it",
            "factoryd.toml:9:9: access.groups.c.burst: needs a number as requests_per_minute beside it",
            "factoryd.toml:13:9: access.groups.d.burst: expected a whole number from 1 to 60000000",
        ],
    );
}
