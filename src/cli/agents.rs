//! `factoryctl agents`: make, list, show, stop, release.

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::table::{Table, or_dash, plain};
use super::words;
use crate::protocol::agent::{Agent, CreateAgent};
use crate::protocol::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Agents {
    /// Makes an agent that keeps its memory from task to task.
    #[command(after_help = "Example:\n  factoryctl agents create documentaliste --name archive --tenant acme")]
    Create(Create),
    /// Lists agents.
    #[command(after_help = "Example:\n  factoryctl agents ls --limit 20")]
    Ls(Paging),
    /// Shows an agent.
    #[command(after_help = "Example:\n  factoryctl agents show agent-0193…")]
    Show {
        /// The agent's identifier.
        id: String,
    },
    /// Ends the quarantine of an agent that was given up too often; its open tasks go on.
    #[command(after_help = "Example:\n  factoryctl agents release agent-0193…")]
    Release {
        /// The agent's identifier.
        id: String,
    },
    /// Stops an agent for good.
    #[command(after_help = "Example:\n  factoryctl agents stop agent-0193…")]
    Stop {
        /// The agent's identifier.
        id: String,
    },
}

/// The arguments of `create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The template to make it from.
    template: String,
    /// A name for people.
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// The tenant that it belongs to.
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// The user whom it serves.
    #[arg(long, value_name = "U")]
    user: Option<String>,
}

/// Which part of a list to show.
#[derive(Debug, Args)]
pub(super) struct Paging {
    /// The most items to show.
    #[arg(long, value_name = "N", default_value_t = PAGE_ITEMS_DEFAULT, value_parser = page_items)]
    pub(super) limit: usize,
    /// Goes on after this place, which the page before names.
    #[arg(long, value_name = "PLACE")]
    pub(super) after: Option<String>,
}

fn page_items(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=PAGE_ITEMS_MAX).contains(n));
    number.ok_or_else(|| format!("1 to {PAGE_ITEMS_MAX}"))
}

impl Paging {
    /// Says how to see more, where there is more.
    pub(super) fn remark_next(session: &Session, next: Option<&str>) {
        if let Some(next) = next {
            session.output.remark(|paint| paint.text(Tone::Faint, &format!("there is more: --after {next}")));
        }
    }
}

impl Agents {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        match self {
            Self::Create(Create { template, name, tenant, user }) => {
                let wanted = CreateAgent { template_name: template, name, tenant, user };
                let agent = client.create_agent(&wanted).await?;
                output.show(&agent, |_| agent.agent_id.clone())?;
            }
            Self::Ls(paging) => {
                let page = client.agents(Some(paging.limit), paging.after.as_deref()).await?;
                output.show(&page, |paint| list(&page.items, paint))?;
                Paging::remark_next(session, page.next.as_deref());
            }
            Self::Show { id } => {
                let agent = client.agent(&id).await?;
                output.show(&agent, |paint| list(std::slice::from_ref(&agent), paint))?;
            }
            Self::Release { id } => {
                let agent = client.release_agent(&id).await?;
                output.show(&agent, |_| format!("{id} is released"))?;
            }
            Self::Stop { id } => {
                client.stop_agent(&id).await?;
                output.show(&json!({"agent_id": id, "state": "stopped"}), |_| format!("{id} is stopped"))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(agents: &[Agent], paint: Paint) -> String {
    let mut table = Table::new(paint, &["AGENT", "STATE", "TEMPLATE", "NAME", "TENANT", "USER", "RESTARTS", "CREATED"]);
    for agent in agents {
        let (tone, state) = match agent.quarantined {
            true => (Tone::Bad, "quarantined"),
            false => words::agent_state(agent.state),
        };
        table.row([
            plain(&agent.agent_id),
            (tone, state.into()),
            plain(format!("{} {}", agent.template_name, agent.template_version)),
            or_dash(agent.name.as_deref()),
            plain(&agent.tenant),
            or_dash(agent.user.as_deref()),
            plain(agent.restarts.to_string()),
            plain(words::time(&agent.created_at)),
        ]);
    }
    table.render("no agents; make one with `factoryctl agents create TEMPLATE`")
}
