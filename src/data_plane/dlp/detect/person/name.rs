//! Names of people as they are written: given names, initials, particles, family names.

use super::super::reader::{Shape, Word, blanks, word};

/// The most words in a name.
const WORDS_MAX: usize = 6;

/// Small words inside names.
const PARTICLES: &str = " de du des d la le van von der den ter ten da dos das do di del della el al bin ben ibn abu zu zur af av y e ap st ";

/// Words in capitals that stand where names do and are none.
const OTHERS: &str = " the a an and or of for to in on at by with from this that these those our your their his her its my we you they it he she i \
    all everyone everybody team teams there folks guys friends friend colleague colleagues customer customers client clients member members support service services \
    sir madam madame monsieur mesdames messieurs mademoiselle hiring manager managers recruiter committee council board department staff user users admin \
    administrator world sirs ladies gentlemen valued sales marketing finance accounting accounts payroll billing legal security engineering product products project projects \
    inc ltd llc plc gmbh sa sas sarl eurl corp corporation company group groupe société bank banque university université college school école lycée hospital hôpital \
    clinic clinique street road avenue rue boulevard square park station airport aéroport city town county state states kingdom republic france england scotland wales \
    ireland europe america africa asia canada germany spain italy belgium switzerland london york angeles francisco lyon marseille toulouse bordeaux \
    january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday \
    sunday janvier février mars avril mai juin juillet août septembre octobre novembre décembre lundi mardi mercredi jeudi vendredi samedi dimanche \
    re fw fwd subject objet date note notes please thanks thank regards hello hi dear bonjour merci cordialement bien cher chère le la les un une des nous vous ils elles \
    votre notre mon ma mes ce cette ces je tu il elle on ne pas pour dans sur avec sans par et ou si oui non yes no not n/a na tbd unknown none null true false nil undefined \
    test tests testing build builds run install deploy deployment check create update delete get set add remove upload download start stop setup config configuration api sdk http https \
    json xml yaml csv sql html css url uri id ids pdf git github gitlab docker kubernetes linux windows python java rust node server client-side data database file files \
    table column row page section chapter figure version release order number name address phone email mail birth total amount price invoice payment account \
    contract policy report summary overview introduction conclusion request response error warning info debug status code codes type value key keys token opus sonnet haiku \
    new old first last next previous other open closed done todo in-progress high low medium critical urgent important tax vat tva siret siren iban bic nir ssn passport \
    directeur directrice responsable président présidente maître docteur service équipe comité conseil ministère mairie préfecture tribunal assurance assurances \
    commande facture contrat dossier adresse téléphone tél tel courriel prénom nom naissance patient patiente nationalité sexe âge profession dr mr mrs ms mme mlle prof \
    general motors electric cloud systems solutions technologies software foundation institute center centre association agency agence office bureau \
    here what when where why how who which can could would should will is are was were be been has have had do does did just also so but as if then than now \
    today tomorrow yesterday aujourd'hui demain hier again soon morning afternoon evening weekend year week day days month \
    male female homme femme single married célibataire marié mariée divorcé divorcée french english british american français française anglais anglaise \
    head chief officer engineer developer designer analyst consultant director assistant coordinator specialist developper nurse doctor professor lead senior junior intern \
    ceo cto cfo coo hr rh it uk us usa eu gb fr best kind warm sincerely cheers sent via envoyé attached attachment call meeting agenda minutes action actions attendees \
    street. street, avenue. quarter quarterly review plan planning budget demo onboarding training ";

/// A name: bytes up to `end`, and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) end: usize,
    /// How many words with a capital, without initials.
    pub(super) words: usize,
}

/// The name that begins at `at`: words with capitals, and what joins them.
pub(super) fn read(text: &str, at: usize) -> Option<Name> {
    let bytes = text.as_bytes();
    let mut name: Option<Name> = None;
    let (mut next, mut words, mut initials) = (at, 0_usize, 0_usize);
    for _ in 0..WORDS_MAX {
        let Some(read) = word(text, next) else { break };
        match read.shape {
            Shape::Small if is_particle(&read) => {}
            Shape::Small => break,
            Shape::Initial if read.text.ends_with('.') || words > 0 => {
                initials = initials.saturating_add(1);
                // Of "Jane D." the initial is a part, of "Plan A" it is not.
                if read.text.ends_with('.') && words > 0 {
                    name = Some(Name { end: read.end, words });
                }
            }
            Shape::Initial => break,
            Shape::Capital | Shape::Capitals if read.is_in(OTHERS) => break,
            Shape::Capital | Shape::Capitals => {
                words = words.saturating_add(1);
                name = Some(Name { end: read.end, words });
            }
        }
        let joint = read.text.ends_with(['\'', '’']).then_some(read.end);
        match joint.or_else(|| blanks(bytes, read.end, 1)) {
            Some(after) => next = after,
            None => break,
        }
    }
    name.filter(|name| name.words > 0 && initials <= 3).map(|name| without_stop(bytes, name))
}

/// The stop after a last initial that ends the sentence stays outside when nothing follows.
fn without_stop(bytes: &[u8], name: Name) -> Name {
    let stop = name.end.checked_sub(1).filter(|at| bytes.get(*at) == Some(&b'.'));
    let ends = matches!(bytes.get(name.end), None | Some(b'\n'));
    Name { end: stop.filter(|_| ends).unwrap_or(name.end), ..name }
}

fn is_particle(word: &Word<'_>) -> bool {
    word.is_in(PARTICLES)
}

/// Whether a word with a capital cannot be a name.
pub(super) fn is_other(word: &Word<'_>) -> bool {
    word.is_in(OTHERS)
}
