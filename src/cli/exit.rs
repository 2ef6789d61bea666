//! How a verb ends: exit codes, and errors with what to do about them.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::client;
use crate::control_plane::template;
use crate::domain::failure::{Class, Failure};
use crate::store;

/// The exit codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Failed,
    Usage,
    Refused,
    Unreachable,
    TimedOut,
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::TimedOut => 5,
        }
    }

    /// A rule's no is 3, a request that makes no sense is 2, and everything else has simply failed.
    pub(super) fn of_class(class: Class) -> Self {
        match class {
            Class::Malformed => Self::Usage,
            Class::Unauthenticated
            | Class::Forbidden
            | Class::Conflict
            | Class::TooLarge
            | Class::Refused
            | Class::Budget
            | Class::Overload => Self::Refused,
            Class::NotFound | Class::Unavailable | Class::Upstream | Class::Internal => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The daemon could not be asked, or said no.
    #[error("{}", in_words(.0))]
    Client(#[from] client::Error),
    /// A key or template file is not what it should be.
    #[error("{}", of_template(.0))]
    Template(#[from] template::Error),
    /// A policy directory cannot be used.
    #[error("the policy in {} cannot be used", .directory.display())]
    Policy { directory: PathBuf, reasons: Vec<String> },
    /// A file of DLP rules cannot be used.
    #[error("the DLP rules in {} cannot be used", .file.display())]
    Rules { file: PathBuf, reasons: Vec<String> },
    /// An archive or a data directory is not what it should be.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// What was asked makes no sense; the text says why and what would.
    #[error("{0}")]
    Usage(String),
    /// Something on this side failed.
    #[error("{message}")]
    Failed { code: &'static str, message: String },
    /// The task goes on, but nobody waits for it any more.
    #[error("the task has not ended within {waited}; it goes on")]
    StillRunning { task_id: String, waited: String },
    /// Standard output is gone.
    #[error("write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// An error as a document: the shape of a problem, without a status where no daemon gave one.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    code: &'a str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "no_reasons")]
    reasons: Cow<'a, [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'a str>,
    exit_code: u8,
}

#[expect(clippy::ptr_arg, reason = "serde hands over the field as it is")]
fn no_reasons(reasons: &Cow<'_, [String]>) -> bool {
    reasons.is_empty()
}

impl Told<'_> {
    /// All reasons, where there are several.
    pub(super) fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

impl Error {
    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { code, message: message.into() }
    }

    /// The exit code. A reader of standard output that has seen enough, such as `head`, is no failure.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Client(client::Error::Unreachable { .. }) => Exit::Unreachable,
            Self::Client(client::Error::TimedOut { .. }) | Self::StillRunning { .. } => Exit::TimedOut,
            Self::Client(client::Error::Protocol { .. }) | Self::Failed { .. } => Exit::Failed,
            Self::Client(error @ client::Error::Problem { .. }) => Exit::of_class(error.class()),
            Self::Template(error) => Exit::of_class(error.class()),
            Self::Store(error) => Exit::of_class(error.class()),
            Self::Policy { .. } | Self::Rules { .. } => Exit::Refused,
            Self::Usage(_) | Self::Client(client::Error::Address { .. }) => Exit::Usage,
            Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Failed,
        }
    }

    /// What scripts are told.
    pub(super) fn told(&self) -> Told<'_> {
        let mut told = Told {
            code: self.code(),
            detail: self.to_string(),
            title: None,
            kind: None,
            status: None,
            reasons: Cow::Borrowed(&[]),
            task_id: None,
            exit_code: self.exit().code(),
        };
        match self {
            Self::Client(client::Error::Problem { problem, .. }) => {
                told.detail.clone_from(&problem.detail);
                told.title = Some(&problem.title);
                told.kind = Some(&problem.kind);
                told.status = Some(problem.status);
                told.reasons = Cow::Borrowed(&problem.reasons);
            }
            Self::Template(template::Error::Refused { reasons, .. }) => told.reasons = Cow::Borrowed(reasons),
            Self::Template(template::Error::Invalid { mistakes, .. }) => {
                told.reasons = mistakes.iter().map(ToString::to_string).collect();
            }
            Self::StillRunning { task_id, .. } => told.task_id = Some(task_id),
            Self::Policy { reasons, .. } | Self::Rules { reasons, .. } => told.reasons = Cow::Borrowed(reasons),
            Self::Client(_)
            | Self::Template(_)
            | Self::Store(_)
            | Self::Usage(_)
            | Self::Failed { .. }
            | Self::Output(_) => {}
        }
        told
    }

    fn code(&self) -> &str {
        match self {
            Self::Client(client::Error::Problem { problem, .. }) => &problem.code,
            Self::Client(error) => error.code(),
            Self::Template(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Policy { .. } => "policy_invalid",
            Self::Rules { .. } => "dlp_rules_invalid",
            Self::Usage(_) => "usage",
            Self::Failed { code, .. } => code,
            Self::StillRunning { .. } => "task_still_running",
            Self::Output(_) => "output_failed",
        }
    }

    /// What to do about it.
    pub(super) fn advice(&self) -> Option<String> {
        match self {
            Self::Client(client::Error::Unreachable { place, source }) => Some(advice_unreachable(place, source)),
            Self::Client(client::Error::Address { .. }) => Some(
                "for example: --url https://factory.example:8443 --ca ca.pem --cert me.pem --cert-key me.key".into(),
            ),
            Self::Client(client::Error::TimedOut { .. }) => {
                Some("see how the daemon is with `factoryctl status`; its log says more".into())
            }
            Self::Client(client::Error::Protocol { .. }) => {
                Some("check that the socket is factoryd's and that its version is this one's".into())
            }
            Self::Client(error @ client::Error::Problem { .. }) => advice_on_class(error.class()).map(str::to_owned),
            Self::StillRunning { task_id, .. } => Some(format!(
                "look at it with `factoryctl tasks show {task_id}`, end it with `factoryctl tasks cancel {task_id}`"
            )),
            Self::Store(store::Error::InUse(_)) => Some("stop the daemon first: `systemctl stop factoryd`".into()),
            Self::Store(store::Error::Archive { .. }) => {
                Some("nothing was touched; take another backup, or use an older one".into())
            }
            Self::Store(_) => Some("the old data directory is as it was; mend the cause and run it again".into()),
            Self::Template(error) => advice_on_template(error),
            Self::Rules { .. } => Some("mend what is told; `docs/dlp.md` has the reference of the file".into()),
            Self::Policy { .. } => Some("mend what is told; `docs/policy.md` has working examples".into()),
            Self::Usage(_) | Self::Failed { .. } | Self::Output(_) => None,
        }
    }
}

/// What went wrong with the daemon, as a sentence.
fn in_words(error: &client::Error) -> String {
    match error {
        client::Error::Unreachable { .. } | client::Error::Protocol { .. } | client::Error::Address { .. } => {
            format!("cannot {error}")
        }
        client::Error::Problem { .. } => error.to_string(),
        client::Error::TimedOut { doing, after } => format!("the daemon did not answer {doing} within {after:?}"),
    }
}

/// What is wrong with a template, without the reasons that are listed below it.
fn of_template(error: &template::Error) -> String {
    if let template::Error::Invalid { path, .. } = error {
        return format!("{} is not a good template", path.display());
    }
    if let template::Error::Refused { name, .. } = error {
        return format!("template {name} is refused");
    }
    error.to_string()
}

/// What to do about the faults of files; those of the daemon's own room come as problems.
fn advice_on_template(error: &template::Error) -> Option<String> {
    let advice = if matches!(error, template::Error::Invalid { .. }) {
        "`factoryctl templates schema` prints what a template may say"
    } else if matches!(error, template::Error::TemplateExists(_)) {
        "edit it, raise its version and sign it with `factoryctl templates sign`; or take another name"
    } else if matches!(error, template::Error::Refused { .. }) {
        "correct what is named, then sign the file again with `factoryctl templates sign`"
    } else if matches!(error, template::Error::KeyUnusable { .. } | template::Error::File { .. }) {
        "look at the path and its permissions; `factoryctl keys generate ID --out DIR` makes a key"
    } else {
        return None;
    };
    Some(advice.to_owned())
}

fn advice_on_class(class: Class) -> Option<&'static str> {
    match class {
        Class::Budget => Some("see what is left with `factoryctl budgets ls`; raise it with `factoryctl budgets set`"),
        Class::Unauthenticated | Class::Forbidden => {
            Some("ask whoever runs the daemon for a role: the [access] table of its settings")
        }
        Class::Overload | Class::Unavailable => {
            Some("try again in a moment; `factoryctl status` says how the daemon is")
        }
        Class::Malformed
        | Class::NotFound
        | Class::Conflict
        | Class::TooLarge
        | Class::Refused
        | Class::Upstream
        | Class::Internal => None,
    }
}

