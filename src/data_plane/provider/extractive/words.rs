//! The answer's own words, in French for French texts and in English for all others.

use super::language::Language;

/// What the answer says beside what it quotes.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) summary: &'static str,
    pub(super) answer: &'static str,
    pub(super) sections: &'static str,
    pub(super) definitions: &'static str,
    pub(super) key_terms: &'static str,
    pub(super) figures: &'static str,
    pub(super) findings: &'static str,
    pub(super) words: &'static str,
    pub(super) sentences: &'static str,
    pub(super) lines: &'static str,
    pub(super) line: &'static str,
    pub(super) amounts: &'static str,
    pub(super) percentages: &'static str,
    pub(super) dates: &'static str,
    pub(super) colon: &'static str,
    pub(super) unfinished: &'static str,
    pub(super) credential: &'static str,
    pub(super) injection: &'static str,
    pub(super) weak_protection: &'static str,
    pub(super) unchecked: &'static str,
    pub(super) more: &'static str,
    pub(super) nothing_to_read: &'static str,
    pub(super) no_text: &'static str,
    pub(super) no_prose: &'static str,
    pub(super) not_in_text: &'static str,
    pub(super) no_findings: &'static str,
}

static ENGLISH: Words = Words {
    summary: "Summary",
    answer: "Answer",
    sections: "Sections",
    definitions: "Definitions",
    key_terms: "Key terms",
    figures: "Figures",
    findings: "Findings",
    words: "words",
    sentences: "sentences",
    lines: "lines",
    line: "line",
    amounts: "amounts",
    percentages: "percentages",
    dates: "dates",
    colon: ": ",
    unfinished: "left open",
    credential: "credential in the text",
    injection: "runs what it is given",
    weak_protection: "weak protection",
    unchecked: "check switched off",
    more: "more lines like these",
    nothing_to_read: "There is no text to answer from.",
    no_text: "The question comes without a text to answer it from.",
    no_prose: "The text has no sentences to quote.",
    not_in_text: "No sentence of the text shares a term with the question.",
    no_findings: "No line bears one of the marks that are searched for; this is not a proof that nothing is wrong.",
};

static FRENCH: Words = Words {
    summary: "Résumé",
    answer: "Réponse",
    sections: "Sections",
    definitions: "Définitions",
    key_terms: "Termes clés",
    figures: "Chiffres",
    findings: "Constats",
    words: "mots",
    sentences: "phrases",
    lines: "lignes",
    line: "ligne",
    amounts: "montants",
    percentages: "pourcentages",
    dates: "dates",
    colon: " : ",
    unfinished: "laissé ouvert",
    credential: "secret dans le texte",
    injection: "exécute ce qu'on lui donne",
    weak_protection: "protection faible",
    unchecked: "contrôle désactivé",
    more: "autres lignes semblables",
    nothing_to_read: "Il n'y a aucun texte sur lequel s'appuyer pour répondre.",
    no_text: "La question est posée sans texte sur lequel s'appuyer pour y répondre.",
    no_prose: "Le texte n'a pas de phrases à citer.",
    not_in_text: "Aucune phrase du texte ne partage un terme avec la question.",
    no_findings: "Aucune ligne ne porte l'une des marques recherchées ; ce n'est pas la preuve que tout va bien.",
};

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::French => &FRENCH,
            Language::English
            | Language::German
            | Language::Spanish
            | Language::Italian
            | Language::Portuguese
            | Language::Dutch => &ENGLISH,
        }
    }
}
