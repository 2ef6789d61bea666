//! One model call, and everything that must happen around it.
//!
//! ```text
//! texts ─ dlp.protect ─ worst case ─┤ StepStarted durable ├─ provider ─ restore ─ dlp.check ─> Answer
//! ```

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::allowance::Allowance;
use super::answer::{Answer, Bill};
use super::cache::Recall;
use super::ear::{Ear, Floor, Side};
use super::environment::Environment;
use super::exchange::{Asking, Heard};
use super::filter::{Fit, Shape, check, check_names, outbound};
use super::live::Line;
use super::memory::Memory;
use super::passage::{Passage, Words, decided};
use super::prompt::{self, Draft, SoFar};
use super::race::{Rival, race};
use super::release::consents;
use super::unprepared::Unprepared;
use crate::config::settings::Route;
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::admission::route::{self, Candidate, Needs};
use crate::control_plane::budget::tokens;
use crate::data_plane::dlp::{self, Vault};
use crate::data_plane::provider::{self, Charge, Completion, Request, ToolCall};
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::model::{Ability, Model};
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::protection::Rules;
use crate::domain::usage::{Tokens, Usage};
use crate::journal::dialogue::Format;
use crate::journal::record::{Arrived, Then};
use crate::journal::release::Release;

/// The longest that one call may take, whatever settings and deadlines say.
pub(super) const CALL_TIME_MAX: Duration = Duration::from_secs(3_600);
/// The longest that a provider may make a task wait for its next attempt.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A call that can be made as soon as it is written down.
pub(super) struct Prepared {
    pub(super) request: Request,
    vault: Vault,
    /// What is done with what is found in its answer.
    inbound: Rules,
    /// What there is of the answer.
    before: Text,
    /// The most that it can cost.
    pub(super) worst: Usd,
    known: Model,
    input_tokens: Tokens,
    recall: Recall,
    /// Attempts at the model that have failed, this one included should it fail.
    attempts: u32,
}

impl Prepared {
    /// How an answer to it is made fit to be heard.
    fn fit(&self, shape: Shape) -> Fit<'_> {
        Fit { rules: &self.inbound, vault: &self.vault, shape }
    }
}

/// A call of a model, and of another where that one lets wait.
pub(super) struct Call {
    pub(super) prepared: Prepared,
    pub(super) model: ModelRef,
    pub(super) rival: Option<Rival>,
}

impl Call {
    /// The most that it can cost.
    pub(super) fn worst(&self) -> Usd {
        self.rival.iter().fold(self.prepared.worst, |sum, rival| sum.plus(rival.prepared.worst))
    }
}

/// What a call is about, beside the order.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) so_far: SoFar,
    pub(super) task: TaskId,
    /// What names the call among the task's, the same for every repetition of it.
    pub(super) call: u32,
    /// Attempts at the model that have failed so far.
    pub(super) failed_attempts: u32,
    /// Whether it is the one that is made beside another.
    pub(super) is_rival: bool,
    /// The tokens that the task may still use, where there is a limit.
    pub(super) allowance: Option<Allowance>,
    /// What persons have let leave.
    pub(super) granted: Arc<[Release]>,
}

impl Asked {
    /// The same asked of another model at the same time as `first`: a call of its own, also where both models are one provider's.
    pub(super) fn into_rival(self, first: &Prepared) -> Self {
        let tokens = first.input_tokens.plus(Tokens::new(first.request.max_output_tokens.into()));
        let allowance = self.allowance.map(|allowance| allowance.beside(tokens));
        Self { is_rival: true, failed_attempts: 0, allowance, ..self }
    }

    fn idempotency_key(&self) -> String {
        format!("{}-{}{}", self.task, self.call, if self.is_rival { "-rival" } else { "" })
    }
}

