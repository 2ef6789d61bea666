//! The answers as a whole.

use proptest::prelude::*;

use super::*;
use crate::data_plane::provider::exchange::{Message, Role};

const ENGLISH: &str = "The council approved the budget of $1,200,000 on 12 March 2025. Roads receive 45% of the budget. \
    The mayor, reachable at <EMAIL_ADDRESS_3f9a2c71>, defended the budget before the council. Some residents were away. \
    The library keeps its opening hours. Parks receive 10% of the budget, less than the council had asked for. \
    A school fair takes place in June. The weather was fine.";
const FRENCH: &str = "Le conseil municipal a adopté le budget de 1 200 000 € le 12 mars 2025. Les routes reçoivent 45 % du \
    budget. Le maire a défendu le budget devant le conseil municipal. Quelques habitants étaient absents. La bibliothèque \
    conserve ses horaires. Les parcs reçoivent 10 % du budget, moins que ce que le conseil avait demandé. Il faisait beau.";

fn request(system: &str, input: &str, max_output_tokens: u32) -> Request {
    Request::new(system.into(), vec![Message::said(Role::User, input)], max_output_tokens, "k".to_owned())
}

fn said(system: &str, input: &str) -> String {
    answer(&request(system, input, 1024)).text.expose().to_owned()
}

#[test]
fn an_english_document_is_summarised_with_terms_and_figures() {
    let text = said("You summarise documents.", ENGLISH);
    assert!(text.starts_with("## Summary\n\n- The council approved the budget"), "{text}");
    assert!(text.contains("## Key terms\n\nbudget, council"), "{text}");
    assert!(text.contains("amounts: $1,200,000") && text.contains("percentages: 45% · 10%"), "{text}");
    assert!(text.contains("dates: 12 March 2025") && !text.contains("weather"), "{text}");
}

#[test]
fn a_french_document_is_answered_in_french() {
    let completion = answer(&request("", FRENCH, 1024));
    let text = completion.text.expose();
    assert!(text.starts_with("## Résumé\n\n- Le conseil municipal a adopté"), "{text}");
    assert!(text.contains("## Termes clés\n\nbudget") && text.contains("montants : 1 200 000 €"), "{text}");
    assert!(completion.notes.contains(&("language", "fr".to_owned())));
}

#[test]
fn a_question_is_answered_from_the_text_or_said_not_to_be() {
    let answered = said("", &format!("{ENGLISH}\n\nWhen does the school fair take place?"));
    assert!(answered.starts_with("## Answer\n\n- A school fair takes place in June."), "{answered}");
    let unknown = said("", &format!("{ENGLISH}\nWho invented penicillin?"));
    assert!(unknown.contains("No sentence of the text shares a term") && unknown.contains("## Summary"), "{unknown}");
    let bare = said("", "Who invented penicillin?");
    assert!(bare.starts_with("The question comes without a text"), "{bare}");
}

/// INVARIANT: a quoted pseudonym is whole, so that it can be restored.
#[test]
fn pseudonyms_are_quoted_whole_whatever_the_space() {
    for tokens in 0..120 {
        let text = answer(&request(
            "",
            "Please write to the mayor at <EMAIL_ADDRESS_3f9a2c71> or <IBAN_CODE_00ff00ff>.",
            tokens,
        ));
        let text = text.text.expose().replace("<EMAIL_ADDRESS_3f9a2c71>", "").replace("<IBAN_CODE_00ff00ff>", "");
        assert!(!text.contains(['<', '>']), "{tokens}: {text}");
    }
    assert!(said("", "Please write to <EMAIL_ADDRESS_3f9a2c71>.").contains("<EMAIL_ADDRESS_3f9a2c71>"));
}

#[test]
fn a_reviewer_gets_findings_with_lines() {
    let code = "fn main() {\n    // TODO: check the size\n    let a = unsafe { b() };\n    run(a);\n}\n";
    let text = said("You review code for defects and security.", code);
    assert!(
        text.starts_with("## Findings\n\n- line 2, left open: `// TODO: check the size`\n- line 3, check"),
        "{text}"
    );
}

#[test]
fn nothing_to_read_is_said() {
    for input in ["", "   \n\t", "... --- !!!", "```\n```"] {
        let completion = answer(&request("", input, 100));
        assert_eq!(completion.text.expose(), "There is no text to answer from.\n", "{input:?}");
        assert!(completion.notes.contains(&("method", "extractive".to_owned())));
    }
}

#[test]
fn a_line_of_a_megabyte_is_answered_within_the_space() {
    for piece in ["word ", "x", "a. ", ".,", "é", "<EMAIL_ADDRESS_3f9a2c71> ", "1.", "{}", "? "] {
        let input = piece.repeat(1_000_000_usize.div_euclid(piece.len()));
        let completion = answer(&request("", &input, 200));
        assert!(completion.text.len() <= 200 * BYTES_PER_TOKEN, "{piece:?}");
    }
}

proptest! {
    /// INVARIANT P5: any input has an answer, always the same, within its bytes.
    #[test]
    fn any_input_has_one_answer_within_its_space(
        system in ".{0,40}",
        input in r"(\PC|[\n<>#.?!:;{}`|0-9-]){0,400}",
        tokens in 0_u32..300,
    ) {
        let request = request(&system, &input, tokens);
        let first = answer(&request);
        prop_assert!(first.text.len() <= usize::try_from(tokens).expect("small") * BYTES_PER_TOKEN);
        prop_assert_eq!(&first, &answer(&request));
    }
}
