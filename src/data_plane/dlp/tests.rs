//! The room as a whole: redaction's properties, and the pool under failing workers.

use futures::FutureExt;
use proptest::prelude::*;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::actor::{INLINE_BYTES_MAX, Means, Worker};
use super::message::Message;
use super::*;
use crate::domain::failure::{Class, Failure};
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::Action;
use crate::supervision::Address;

const MAIL: &str = "jean.dupont@example.fr";

fn tenant() -> Tenant {
    "acme".parse().expect("a tenant")
}

fn key() -> PseudonymKey {
    PseudonymKey::from_bytes([7; PseudonymKey::BYTES])
}

fn means() -> Means {
    Means { key: key(), detectors: detectors::InForce::default() }
}

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(key(), tenant())
}

fn examined(text: &str) -> Examined {
    Examined { text: text.into(), findings: detect(text) }
}

fn redacted(text: &str, action: Action) -> Redaction {
    redact(&[examined(text)], &action.into(), &[], &pseudonyms()).expect("not blocked")
}

#[test]
fn each_action_does_what_it_says() {
    let text = format!("é <{MAIL}>, {MAIL} et 4111 1111 1111 1111");
    let allowed = redacted(&text, Action::Allow);
    assert_eq!((allowed.texts[0].expose(), allowed.counts.total(), allowed.vault.len()), (text.as_str(), 3, 0));

    let masked = redacted(&text, Action::Mask);
    assert_eq!(masked.texts[0].expose(), "é <<EMAIL_ADDRESS>>, <EMAIL_ADDRESS> et <CREDIT_CARD>");
    assert!(masked.vault.is_empty());

    let hashed = redacted(&text, Action::Hash).texts[0].clone();
    assert!(hashed.expose().contains("<EMAIL_ADDRESS_HASH_") && !hashed.expose().contains(MAIL));

    let hidden = redacted(&text, Action::Pseudonymise);
    assert!(!hidden.texts[0].expose().contains(MAIL) && !hidden.texts[0].expose().contains("4111"));
    assert_eq!(hidden.vault.len(), 2, "one pseudonym for each value");
    assert_eq!(hidden.vault.restore(&hidden.texts[0]).expose(), text);

    let blocked = redact(&[examined(&text)], &Action::Block.into(), &[], &pseudonyms()).expect_err("blocked");
    assert_eq!(blocked, Withheld::Blocked(vec![Kind::CREDIT_CARD, Kind::EMAIL_ADDRESS]));
    assert!(redact(&[examined("nothing")], &Action::Block.into(), &[], &pseudonyms()).is_ok());
}

#[test]
fn pseudonyms_are_the_same_after_a_restart_and_survive_json() {
    let one = redacted(MAIL, Action::Pseudonymise).texts[0].clone();
    assert_eq!(one, redacted(MAIL, Action::Pseudonymise).texts[0]);
    let json = serde_json::to_string(one.expose()).expect("json");
    assert_eq!(json, format!("\"{}\"", one.expose()));
    assert_eq!(detect(one.expose()), []);
}

#[test]
fn a_pseudonym_that_the_text_already_holds_is_not_used() {
    let taken = redacted(MAIL, Action::Pseudonymise).texts[0].expose().to_owned();
    for text in [
        format!("{taken} {MAIL}"),
        format!("{} {MAIL}", taken.to_lowercase()),
        format!("{} {MAIL}", taken.trim_matches(['<', '>'])),
    ] {
        let hidden = redacted(&text, Action::Pseudonymise);
        assert_ne!(hidden.texts[0].expose(), format!("{taken} {taken}"));
        assert_eq!(hidden.vault.restore(&hidden.texts[0]).expose(), text);
    }
}

#[test]
fn spellings_of_one_value_are_each_restored_as_written() {
    let text = "4111 1111 1111 1111, 4111111111111111, 4111-1111-1111-1111";
    let hidden = redacted(text, Action::Pseudonymise);
    assert_eq!(hidden.vault.len(), 3);
    assert_eq!(hidden.vault.restore(&hidden.texts[0]).expose(), text);
}