/// Masks what leaves the host and computes the worst case.
///
/// # Errors
/// The text may not leave, or cannot be checked; or the model has no price; or the task has too few tokens left.
pub(super) async fn prepare(
    environment: &Environment,
    order: &WorkOrder,
    memory: &Memory,
    asked: Asked,
    model: &ModelRef,
) -> Result<Prepared, Unprepared> {
    let key = asked.idempotency_key();
    let written = written_so_far(environment, model, &asked.so_far.arrived).count();
    let before = asked.so_far.arrived.clone();
    let mut draft = Draft::of(order, memory, asked.so_far);
    let protection = environment.floor.under(&order.order().protection);
    // A rival is asked for a quick answer of its own; what it is reserved for must cover that.
    let recall = if asked.is_rival {
        Recall::Off
    } else {
        let rules = environment.dlp.rules();
        environment.results.recall(order, rules.file.as_ref(), &protection, model, &draft)
    };
    let protected =
        outbound(environment, order, &mut draft, &protection, &consents(&asked.granted, &model.to_string())).await?;
    let written = u32::try_from(written).unwrap_or(u32::MAX);
    let mut request = draft.filtered(protected.texts, order, written, key);
    let is_hit = matches!(recall, Recall::Hit(_));
    // What is known already uses nothing.
    let allowance = asked.allowance.filter(|_| !is_hit);
    let Candidate { known, input, worst, .. } = suited(environment, order, &mut request, model, allowance).await?;
    let worst = if is_hit { Usd::ZERO } else { worst };
    let attempts = asked.failed_attempts.saturating_add(1);
    let (vault, inbound) = (protected.vault, protection.inbound);
    Ok(Prepared { request, vault, inbound, before, worst, known, input_tokens: input, recall, attempts })
}

/// Tokens of what there is of the answer, which the limit on it covers too.
fn written_so_far(environment: &Environment, model: &ModelRef, arrived: &Text) -> Tokens {
    let known = environment.prices.model(model);
    known
        .filter(|_| !arrived.is_empty())
        .map_or(Tokens::default(), |known| tokens::answer_tokens(arrived, &known.counting))
}

/// What the call comes to with this model, if it suits; it asks for no longer an answer than its task has tokens left for.
async fn suited(
    environment: &Environment,
    order: &WorkOrder,
    request: &mut Request,
    model: &ModelRef,
    allowance: Option<Allowance>,
) -> Result<Candidate, Unprepared> {
    let known = |model: &ModelRef| environment.prices.model(model);
    let route = Route { models: vec![model.clone()], ..order.routing().clone() };
    let input = prompt::input(request);
    let (bound, output_max) = (input.bound(), Tokens::new(request.max_output_tokens.into()));
    let must_count = allowance.is_some() || route::must_count(&route, bound, output_max, known);
    let count = if must_count { tokens::count(input).await } else { bound };
    if let (Some(allowance), Some(known)) = (allowance, known(model)) {
        let input = count.tokens(&known.counting);
        request.max_output_tokens = allowance.answer_max(input, request.max_output_tokens)?;
    }
    let output_max = Tokens::new(request.max_output_tokens.into());
    let needs = Needs { abilities: prompt::abilities(request), count, output_max };
    Ok(route::candidate(model, route.max_usd_per_call, &needs, known)?)
}

/// Tokens of the input, where those of the call are counted if the provider does not tell them: for money, or for a limit.
fn counted_input(order: &WorkOrder, prepared: &Prepared) -> Option<Tokens> {
    let counts = !prepared.known.price.is_free() || order.order().tokens_max.is_some();
    counts.then_some(prepared.input_tokens)
}

