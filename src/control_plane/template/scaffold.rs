//! A first file of a new template: written, judged, signed, and only then put where a daemon sees it. Needs no daemon.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::control_plane::policy::Policy;
use crate::domain::name::{Environment, RouteName, TemplateName};

use super::error::Error;
use super::signing::{self, Layout, TEMPLATE_SUFFIX, Validated, signature_path};
use super::trust::keys::file;

/// What a new template is to be.
#[derive(Debug, Clone)]
pub struct Scaffold {
    /// Its name.
    pub name: TemplateName,
    /// What it does.
    pub kind: ScaffoldKind,
    /// The template that it inherits from.
    pub extends: Option<TemplateName>,
    /// What the model is told first; without it, what the parent tells, or a sentence that works.
    pub prompt: Option<String>,
    /// The route of the settings; without it, the parent's or the default one.
    pub route: Option<RouteName>,
    /// The environment for which it is written; its version says so.
    pub environment: Option<Environment>,
}

/// The kinds of templates, with what each needs to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScaffoldKind {
    /// Calls a model.
    Agent,
    /// Has two steps that this template's agents do.
    Orchestrator {
        /// The template of the workers.
        worker: TemplateName,
    },
}

/// A new template where it belongs.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The file.
    pub file: PathBuf,
    /// Its signature, if a key was given.
    pub signature: Option<PathBuf>,
    /// What it was judged to be.
    pub validated: Validated,
}

impl Scaffold {
    /// The file's text: what most templates say, in the order in which people read it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut members = vec![("name", text(self.name.as_str())), ("version", text(&self.version()))];
        members.extend(self.extends.as_ref().map(|parent| ("extends", text(parent.as_str()))));
        let what = match &self.kind {
            ScaffoldKind::Agent => "What people see in lists: say what it is for. Raise `version` with every edit.",
            ScaffoldKind::Orchestrator { .. } => {
                "What people see in lists: say what the plan does. Raise `version` with every edit."
            }
        };
        if self.kind != ScaffoldKind::Agent {
            members.push(("kind", text("orchestrator")));
        }
        members.push(("description", text(what)));
        members.push(("capabilities", format!("[{}]", text(self.name.as_str()))));
        members.extend(self.prompt().map(|prompt| ("system_prompt", text(&prompt))));
        let route = self.route.as_ref().map(|route| format!("\"route\": {}", text(route.as_str())));
        match &self.kind {
            ScaffoldKind::Agent => {
                let own = (self.extends.is_none()).then(|| "\"max_output_tokens\": 1024".to_owned());
                let model: Vec<String> = route.into_iter().chain(own).collect();
                if !model.is_empty() {
                    members.push(("model", format!("{{{}}}", model.join(", "))));
                }
                let task = "\"per_task_usd\": \"0.05\", \"per_task_tokens\": 100000, \"per_task_time\": \"10m\"";
                members.push(("budget", format!("{{{task}, \"per_day_usd\": \"1.00\"}}")));
            }
            ScaffoldKind::Orchestrator { worker } => {
                members.extend(route.map(|route| ("model", format!("{{{route}}}"))));
                members.push(("limits", "{\"depth\": 2, \"fan_out\": 8, \"budget_usd\": \"0.20\"}".to_owned()));
                members.push(("plan", plan(worker)));
            }
        }
        let lines: Vec<String> = members.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }

    /// A version stands for one content, also where an environment's file takes the place of another: that one says whose it is,
    /// as build metadata, which has no underscore.
    fn version(&self) -> String {
        let of = self.environment.as_ref().map(|name| format!("+{}", name.as_str().replace('_', "-")));
        format!("1.0.0{}", of.unwrap_or_default())
    }

    fn prompt(&self) -> Option<String> {
        let plain = || match self.extends {
            Some(_) => None,
            None => Some(format!(
                "You are {}. Answer in the language of the question, briefly, and say so where you do not know.",
                self.name
            )),
        };
        self.prompt.clone().or_else(plain)
    }

    /// Writes the file into the layout's directory of templates, or its environment's, and its signature first, so that a daemon
    /// that watches never sees one without the other. Nothing is ever overwritten, and a file that is not good is not left behind.
    ///
    /// # Errors
    /// There is such a file already, the template is not good, the key cannot sign, or the directory cannot be written.
    pub fn place(&self, layout: &Layout, key: Option<&Path>) -> Result<Placed, Error> {
        let directory = layout.directory();
        let name = format!("{}{TEMPLATE_SUFFIX}", self.name);
        let target = directory.join(&name);
        let beside = signature_path(&target);
        for path in [&target, &beside] {
            if path.symlink_metadata().is_ok() {
                return Err(Error::TemplateExists(path.clone()));
            }
        }
        let told = |fault: std::io::Error| file("write", &target, &fault);
        // Hidden, so that a daemon passes it by, and in the same directory, so that a link can be made.
        let desk = tempfile::Builder::new().prefix(".new-").tempdir_in(directory).map_err(told)?;
        let draft = desk.path().join(&name);
        std::fs::write(&draft, self.text()).map_err(told)?;
        let mut validated = signing::validate_file(&draft, layout, &Policy::shipped());
        if let Err(Error::Invalid { path, .. }) = &mut validated {
            path.clone_from(&target);
        }
        let validated = validated?;
        let signature = key.map(|key| signing::sign_file(&draft, key).map(|()| beside.clone())).transpose()?;
        if signature.is_some() {
            link(&signature_path(&draft), &beside)?;
        }
        link(&draft, &target)?;
        Ok(Placed { file: target, signature, validated })
    }
}

