//! `factoryctl templates new`: a template of one's own, from nothing to its first answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::cli::exit::{Error, Exit};
use crate::cli::output::Tone;
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::waiting::Patience;
use crate::cli::{input, run};
use crate::client;
use crate::control_plane::template::signing::Layout;
use crate::control_plane::template::{self, Placed, Scaffold, ScaffoldKind};
use crate::domain::failure::{Class, Failure as _};
use crate::domain::name::{Environment, RouteName, TemplateName};
use crate::protocol::task::{SubmitTask, Task, TaskState};

/// How long the daemon may take to serve what lies in its directory; it takes less than a second.
const SERVED_TIME_MAX: Duration = Duration::from_secs(10);
/// How long to wait before it is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// The most private keys that are looked at to tell which one would sign.
const KEYS_MAX: usize = 64;

pub(super) const EXAMPLES: &str = "\
Examples:
  factoryctl templates new greeter --prompt 'You answer letters, politely and in three sentences.' \\
      --key private/me.pem --try 'Dear Sir, where is my parcel?'
  factoryctl templates new summary --extends base --prompt-file summary.txt --key private/me.pem
  factoryctl templates new mailroom --kind orchestrator --worker greeter --key private/me.pem

Nothing is ever overwritten. Without --key the file is written and left unsigned.";

/// The arguments of `new`.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The template's name.
    #[arg(value_parser = name)]
    name: TemplateName,
    /// The daemon's directory of templates.
    #[arg(long, value_name = "DIR", default_value = "templates")]
    dir: PathBuf,
    /// The environment for which it is written, as `templates.environment` of the settings: into the directory NAME inside DIR.
    ///
    /// With `--extends` and its own name it inherits from the file of that name in DIR.
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// An agent calls a model, an orchestrator follows a plan.
    #[arg(long, value_enum, default_value_t = Kind::Agent)]
    kind: Kind,
    /// The template whose agents do the orchestrator's steps.
    #[arg(long, value_name = "TEMPLATE", value_parser = name, required_if_eq("kind", "orchestrator"))]
    worker: Option<TemplateName>,
    /// The template to inherit from.
    #[arg(long, value_name = "BASE", value_parser = name)]
    extends: Option<TemplateName>,
    /// What the model is told first.
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_file")]
    prompt: Option<String>,
    /// A file with what the model is told first; `-` reads standard input.
    #[arg(long, value_name = "F")]
    prompt_file: Option<PathBuf>,
    /// A route of the settings.
    #[arg(long, value_name = "R", value_parser = route)]
    route: Option<RouteName>,
    /// The private key that signs it: `ID.pem`, as `factoryctl keys generate ID` writes it.
    #[arg(long, value_name = "ID.pem")]
    key: Option<PathBuf>,
    /// A text to try it on, as soon as the daemon serves it.
    #[arg(long = "try", value_name = "TEXT")]
    trial: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Agent,
    Orchestrator,
}

fn name(text: &str) -> Result<TemplateName, String> {
    text.parse().map_err(|fault| format!("{fault}"))
}

fn route(text: &str) -> Result<RouteName, String> {
    text.parse().map_err(|fault| format!("{fault}"))
}

/// The document: what was made, and how it went.
#[derive(Debug, Serialize)]
struct Made {
    name: String,
    version: String,
    digest: String,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// Whether the daemon serves it.
    served: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Task>,
    /// What is left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl New {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let placed = self.scaffold()?.place(&self.layout(), self.key.as_deref())?;
        let mut made = Made::of(&placed);
        session.output.remark(|paint| format!("{} {}", paint.text(Tone::Good, "written:"), made.file));
        if let Some(signature) = &made.signature {
            session.output.remark(|paint| format!("{} {signature}", paint.text(Tone::Good, "signed:"),));
        }
        if self.key.is_none() && self.trial.is_none() {
            made.next = Some(how_to_sign(&placed.file, &self.dir));
            return made.tell(session);
        }
        match self.until_served(session, &placed).await {
            Ok(()) => made.served = true,
            // Whoever only writes needs no daemon.
            Err(Error::Client(error @ client::Error::Unreachable { .. })) if self.trial.is_none() => {
                made.next = Some(format!(
                    "cannot {error}; a daemon whose templates_dir is {} serves it when it starts",
                    self.dir.display()
                ));
                return made.tell(session);
            }
            Err(error) => return Err(error),
        }
        session.output.remark(|paint| {
            format!("{} {} {} (sha256 {})", paint.text(Tone::Good, "served:"), made.name, made.version, made.digest)
        });
        match &self.trial {
            Some(text) => made.task = Some(attempt(session, &made.name, text).await?),
            None => made.next = Some(format!("try it: factoryctl run {} 'a text to work on'", made.name)),
        }
        made.tell(session)
    }

    fn layout(&self) -> Layout {
        self.environment.as_ref().map_or_else(|| Layout::base(&self.dir), |name| Layout::over(&self.dir, name))
    }

    fn scaffold(&self) -> Result<Scaffold, Error> {
        let kind = match (self.kind, &self.worker) {
            (Kind::Orchestrator, Some(worker)) => ScaffoldKind::Orchestrator { worker: worker.clone() },
            (Kind::Agent, None) => ScaffoldKind::Agent,
            (Kind::Orchestrator, None) | (Kind::Agent, Some(_)) => {
                return Err(Error::Usage("--worker belongs to --kind orchestrator, which needs it".into()));
            }
        };
        let layout = self.layout();
        if !layout.directory().is_dir() {
            let dir = layout.directory().display();
            let message = format!(
                "there is no directory {dir}; name the daemon's templates_dir with --dir, or make it: mkdir -p {dir}"
            );
            return Err(Error::Usage(message));
        }
        let prompt = match (&self.prompt, &self.prompt_file) {
            (Some(prompt), _) => Some(prompt.clone()),
            (None, Some(path)) => Some(input::read(path)?.trim_end().to_owned()),
            (None, None) => None,
        };
        let (name, extends, route) = (self.name.clone(), self.extends.clone(), self.route.clone());
        Ok(Scaffold { name, kind, extends, prompt, route, environment: self.environment.clone() })
    }

    /// Waits until the daemon serves exactly this content, or says why it does not.
    async fn until_served(&self, session: &Session, placed: &Placed) -> Result<(), Error> {
        let _progress = Progress::start("waiting until the daemon serves it");
        let begun = Instant::now();
        let wanted = placed.validated.digest.to_string();
        loop {
            let seen = match session.client.template(self.name.as_str()).await {
                Ok(template) if template.digest == wanted && template.status == "published" => return Ok(()),
                Ok(template) if !template.reasons.is_empty() => {
                    let error = template::Error::Refused { name: self.name.clone(), reasons: template.reasons };
                    return Err(error.into());
                }
                Ok(template) => format!(
                    "it serves other content, version {}; are its parents those of this directory?",
                    template.version
                ),
                Err(error @ client::Error::Unreachable { .. }) => return Err(error.into()),
                Err(error) => match error.class() {
                    Class::NotFound => "it does not know the template".to_owned(),
                    // It is being started again.
                    Class::Unavailable => error.to_string(),
                    Class::Malformed
                    | Class::Unauthenticated
                    | Class::Forbidden
                    | Class::Conflict
                    | Class::TooLarge
                    | Class::Refused
                    | Class::Budget
                    | Class::Overload
                    | Class::Upstream
                    | Class::Internal => return Err(error.into()),
                },
            };
            if begun.elapsed() >= SERVED_TIME_MAX {
                let (socket, dir) = (session.client.place(), self.dir.display());
                let message = format!(
                    "the daemon at {socket} does not serve {} after {SERVED_TIME_MAX:?}: {seen}; is {dir} the templates_dir of its settings?",
                    placed.file.display()
                );
                return Err(Error::failed("template_not_served", message));
            }
            sleep(PAUSE).await;
        }
    }
}