/// Plants that are surely found, each between separators.
fn plant() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,8})?@[a-z]{2,8}\\.(fr|com|org)",
        Just("4111 1111 1111 1111".to_owned()),
        Just("378282246310005".to_owned()),
        Just("FR76 3000 6000 0112 3456 7890 189".to_owned()),
        Just("+33 6 12 34 56 78".to_owned()),
        Just("+1-212-555-0123".to_owned()),
        "ghp_[A-Za-z]{12}[0-9]{12}[A-Z]{12}".prop_map(String::from),
    ]
}

proptest! {
    /// INVARIANT 4 for any text at all.
    #[test]
    fn what_is_restored_is_what_was_written(text in any::<String>()) {
        let hidden = redacted(&text, Action::Pseudonymise);
        let restored = hidden.vault.restore(&hidden.texts[0]);
        prop_assert_eq!(restored.expose(), text);
    }

    /// INVARIANT 4 for texts full of findings, pseudonyms and their pieces; and nothing that was found is left.
    #[test]
    fn nothing_that_was_found_is_left(plants in prop::collection::vec((plant(), "[ \n]|, |é |: <|\\) | EMAIL_ADDRESS_3f"), 0..12)) {
        let text: String = plants.iter().flat_map(|(plant, separator)| [separator.as_str(), " ", plant]).collect();
        let hidden = redacted(&text, Action::Pseudonymise);
        for finding in detect(&text) {
            prop_assert!(!hidden.texts[0].expose().contains(&text[finding.range()]));
        }
        for (plant, _) in &plants {
            prop_assert!(!hidden.texts[0].expose().contains(plant.as_str()), "{plant} in {:?}", hidden.texts[0].expose());
        }
        let restored = hidden.vault.restore(&hidden.texts[0]);
        prop_assert_eq!(restored.expose(), text);
    }
}

/// A worker that breaks on every text.
struct Fragile;

impl Actor for Fragile {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        _message: Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Err("broken by this text".into())
    }
}

/// A worker that keeps what it is given and never answers.
struct Mute;

impl Actor for Mute {
    type Msg = Message;
    type State = Vec<Message>;
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Message>, (): ()) -> Result<Vec<Message>, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        kept: &mut Vec<Message>,
    ) -> Result<(), ActorProcessingErr> {
        kept.push(message);
        Ok(())
    }
}

async fn pool(sound: usize, fragile: usize) -> Dlp {
    let mut addresses = Vec::new();
    for index in 0..fragile {
        let address = Address::new(format!("dlp/fragile/{index}"));
        let (actor, _ended) = Actor::spawn(None, Fragile, ()).await.expect("an actor");
        address.publish(actor);
        addresses.push(address);
    }
    for index in 0..sound {
        let address = Address::new(format!("dlp/{index}"));
        let (actor, _ended) = Actor::spawn(None, Worker, means()).await.expect("an actor");
        address.publish(actor);
        addresses.push(address);
    }
    Dlp::over_addresses(addresses)
}

#[tokio::test]
async fn texts_of_one_request_share_a_vault() {
    let pool = pool(2, 0).await;
    let texts =
        vec![Text::from(format!("a {MAIL}")), Text::from(format!("b {MAIL}, 4111111111111111")), Text::from("c")];
    let protected = pool.protect(texts.clone(), Action::Pseudonymise, &tenant()).await.expect("protected");
    assert_eq!((protected.vault.len(), protected.counts.total()), (2, 3));
    let restored: Vec<Text> = protected.texts.iter().map(|text| protected.vault.restore(text)).collect();
    assert_eq!(restored, texts);
}

#[tokio::test]
async fn large_texts_are_examined_as_small_ones_are() {
    let pool = pool(1, 0).await;
    let filler = "lorem ipsum ".repeat(INLINE_BYTES_MAX / 6);
    let text = Text::from(format!("{filler}{MAIL}"));
    let protected = pool.protect(vec![text.clone()], Action::Pseudonymise, &tenant()).await.expect("protected");
    assert!(protected.texts[0].expose().ends_with('>'));
    assert_eq!(protected.vault.restore(&protected.texts[0]), text);
}