/// Calls the model and makes its answer fit to be heard; ends the call when `stop` does. Where there is a `line`, the answer is
/// asked for piece by piece, and what of it needs no look at the whole is said there as it comes.
pub(super) async fn perform(
    environment: &Environment,
    order: &WorkOrder,
    call: Call,
    within: Duration,
    stop: impl Future<Output = ()> + Send,
    line: Option<Arc<Line>>,
) -> Answer {
    call.prepared.recall.count();
    let told = line.clone().filter(|_| can_be_told_in_pieces(&call.prepared));
    if let Recall::Hit(kept) = &call.prepared.recall {
        return Answer::known(kept, told.as_deref());
    }
    let now = tokio::time::Instant::now();
    let (in_pieces, deadline) = (line.is_some(), now.checked_add(within).unwrap_or(now));
    let floor = Floor::new(told);
    let asking =
        Asking { environment, prepared: &call.prepared, model: &call.model, route: order.route(), deadline, in_pieces };
    let ear = async |side, prepared: &Prepared| {
        let passage =
            Passage::open(environment, order.order(), (&prepared.inbound, &prepared.before), floor.is_heard()).await;
        Ear::new(side, &floor, &prepared.vault, passage)
    };
    let first = ear(Side::First, &call.prepared).await;
    let Some(rival) = &call.rival else {
        let answer = make_fit(environment, order, &call.prepared, asking.answer(stop, first).await).await;
        let left_alone = answer.is_unheard() && environment.providers.usable(&call.model).is_err();
        return if left_alone && asking.can_move_on() { answer.elsewhere() } else { answer };
    };
    let raced = race(asking, rival, stop, &floor, (first, ear(Side::Rival, &rival.prepared).await)).await;
    let (heard, other) = match raced.side {
        Side::First => (&call.prepared, &rival.prepared),
        Side::Rival => (&rival.prepared, &call.prepared),
    };
    let answer = make_fit(environment, order, heard, raced.heard).await;
    let unheard = if raced.other == Charge::None { Usd::ZERO } else { other.worst };
    let by = if raced.side == Side::Rival { Some(&rival.model) } else { None };
    answer.beside(by, unheard)
}