/// Gives the new template its first task.
async fn attempt(session: &Session, name: &str, text: &str) -> Result<Task, Error> {
    let work = SubmitTask {
        template_name: Some(name.to_owned()),
        input: serde_json::Value::String(text.to_owned()),
        ..SubmitTask::default()
    };
    run::wait(session, &work, &Uuid::now_v7().to_string(), Patience::new(None)).await
}

impl Made {
    fn of(placed: &Placed) -> Self {
        let Placed { file, signature, validated } = placed;
        Self {
            name: validated.name.to_string(),
            version: validated.version.to_string(),
            digest: validated.digest.to_string(),
            file: file.display().to_string(),
            signature: signature.as_ref().map(|path| path.display().to_string()),
            served: false,
            task: None,
            next: None,
        }
    }

    /// The document, or the trial's answer; what is left to do goes beside it.
    fn tell(&self, session: &Session) -> Result<Exit, Error> {
        session.output.show(self, |_| self.task.as_ref().map(run::answer).unwrap_or_default())?;
        if let Some(next) = &self.next {
            session.output.remark(|paint| format!("{} {next}", paint.text(Tone::Faint, "what to do:")));
        }
        let Some(task) = &self.task else { return Ok(Exit::Done) };
        run::remark_summary(session, task);
        Ok(if task.state == TaskState::Succeeded { Exit::Done } else { Exit::Failed })
    }
}

/// The command that signs it, with the one private key that lies near, if there is one.
fn how_to_sign(file: &Path, dir: &Path) -> String {
    let sign = |key: &str| format!("factoryctl templates sign {} --key {key}", file.display());
    match private_keys(dir).as_slice() {
        [] => format!(
            "make a key with `factoryctl keys generate me --out private`, copy private/me.pub.pem to the daemon's trusted_keys_dir, then sign: {}",
            sign("private/me.pem")
        ),
        [only] => format!("sign it: {}", sign(&only.display().to_string())),
        [_, ..] => format!("sign it: {}", sign("ID.pem")),
    }
}

/// Private keys where people keep them: here, in `private`, and in those beside the templates.
fn private_keys(dir: &Path) -> Vec<PathBuf> {
    let beside = dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut places = vec![PathBuf::from("."), PathBuf::from("private"), beside.to_owned(), beside.join("private")];
    places.sort();
    places.dedup();
    let is_private = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".pem") && !name.ends_with(template::PUBLIC_KEY_SUFFIX)
    };
    let files = places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    let mut keys: Vec<PathBuf> = files.map(|entry| entry.path()).filter(is_private).take(KEYS_MAX).collect();
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    keys.sort_by_key(real);
    keys.dedup_by_key(|path| real(path));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_one_private_key_is_told_the_whole_command() {
        let dir = tempfile::tempdir().expect("a directory");
        let (templates, private) = (dir.path().join("templates"), dir.path().join("private"));
        for path in [&templates, &private] {
            std::fs::create_dir(path).expect("made");
        }
        let file = templates.join("a.json");
        assert!(how_to_sign(&file, &templates).contains("keys generate"));
        std::fs::write(private.join("me.pub.pem"), "").expect("written");
        std::fs::write(private.join("me.pem"), "").expect("written");
        assert!(how_to_sign(&file, &templates).ends_with("private/me.pem"));
        std::fs::write(private.join("other.pem"), "").expect("written");
        assert!(how_to_sign(&file, &templates).ends_with("--key ID.pem"));
    }
}