/// Gives a finished file its name, unless the name is taken.
fn link(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::hard_link(from, to).map_err(|fault| {
        let taken = fault.kind() == std::io::ErrorKind::AlreadyExists;
        if taken { Error::TemplateExists(to.to_owned()) } else { file("write", to, &fault) }
    })
}

/// Two steps: one does the work, one improves it.
fn plan(worker: &TemplateName) -> String {
    let worker = text(worker.as_str());
    let mut plan = String::from("{\n    \"steps\": [\n");
    let _infallible = writeln!(
        plan,
        "      {{\"id\": \"draft\", \"template\": {worker}, \"input\": \"{{{{input}}}}\", \"on_failure\": \"retry\"}},"
    );
    let _infallible = writeln!(
        plan,
        "      {{\"id\": \"final\", \"template\": {worker}, \"needs\": [\"draft\"], \"input\": \"Correct and shorten this:\\n{{{{steps.draft.output}}}}\"}}"
    );
    plan.push_str("    ],\n    \"aggregate\": {\"mode\": \"step\", \"step\": \"final\"}\n  }");
    plan
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::template::{Algorithm, TrustStore, keys};

    fn scaffold(name: &str) -> Scaffold {
        let name = name.parse().expect("a name");
        Scaffold { name, kind: ScaffoldKind::Agent, extends: None, prompt: None, route: None, environment: None }
    }

    #[test]
    fn what_is_scaffolded_is_good_and_signed() {
        let dir = tempfile::tempdir().expect("a directory");
        let pair =
            keys::generate(&"k".parse().expect("an id"), Algorithm::Ed25519, &dir.path().join("keys")).expect("a pair");
        let templates = dir.path().join("templates");
        std::fs::create_dir(&templates).expect("made");
        let base = scaffold("base").place(&Layout::base(&templates), Some(&pair.private)).expect("placed");
        let prompt = Some("Say \"yes\",\nor no.".to_owned());
        let child = Scaffold { extends: Some("base".parse().expect("a name")), prompt, ..scaffold("child") };
        child.place(&Layout::base(&templates), None).expect("placed");
        let kind = ScaffoldKind::Orchestrator { worker: "child".parse().expect("a name") };
        let boss = Scaffold { kind, route: Some("free".parse().expect("a route")), ..scaffold("boss") };
        boss.place(&Layout::base(&templates), None).expect("placed");
        let trust = TrustStore::read(Some(&dir.path().join("keys")), None);
        signing::verify_file(&base.file, &trust, crate::domain::clock::Timestamp::now()).expect("verified");
        for name in ["base", "child", "boss"] {
            signing::validate_file(
                &templates.join(format!("{name}.json")),
                &Layout::base(&templates),
                &Policy::shipped(),
            )
            .expect("good");
        }
        let files = std::fs::read_dir(&templates).expect("a directory").count();
        assert_eq!(files, 4, "three templates, one signature, nothing else");
    }

    #[test]
    fn what_is_written_for_an_environment_inherits_from_what_lies_beneath() {
        let dir = tempfile::tempdir().expect("a directory");
        let production: Environment = "production".parse().expect("a name");
        let layout = Layout::over(dir.path(), &production);
        std::fs::create_dir(layout.directory()).expect("made");
        let named = |name: &str| Some(name.parse().expect("a name"));
        let lost = Scaffold { extends: named("a"), ..scaffold("a") }.place(&layout, None).expect_err("nothing beneath");
        assert!(matches!(lost, Error::Invalid { .. }), "{lost}");
        scaffold("a").place(&Layout::base(dir.path()), None).expect("placed");
        for (name, parent) in [("a", "a"), ("b", "a")] {
            let placed = Scaffold { extends: named(parent), environment: Some(production.clone()), ..scaffold(name) }
                .place(&layout, None)
                .expect("placed");
            assert_eq!(placed.file, layout.directory().join(format!("{name}.json")));
            let around = Layout::around(&placed.file, Some(&production));
            signing::validate_file(&placed.file, &around, &Policy::shipped()).expect("good");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_bad_is_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path();
        scaffold("a").place(&Layout::base(at), None).expect("placed");
        assert!(
            matches!(scaffold("a").place(&Layout::base(at), None), Err(Error::TemplateExists(path)) if path.ends_with("a.json"))
        );
        std::fs::write(at.join("b.json.sig"), "old").expect("written");
        assert!(
            matches!(scaffold("b").place(&Layout::base(at), None), Err(Error::TemplateExists(path)) if path.ends_with("b.json.sig"))
        );
        let orphan = Scaffold { extends: Some("nobody".parse().expect("a name")), ..scaffold("c") };
        assert!(
            matches!(orphan.place(&Layout::base(at), None), Err(Error::Invalid { path, .. }) if path.ends_with("c.json"))
        );
        let unsigned = scaffold("d").place(&Layout::base(at), Some(&at.join("no.pem")));
        assert!(unsigned.is_err() && !at.join("d.json").exists());
        assert!(scaffold("schema").place(&Layout::base(at), None).is_err());
    }
}