/// What one model said, filtered, restored and priced.
async fn make_fit(environment: &Environment, order: &WorkOrder, prepared: &Prepared, heard: Heard) -> Answer {
    let Heard { result, ear } = heard;
    let completion = match result {
        Ok(completion) => completion,
        Err(error) if ear.heard_words() => return broken_off(environment, order, prepared, ear, &error).await,
        Err(error) => return Answer::of_error(&error, prepared.attempts),
    };
    let usage = used(&completion, prepared, counted_input(order, prepared));
    let cost = prepared.known.price.of(&usage);
    let passed = ear.whole(&completion.text).await;
    let checked = check_all(environment, order, prepared, (completion.text, passed), completion.calls).await;
    let (output, calls) = match checked {
        Ok(checked) => checked,
        Err(error) => return Answer::unfit(&error, Bill::Known(cost)),
    };
    let ended = completion.stop;
    let mut notes = vec![("model".to_owned(), completion.model), ("stop".to_owned(), ended.as_str().to_owned())];
    notes.extend(completion.notes.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let rules = environment.dlp.rules();
    environment.results.keep(&prepared.recall, rules.file.as_ref(), ended, &output, &calls, &notes);
    Answer::Given { output, calls, usage, cost, notes, elapsed: completion.elapsed }
}

/// Words can be told as they come where nothing must look at the whole first: no format of which half is worth nothing and
/// cannot be gone on with.
fn can_be_told_in_pieces(prepared: &Prepared) -> bool {
    prepared.request.format == Format::Text
}

/// What becomes of an answer that broke off: what arrived is paid for, and the task goes on from there if it may be heard.
async fn broken_off(
    environment: &Environment,
    order: &WorkOrder,
    prepared: &Prepared,
    ear: Ear,
    error: &provider::Error,
) -> Answer {
    let most = Tokens::new(prepared.request.max_output_tokens.into());
    let usage = ear.used(counted_input(order, prepared), most, &prepared.known);
    let cost = prepared.known.price.of(&usage);
    // Where the provider ended the answer, it bills what arrived. Where nobody listened on, it may have gone on; and of calls
    // and reasoning nothing is heard before they are whole.
    let is_known = error.ended_by_provider() && !may_write_unheard(prepared);
    let bill = if is_known { Bill::Known(cost) } else { Bill::AtLeast(cost) };
    let checked = match ear.broken() {
        Ok(Words::Passed(text)) => Ok(prepared.vault.restore(&text)),
        Ok(Words::Raw(text)) => {
            let decided = decided(environment, order.order(), (&prepared.inbound, &prepared.before), &text).await;
            decided.map(|text| prepared.vault.restore(&text))
        }
        Err(refusal) => Err(refusal),
    };
    let text = match checked {
        Ok(text) => text,
        Err(error) => return Answer::unfit(&error, bill),
    };
    // Half a document of a format is paid for and thrown away.
    let text = if can_be_told_in_pieces(prepared) { text } else { Text::default() };
    let then = match Answer::then(error, prepared.attempts) {
        Then::GiveUp => Then::GiveUp,
        Then::Retry { after_ms }
        | Then::Again { after_ms }
        | Then::Elsewhere { after_ms }
        | Then::Continue { after_ms } => Then::Continue { after_ms },
        Then::Failover => Then::Continue { after_ms: pause(None, prepared.attempts) },
    };
    let arrived = Some(Arrived { text, usage });
    Answer::Failed { code: error.code(), message: error.detail(), bill, then, arrived }
}

/// Whether the model may write, and have billed, what is not in the words of its answer.
fn may_write_unheard(prepared: &Prepared) -> bool {
    let Prepared { request, known, .. } = prepared;
    let reasons = known.abilities.is_some_and(|abilities| abilities.has(Ability::Reasoning));
    !request.tools.is_empty() || request.sampling.reasoning_effort.is_some() || reasons
}

/// The answer's text and calls, filtered and restored; of the text what has passed already, where it was told as it came.
async fn check_all(
    environment: &Environment,
    order: &WorkOrder,
    prepared: &Prepared,
    (text, passed): (Text, Result<Option<Text>, dlp::Error>),
    calls: Vec<ToolCall>,
) -> Result<(Text, Vec<ToolCall>), dlp::Error> {
    let shape = match prepared.request.format {
        Format::Text => Shape::Text,
        Format::Json | Format::Schema { .. } => Shape::Json,
    };
    let text = match passed? {
        // Only the words of a plain text are told as they come.
        Some(passed) => prepared.vault.restore(&passed),
        None => check(environment, order.order(), prepared.fit(shape), &text).await?,
    };
    let mut checked = Vec::with_capacity(calls.len());
    for call in calls {
        let is_offered = prepared.request.tools.iter().any(|tool| tool.name == call.name);
        // The name of a tool that was offered is the caller's own word.
        let names = [Some(&call.id), Some(&call.name).filter(|_| !is_offered)];
        let names = names.into_iter().flatten().map(|name| Text::from(name.as_str())).collect();
        check_names(environment, order.order(), &prepared.inbound, names).await?;
        let arguments = check(environment, order.order(), prepared.fit(Shape::Json), &call.arguments).await?;
        checked.push(ToolCall { arguments, ..call });
    }
    Ok((text, checked))
}

/// What an answer used by its provider's word, and as counted here where that says nothing: a prompt that was answered is never
/// empty, and words are not written with no tokens. Without a counted input nothing of the call is counted here.
fn used(completion: &Completion, prepared: &Prepared, counted_input: Option<Tokens>) -> Usage {
    let Some(input_tokens) = counted_input else { return completion.usage.unwrap_or_default() };
    let said = completion.usage.filter(|said| said.input_tokens > Tokens::default());
    let mut usage = said.unwrap_or(Usage { input_tokens, ..Usage::default() });
    if usage.output_tokens == Tokens::default() {
        usage.output_tokens = written_tokens(completion, prepared);
    }
    usage
}

/// Tokens of an answer as counted here; no more than it was allowed, since it is the margin that may exceed that.
fn written_tokens(completion: &Completion, prepared: &Prepared) -> Tokens {
    let (known, most) = (&prepared.known, Tokens::new(prepared.request.max_output_tokens.into()));
    let calls = completion.calls.iter().map(|call| Text::from([&call.name, call.arguments.expose()].concat()));
    let count = |text: &Text| tokens::answer_tokens(text, &known.counting);
    calls.fold(count(&completion.text), |sum, call| sum.plus(count(&call))).min(most)
}

/// Milliseconds until the attempt that follows so many failed ones: what the provider asks for, within reason, or a pause of our
/// own.
pub(super) fn pause(asked: Option<Duration>, attempts: u32) -> u64 {
    let pause = asked.unwrap_or_else(|| provider::backoff(attempts, RETRY_PAUSE_MAX, rand::random()));
    millis(pause.min(RETRY_PAUSE_MAX))
}

/// A pause as records tell it.
pub(super) fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}
