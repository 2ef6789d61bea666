//! Admission chooses models: what of a template's route the first step may go to, and what it may cost there.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Refusal;
use super::handle::Admission;
use super::route::{self, Candidates, Needs};
use crate::config::settings::Route;
use crate::control_plane::budget::tokens::{self, Input};
use crate::control_plane::template::{Kind, Template};
use crate::domain::model::Abilities;
use crate::domain::money::Usd;
use crate::domain::name::{ModelRef, RouteName};
use crate::domain::usage::Tokens;
use crate::journal::dialogue::Dialogue;
use crate::journal::order::Order;

/// Routes by name, from the settings. Each reading is of an immutable snapshot; all clones see what is published.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<ArcSwap<BTreeMap<RouteName, Arc<Route>>>>);

impl Routes {
    /// The routes of the settings.
    #[must_use]
    pub fn new(routes: &BTreeMap<RouteName, Route>) -> Self {
        let new = Self::default();
        new.publish(routes);
        new
    }

    /// Puts other routes in force, for whatever is admitted or taken up from now on.
    pub fn publish(&self, routes: &BTreeMap<RouteName, Route>) {
        self.0.store(Arc::new(routes.iter().map(|(name, route)| (name.clone(), Arc::new(route.clone()))).collect()));
    }

    /// One route.
    #[must_use]
    pub fn get(&self, name: &RouteName) -> Option<Arc<Route>> {
        self.0.load().get(name).cloned()
    }
}

/// Where the steps of a task may go.
pub(super) struct Routing {
    /// The route, with the models that suit its first step.
    pub(super) route: Arc<Route>,
    /// What these may cost.
    candidates: Candidates,
}

impl Admission {
    /// The models of a template's route that suit the first step of this order. Where none does, that is the refusal.
    pub(super) async fn routing(&self, template: &Template, order: &Order) -> Result<Routing, Refusal> {
        let name = &template.model.route;
        let route = self.means.routes.get(name).ok_or_else(|| Refusal::UnknownRoute(name.clone()))?;
        // An orchestrator calls no model itself.
        if matches!(template.kind, Kind::Orchestrator(_)) {
            return Ok(Routing { route, candidates: Candidates::default() });
        }
        let known = |model: &ModelRef| self.means.prices.model(model);
        let output_max = template.model.max_output_tokens.min(order.max_output_tokens().unwrap_or(u32::MAX));
        let (output_max, input) = (Tokens::new(output_max.into()), first_input(template, order));
        let bound = input.bound();
        let count =
            if route::must_count(&route, bound, output_max, known) { tokens::count(input).await } else { bound };
        // A task without a conversation asks for nothing but text.
        let abilities = order.dialogue.as_deref().map_or(Abilities::NONE, Dialogue::needs);
        let needs = Needs { abilities, count, output_max };
        let candidates = route::candidates(&route, &needs, known);
        if candidates.kept.is_empty() {
            return Err(candidates.refusal(name));
        }
        let route = if candidates.passed_over.is_empty() {
            route
        } else {
            let models = candidates.kept.iter().map(|kept| kept.model.clone()).collect();
            Arc::new(Route { models, ..Route::clone(&route) })
        };
        Ok(Routing { route, candidates })
    }

    /// The first model which suits the first step and can be called, with its worst case; none for a plan.
    pub(super) fn first_step(
        &self,
        template: &Template,
        routing: &Routing,
    ) -> Result<Option<(ModelRef, Usd)>, Refusal> {
        if matches!(template.kind, Kind::Orchestrator(_)) {
            return Ok(None);
        }
        let mut left = None;
        let usable = routing.candidates.kept.iter().find(|kept| match (self.means.readiness)(&kept.model) {
            Ok(()) => true,
            Err(unready) => {
                left = left.into_iter().chain(unready.left).min();
                false
            }
        });
        usable.map(|kept| Some((kept.model.clone(), kept.worst))).ok_or_else(|| Refusal::UnusableRoute {
            route: template.model.route.clone(),
            passed_over: routing.candidates.passed_over.clone(),
            left,
        })
    }
}

/// What the first step reads, before it is masked.
fn first_input(template: &Template, order: &Order) -> Input {
    let texts = vec![template.system_prompt.clone(), order.input.clone()];
    let Some(dialogue) = &order.dialogue else { return Input::of_messages(texts) };
    let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
    Input {
        texts: texts.into_iter().chain(dialogue.written()).collect(),
        messages: count(dialogue.messages.len()).saturating_add(2),
        tools: count(dialogue.tools.len()),
        images: count(dialogue.images()),
    }
}
