//! `factoryctl templates`: what agents are made from.

use clap::Subcommand;

use self::diff::Diff;
use self::experiment::Experimenting;
use self::files::{Sign, Validate, Verify};
use self::rollback::Rollback;
use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::table::{Table, or_dash, plain};
use super::words;
use crate::protocol::template::{RollBack, Template, TemplateSignature, TemplateVersion};

mod diff;
mod experiment;
mod files;
mod lines;
mod rollback;

pub(super) use files::TrustFiles;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Templates {
    /// Lists templates.
    #[command(after_help = "Example:\n  factoryctl templates ls")]
    Ls,
    /// Shows a template with everything that it inherits.
    #[command(after_help = "Example:\n  factoryctl templates show documentaliste --json | jq .resolved.budget")]
    Show {
        /// The template's name.
        name: String,
        /// Shows this version, as it was published last.
        #[arg(long, conflicts_with = "digest")]
        version: Option<String>,
        /// Shows the content whose digest begins so, with 8 digits at least.
        #[arg(long, value_name = "HEX")]
        digest: Option<String>,
    },
    /// Shows what is different between two versions, with all that they inherit: a version, a digest, `current`, `file` or
    /// `previous`.
    #[command(
        after_help = "Examples:\n  factoryctl templates diff documentaliste\n  factoryctl templates diff documentaliste 1.0.0 1.1.0\n  factoryctl templates diff documentaliste current file"
    )]
    Diff(Diff),
    /// Shows the versions of a template that were published.
    #[command(after_help = "Example:\n  factoryctl templates history documentaliste")]
    History {
        /// The template's name.
        name: String,
    },
    /// Goes back to a version that was published before. It serves until `--lift`, whatever is edited, also across restarts.
    #[command(
        after_help = "Examples:\n  factoryctl templates rollback documentaliste 1.0.0\n  factoryctl templates rollback documentaliste --digest 3f2a9c01\n  factoryctl templates rollback documentaliste --lift"
    )]
    Rollback(Rollback),
    /// Shares tasks out among published versions of a template and compares them; without --set and --stop, shows how they do.
    #[command(
        after_help = "Example:\n  factoryctl templates experiment documentaliste --set 1.1.0=0.9 --set 1.2.0=0.1"
    )]
    Experiment(Experimenting),
    /// Judges template files as the daemon would, but for their signatures. Needs no daemon.
    #[command(
        after_help = "Examples:\n  factoryctl templates validate templates/*.json --policy /etc/agent-factory/policy\n  factoryctl templates validate --environment production templates/production/*.json"
    )]
    Validate(Validate),
    /// Signs template files; the signature lies beside each as FILE.sig. Needs no daemon.
    #[command(after_help = "Example:\n  factoryctl templates sign templates/*.json --key ~/keys/release.pem")]
    Sign(Sign),
    /// Verifies the signatures of template files, by the keys, their trust.toml and the list of revocations. Needs no daemon.
    #[command(after_help = "Examples:
  factoryctl templates verify templates/*.json --keys /etc/agent-factory/keys
  factoryctl templates verify templates/*.json --keys keys --legacy-key old-system.pub.pem")]
    Verify(Verify),
}

impl Templates {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        match self {
            Self::Ls => {
                let page = client.templates().await?;
                output.show(&page, |paint| list(&page.items, paint))?;
            }
            Self::Show { name, version, digest } => {
                let template = client.template_as(&name, &RollBack { version, digest }).await?;
                output.show(&template, |paint| detail(&template, paint))?;
            }
            Self::History { name } => {
                let page = client.versions(&name).await?;
                output.show(&page, |paint| history(&page.items, paint))?;
            }
            Self::Diff(diff) => diff.perform(session).await?,
            Self::Rollback(rollback) => rollback.perform(session).await?,
            Self::Experiment(experimenting) => return experimenting.perform(session).await,
            Self::Validate(validate) => return validate.perform(output),
            Self::Sign(sign) => return sign.perform(output),
            Self::Verify(verify) => return verify.perform(output),
        }
        Ok(Exit::Done)
    }
}

fn signer(signature: Option<&TemplateSignature>) -> (Tone, String) {
    signature.map_or_else(
        || (Tone::Warning, "unsigned".into()),
        |signature| match signature.scheme.as_str() {
            "legacy" => (Tone::Warning, format!("{} ({}, legacy form)", signature.key_id, signature.algorithm)),
            _ => plain(format!("{} ({})", signature.key_id, signature.algorithm)),
        },
    )
}

fn list(templates: &[Template], paint: Paint) -> String {
    let mut table = Table::new(paint, &["TEMPLATE", "VERSION", "KIND", "FROM", "STATUS", "SIGNED BY", "FOR"]);
    for template in templates {
        table.row([
            plain(&template.name),
            plain(&template.version),
            plain(&template.kind),
            plain(template.environment.as_deref().unwrap_or("-")),
            (words::tone_of(&template.status), template.status.clone()),
            signer(template.signature.as_ref()),
            plain(template.description.clone().unwrap_or_default()),
        ]);
    }
    table.render("no templates; the daemon reads them from its templates directory")
}

fn detail(template: &Template, paint: Paint) -> String {
    let mut lines = vec![format!(
        "{} {} · {} · {} · {}",
        paint.text(Tone::Strong, &template.name),
        template.version,
        template.kind,
        paint.text(words::tone_of(&template.status), &template.status),
        signer(template.signature.as_ref()).1
    )];
    lines.extend(template.description.clone());
    lines.extend(template.environment.as_ref().map(|name| format!("from the environment {name}")));
    lines.push(paint.text(Tone::Faint, &format!("sha256 {}", template.digest)));
    lines.extend(template.rolled_back.as_ref().map(rollback::told));
    lines.extend(template.pending.as_ref().map(|version| format!("waiting: {version}, until the rollback is lifted")));
    lines.extend(template.reasons.iter().map(|reason| format!("{} {reason}", paint.text(Tone::Bad, "refused:"))));
    lines.extend(template.resolved.as_ref().map(|resolved| format!("\n{resolved:#}")));
    lines.join("\n")
}

fn history(versions: &[TemplateVersion], paint: Paint) -> String {
    let mut table = Table::new(paint, &["VERSION", "SERVED", "PUBLISHED", "WHY", "BY", "SIGNED BY", "DIGEST"]);
    for version in versions {
        table.row([
            plain(&version.version),
            if version.current { (Tone::Good, "now".into()) } else { (Tone::Faint, "-".into()) },
            plain(words::time(&version.published_at)),
            plain(why(version)),
            or_dash(version.by.as_deref()),
            signer(version.signature.as_ref()),
            (Tone::Faint, version.digest.get(..12).unwrap_or(&version.digest).to_owned()),
        ]);
    }
    table.render("no version was ever published")
}

/// Why a content came into force first, and how often it did since.
fn why(version: &TemplateVersion) -> String {
    let first = version.cause.as_deref().unwrap_or("-");
    let latest = version.publications.first().filter(|_| version.publications.len() > 1);
    match latest {
        Some(latest) => format!("{first}, {} {}", latest.cause, words::time(&latest.at)),
        None => first.to_owned(),
    }
}
