//! Which sentences stand for the text, or answer what is asked.
//!
//! A sentence is central when its terms occur in many sentences (its closeness to the centroid); it gains by its place, and by
//! the rare terms that it shares with the question. The work grows with the number of words, not with its square.

use super::terms::TermId;

/// Two sentences that share this much of their terms say the same.
const SAME_SHARE: f64 = 0.7;
/// What a full match with the question weighs against full centrality.
const ASKED_WEIGHT: f64 = 2.5;
/// What being the first sentence weighs.
const FIRST_WEIGHT: f64 = 0.35;
/// What opening a paragraph weighs.
const OPENING_WEIGHT: f64 = 0.1;
/// Sentences with fewer words rarely stand alone.
const WORDS_MIN: usize = 4;
/// Sentences with more words are mostly lists or tables.
const WORDS_MANY: usize = 45;
/// How many candidates are looked at for each sentence that is wanted, before sameness is no longer minded.
const CANDIDATES_PER_CHOICE: usize = 16;

/// What is known of one sentence.
#[derive(Debug)]
pub(super) struct Profile {
    /// Its different terms, ascending.
    pub(super) terms: Vec<TermId>,
    pub(super) words: usize,
    pub(super) opens_paragraph: bool,
}

/// The best sentences in the order of the text. With a question only such as share a term with it.
pub(super) fn choose(profiles: &[Profile], asked: &[TermId], terms: usize, wanted: usize) -> Vec<usize> {
    let frequency = frequencies(profiles, terms);
    let relevance: Vec<f64> =
        profiles.iter().map(|profile| shared(profile, asked, &frequency, profiles.len())).collect();
    let centrality: Vec<f64> = profiles.iter().map(|profile| central(profile, &frequency)).collect();
    let top = centrality.iter().copied().fold(f64::EPSILON, f64::max);
    let mut scored: Vec<(f64, usize)> = Vec::with_capacity(profiles.len());
    for (at, ((profile, relevance), centrality)) in profiles.iter().zip(&relevance).zip(&centrality).enumerate() {
        if !asked.is_empty() && *relevance <= 0.0 {
            continue;
        }
        let place = FIRST_WEIGHT / (1.0 + at as f64) + if profile.opens_paragraph { OPENING_WEIGHT } else { 0.0 };
        scored.push(((centrality / top + place + ASKED_WEIGHT * relevance) * readable(profile.words), at));
    }
    scored.sort_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
    let mut chosen: Vec<usize> = Vec::with_capacity(wanted);
    for (_, at) in scored.into_iter().take(wanted.saturating_mul(CANDIDATES_PER_CHOICE)) {
        if chosen.len() >= wanted {
            break;
        }
        let Some(candidate) = profiles.get(at) else { continue };
        let said = chosen.iter().filter_map(|at| profiles.get(*at)).any(|earlier| same(candidate, earlier));
        if !said {
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// In how many sentences each term occurs.
fn frequencies(profiles: &[Profile], terms: usize) -> Vec<f64> {
    let mut frequency = vec![0.0; terms];
    for id in profiles.iter().flat_map(|profile| &profile.terms) {
        if let Some(count) = frequency.get_mut(*id) {
            *count += 1.0;
        }
    }
    frequency
}

/// Fragments and endless sentences make poor quotations.
fn readable(words: usize) -> f64 {
    if words < WORDS_MIN {
        0.3
    } else if words > WORDS_MANY {
        0.6
    } else {
        1.0
    }
}

fn central(profile: &Profile, frequency: &[f64]) -> f64 {
    let sum: f64 = profile.terms.iter().filter_map(|id| frequency.get(*id)).map(|count| count.max(1.0).ln()).sum();
    sum / (4.0 + profile.terms.len() as f64)
}

/// The share of the question's terms, rare ones counting more, that the sentence has.
fn shared(profile: &Profile, asked: &[TermId], frequency: &[f64], sentences: usize) -> f64 {
    let rarity = |id: &TermId| (1.0 + sentences as f64 / frequency.get(*id).copied().unwrap_or(0.0).max(1.0)).ln();
    let all: f64 = asked.iter().map(rarity).sum();
    let has: f64 = asked.iter().filter(|id| profile.terms.binary_search(id).is_ok()).map(rarity).sum();
    if all > 0.0 { has / all } else { 0.0 }
}

fn same(a: &Profile, b: &Profile) -> bool {
    let common = a.terms.iter().filter(|id| b.terms.binary_search(id).is_ok()).count();
    let union = a.terms.len().saturating_add(b.terms.len()).saturating_sub(common);
    union > 0 && common as f64 / union as f64 > SAME_SHARE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile(terms: &[TermId]) -> Profile {
        Profile { terms: terms.to_vec(), words: 8, opens_paragraph: false }
    }

    #[test]
    fn central_sentences_win_and_repetitions_are_passed_over() {
        let profiles =
            [profile(&[8, 9]), profile(&[0, 1, 2]), profile(&[0, 1, 2]), profile(&[0, 1, 3]), profile(&[5, 6])];
        assert_eq!(choose(&profiles, &[], 10, 2), [1, 3]);
    }

    #[test]
    fn a_question_is_answered_by_what_shares_its_terms() {
        let profiles = [profile(&[0, 1]), profile(&[0, 1, 2]), profile(&[3, 4])];
        assert_eq!(choose(&profiles, &[3], 5, 2), [2]);
        assert_eq!(choose(&profiles, &[9], 5, 2), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn choices_are_few_different_and_in_order(
            texts in proptest::collection::vec(proptest::collection::btree_set(0_usize..40, 0..8), 0..60),
            wanted in 0_usize..12,
        ) {
            let profiles: Vec<Profile> = texts.into_iter().map(|terms| profile(&terms.into_iter().collect::<Vec<_>>())).collect();
            let chosen = choose(&profiles, &[], 40, wanted);
            prop_assert!(chosen.len() <= wanted);
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(chosen.iter().all(|at| *at < profiles.len()));
        }
    }
}