#[tokio::test]
async fn scanning_tells_places_in_code_points() {
    let pool = pool(1, 0).await;
    let text = "é: jean.dupont@example.fr, IBAN FR7630006000011234567890189";
    let scan = pool.scan(text.into(), &tenant()).await.expect("scanned");
    let places: Vec<_> = scan.findings.iter().map(|found| (found.kind.as_str(), found.start, found.end)).collect();
    assert_eq!(places, [("EMAIL_ADDRESS", 3, 25), ("IBAN_CODE", 32, 59)]);
    assert!(scan.redacted.expose().starts_with("é: <EMAIL_ADDRESS_") && scan.redacted.expose().ends_with('>'));
}

#[tokio::test]
async fn blocked_texts_are_refused_by_type_without_their_values() {
    let pool = pool(1, 0).await;
    let error = pool.protect(vec![MAIL.into()], Action::Block, &tenant()).await.expect_err("blocked");
    assert_eq!((error.code(), error.class()), ("dlp_blocked", Class::Refused));
    assert!(error.detail().contains("EMAIL_ADDRESS") && !error.detail().contains("jean"));
    assert!(!error.to_string().contains("jean"));
}

#[tokio::test]
async fn a_text_whose_worker_died_is_examined_by_another() {
    let pool = pool(1, 1).await;
    for _ in 0..2 {
        assert!(pool.protect(vec![MAIL.into()], Action::Pseudonymise, &tenant()).await.is_ok());
    }
}

/// INVARIANT 1.
#[tokio::test]
async fn a_text_that_breaks_every_worker_fails_closed() {
    let pool = pool(0, 3).await;
    let error = pool.protect(vec![MAIL.into()], Action::Allow, &tenant()).await.expect_err("broken");
    assert_eq!(error.code(), "dlp_failed");
}

/// Detectors of which one breaks on a text that names it.
fn brittle() -> detectors::InForce {
    fn breaks(_value: &str) -> bool {
        panic!("a detector of the tests breaks")
    }
    let rule = Rule {
        id: "brittle".to_owned(),
        kind: Kind::GENERIC_SECRET,
        origin: RuleOrigin::Own,
        source: String::new(),
        keywords: vec!["break me".to_owned()],
        case_sensitive: true,
        pattern: Pattern::new("break me".to_owned()),
        reach: Reach::FromKeyword { after: 8 },
        whole: false,
        score: Score::LIKELY,
        context: None,
        checks: Checks { validator: Some(breaks), ..Checks::default() },
    };
    let engine = detect::pattern::Engine::new(vec![std::sync::Arc::new(rule)]).expect("an engine");
    let detectors = Detectors::with(engine, rules::RuleFile::default());
    let in_force = detectors::InForce::default();
    in_force.publish(Published { detectors, file: None, refused: Vec::new() });
    in_force
}

/// INVARIANT: a text that breaks one worker is refused from then on, and other texts go on.
#[tokio::test]
async fn a_text_that_breaks_a_detector_is_quarantined_and_others_go_on() {
    let address = Address::new("dlp/0");
    let (actor, _ended) =
        Actor::spawn(None, Worker, Means { key: key(), detectors: brittle() }).await.expect("an actor");
    address.publish(actor);
    let pool = Dlp::over_addresses(vec![address.clone()]);
    let small = Text::from("please break me");
    let large = Text::from(format!("{} break me", "x ".repeat(INLINE_BYTES_MAX)));
    for text in [&small, &large] {
        for texts in [vec![text.clone()], vec![Text::from("good"), text.clone()]] {
            let error = pool.protect(texts, Action::Allow, &tenant()).await.expect_err("broken");
            assert_eq!((error.code(), error.class()), ("dlp_quarantined", Class::Refused));
            assert!(!error.to_string().contains("break me"));
        }
        assert!(pool.protect(vec![Text::from("good")], Action::Allow, &tenant()).await.is_ok());
    }
    // Nobody is asked any more: without workers the answer is the same.
    drop(address);
    let error = pool.scan(small, &tenant()).await.expect_err("kept");
    assert_eq!(error.code(), "dlp_quarantined");
}