fn advice_unreachable(place: &client::Place, source: &io::Error) -> String {
    if place.socket().is_none() {
        return "see that the daemon listens there (api.tcp), that --ca is the authority of its certificate, and that --cert is one \
                that its client_ca_file signed and its client_crl_file does not name"
            .into();
    }
    if source.kind() == io::ErrorKind::PermissionDenied {
        return format!("your user may not open {place}; its owner or group may");
    }
    "start the daemon (`systemctl start factoryd`, or `factoryd --config FILE`), or name its socket with --socket or \
     NG_SOCKET"
        .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::problem::Problem;

    fn problem(status: u16) -> Error {
        let problem = Problem {
            kind: "errors#x".into(),
            title: "x".into(),
            status,
            detail: "why".into(),
            code: "x".into(),
            reasons: Vec::new(),
        };
        Error::Client(client::Error::Problem { problem: Box::new(problem), retry_after: None })
    }

    fn unreachable(kind: io::ErrorKind) -> Error {
        Error::Client(client::Error::Unreachable { place: client::Place::Socket("/s".into()), source: kind.into() })
    }

    #[test]
    fn invariant_4_the_exit_code_says_how_it_went() {
        let doing = || "GET /x".to_owned();
        let cases = [
            (problem(400), 2),
            (problem(401), 3),
            (problem(402), 3),
            (problem(403), 3),
            (problem(404), 1),
            (problem(405), 2),
            (problem(409), 3),
            (problem(413), 3),
            (problem(422), 3),
            (problem(429), 3),
            (problem(500), 1),
            (problem(502), 1),
            (problem(503), 1),
            (unreachable(io::ErrorKind::NotFound), 4),
            (Error::Client(client::Error::TimedOut { doing: doing(), after: Duration::ZERO }), 5),
            (Error::Client(client::Error::Protocol { doing: doing(), reason: "?".into() }), 1),
            (Error::Usage("no".into()), 2),
            (Error::failed("x", "y"), 1),
            (Error::StillRunning { task_id: "t".into(), waited: "1 s".into() }, 5),
            (Error::Output(io::ErrorKind::BrokenPipe.into()), 0),
            (Error::Output(io::ErrorKind::StorageFull.into()), 1),
        ];
        for (error, code) in cases {
            assert_eq!(error.exit().code(), code, "{error:?}");
        }
    }

    #[test]
    fn documents_of_errors_carry_what_the_daemon_said() {
        let document = serde_json::to_value(problem(402).told()).expect("JSON");
        assert_eq!(
            document,
            serde_json::json!({
                "code": "x", "detail": "why", "title": "x", "type": "errors#x", "status": 402, "exit_code": 3
            })
        );
        let document = serde_json::to_value(unreachable(io::ErrorKind::NotFound).told()).expect("JSON");
        assert_eq!((&document["code"], document.get("status")), (&"daemon_unreachable".into(), None));
    }

    #[test]
    fn advice_fits_the_reason() {
        let advice = |error: Error| error.advice().expect("advice");
        assert!(advice(unreachable(io::ErrorKind::PermissionDenied)).contains("may not open /s"));
        assert!(advice(unreachable(io::ErrorKind::NotFound)).contains("start the daemon"));
        assert!(advice(problem(402)).contains("budgets ls"));
    }
}
