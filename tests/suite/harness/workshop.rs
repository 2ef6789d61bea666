//! A private directory with everything that a daemon needs.

use std::fs;
use std::path::{Path, PathBuf};

use agent_factory::control_plane::template::{Algorithm, keys, signing};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::provider::Provider;

/// The key that signs a workshop's templates.
pub(crate) const KEY_ID: &str = "suite";
/// The templates that the project ships.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");

/// The directory; it goes when this does.
pub(crate) struct Workshop {
    dir: TempDir,
    private_key: PathBuf,
}

impl Workshop {
    /// A workshop whose provider `mock` is nowhere to be reached.
    pub(crate) fn new(more: &str) -> Self {
        Self::with_provider_at("unix:///nonexistent/provider.sock", more)
    }

    /// A workshop whose provider `mock` is this one.
    ///
    /// `more` is appended to the settings: first further routes, if any, then tables. Templates use the route `free`, whose
    /// model costs nothing, unless they say `priced`.
    pub(crate) fn with(provider: &Provider, more: &str) -> Self {
        Self::with_provider_at(&format!("http://127.0.0.1:{}/v1", provider.port()), more)
    }

    fn with_provider_at(base_url: &str, more: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("factory-suite-").tempdir().expect("a directory");
        for name in ["templates", "keys"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        let id = KEY_ID.parse().expect("a key id");
        let pair = keys::generate(&id, Algorithm::Ed25519, &dir.path().join("private")).expect("a key");
        fs::copy(&pair.public, dir.path().join("keys").join(format!("{KEY_ID}.pub.pem"))).expect("copied");
        let workshop = Self { dir, private_key: pair.private };
        workshop.write("factoryd.toml", &settings(base_url, more));
        workshop
    }

    /// The same directory with a template `worker` in it, which most tests need.
    pub(crate) fn worker(self, over: Value) -> Self {
        self.template("worker", over);
        self
    }

    /// The same directory with the shipped templates in it.
    pub(crate) fn shipped(self) -> Self {
        for found in fs::read_dir(SHIPPED).expect("the shipped templates") {
            let from = found.expect("an entry").path();
            let to = self.path("templates").join(from.file_name().expect("a name"));
            fs::copy(&from, &to).expect("copied");
            self.sign(&to);
        }
        self
    }

    /// Writes and signs a template; `over` replaces members of an ordinary agent's.
    pub(crate) fn template(&self, name: &str, over: Value) {
        let file = self.unsigned_template(name, over);
        self.sign(&file);
    }

    /// Writes a template and leaves its signature as it is.
    pub(crate) fn unsigned_template(&self, name: &str, over: Value) -> PathBuf {
        let mut template = json!({
            "name": name, "version": "1.0.0", "description": "a template of the tests", "capabilities": ["work"],
            "system_prompt": "Answer.", "model": {"route": "free", "max_output_tokens": 64}
        });
        for (member, value) in over.as_object().expect("an object") {
            template[member] = value.clone();
        }
        self.write(&format!("templates/{name}.json"), &template.to_string())
    }

    /// Signs a file with the workshop's key.
    pub(crate) fn sign(&self, file: &Path) {
        signing::sign_file(file, &self.private_key).expect("signed");
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Changes the settings' text.
    pub(crate) fn edit_settings(&self, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.settings()).expect("settings");
        self.write("factoryd.toml", &edit(text));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.path("factoryd.toml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    pub(crate) fn private_key(&self) -> &Path {
        &self.private_key
    }

    /// The daemon's log so far.
    pub(crate) fn log(&self) -> String {
        fs::read(self.path("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

fn settings(base_url: &str, more: &str) -> String {
    format!(
        r#"data_dir = "data"
templates_dir = "templates"
socket = "control.sock"
max_workers = 2
[templates]
trusted_keys_dir = "keys"
[providers.mock]
kind = "openai"
base_url = "{base_url}"
timeout = "20s"
[models."mock/free"]
input_usd_per_mtok = "0"
output_usd_per_mtok = "0"
[models."mock/priced"]
input_usd_per_mtok = "1.00"
output_usd_per_mtok = "4.00"
[routes]
free = ["mock/free"]
priced = ["mock/priced"]
{more}
"#
    )
}