#[tokio::test]
async fn texts_that_end_every_worker_are_given_to_none_again() {
    let (pool, text) = (pool(0, 4).await, Text::from("ends workers"));
    for _ in 0..2 {
        let error = pool.scan(text.clone(), &tenant()).await.expect_err("broken");
        assert_eq!(error.code(), "dlp_failed");
    }
    let error = pool.scan(text, &tenant()).await.expect_err("kept");
    assert_eq!(error.code(), "dlp_quarantined");
}

/// INVARIANT 1 for texts that are examined on a thread.
#[tokio::test]
async fn a_text_that_breaks_its_thread_ends_the_worker_unanswered() {
    let (worker, ended) = Actor::spawn(None, Worker, means()).await.expect("an actor");
    let answer = worker.call(|reply| Message::Examined(None, reply), None).await.expect("delivered");
    assert!(matches!(answer, ractor::rpc::CallResult::SenderError));
    ended.await.expect("the worker has ended");
}

#[tokio::test(start_paused = true)]
async fn without_workers_nothing_passes() {
    let pool = Dlp::over_addresses(vec![Address::new("dlp/0")]);
    let error = pool.protect(vec![MAIL.into()], Action::Allow, &tenant()).await.expect_err("nobody there");
    assert_eq!((error.code(), error.class()), ("dlp_unavailable", Class::Unavailable));
}

#[tokio::test]
async fn sizes_and_numbers_of_texts_are_bounded() {
    let pool = pool(1, 0).await;
    let text = Text::from("x".repeat(REQUEST_BYTES_MAX / 4));
    let error = pool.protect(vec![text.clone(); 5], Action::Allow, &tenant()).await.expect_err("too large");
    assert_eq!(error.code(), "dlp_text_too_large");

    let empty = Dlp::over_addresses(vec![Address::new("dlp/0")]);
    let waiting: Vec<_> = (0..2).map(|_| empty.protect(vec![text.clone(); 4], Action::Allow, &ACME)).collect();
    let mut waiting: Vec<_> = waiting.into_iter().map(Box::pin).collect();
    for one in &mut waiting {
        assert!(one.now_or_never().is_none(), "nobody answers");
    }
    let error = empty.scan("x".into(), &tenant()).await.expect_err("full");
    assert_eq!((error.code(), error.class()), ("dlp_overloaded", Class::Overload));
}

/// INVARIANT: a text takes room for as long as anybody is at it, also where nobody waits for it any more.
#[tokio::test(start_paused = true)]
async fn what_is_not_examined_in_time_keeps_its_room_until_it_is_put_down() {
    let address = Address::new("dlp/0");
    let (actor, ended) = Actor::spawn(None, Mute, ()).await.expect("an actor");
    address.publish(actor.clone());
    let pool = Dlp::over_addresses(vec![address]);
    let text = Text::from("x".repeat(REQUEST_BYTES_MAX / 4));
    for _ in 0..2 {
        let error = pool.protect(vec![text.clone(); 4], Action::Allow, &ACME).await.expect_err("no answer");
        assert_eq!((error.code(), error.class()), ("dlp_timed_out", Class::Internal));
    }
    assert_eq!(pool.scan("x".into(), &ACME).await.expect_err("full").code(), "dlp_overloaded");
    actor.stop(None);
    ended.await.expect("the worker has ended");
    assert_ne!(pool.scan("x".into(), &ACME).await.expect_err("nobody there").code(), "dlp_overloaded");
}

static ACME: std::sync::LazyLock<Tenant> = std::sync::LazyLock::new(tenant);

#[test]
fn a_pool_has_a_spec_for_each_worker() {
    let workers = std::num::NonZeroUsize::new(3).expect("not zero");
    let (_pool, specs) = Dlp::start(workers, key(), crate::journal::events::Events::new());
    assert_eq!(specs.len(), 3);
}
