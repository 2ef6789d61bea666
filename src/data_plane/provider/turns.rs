//! A conversation as formats want it whose turns must alternate.

use super::exchange::{Message, Part, Role};

/// One turn: all that one speaker says before the other speaks.
#[derive(Debug, PartialEq)]
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) parts: Vec<&'a Part>,
}

/// Joins what one speaker says in a row. The results of tools come first in their turn, as they must stand right after their calls.
/// Texts of nothing but white space are left out, since these formats refuse them, and turns without anything left.
pub(super) fn of(messages: &[Message]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for message in messages {
        let said = message.parts.iter().filter(|part| part.text().is_none_or(|text| !text.expose().trim().is_empty()));
        match turns.last_mut() {
            Some(turn) if turn.role == message.role => turn.parts.extend(said),
            Some(_) | None => {
                let parts: Vec<_> = said.collect();
                if !parts.is_empty() {
                    turns.push(Turn { role: message.role, parts });
                }
            }
        }
    }
    for turn in &mut turns {
        turn.parts.sort_by_key(|part| !matches!(part, Part::Result(_)));
    }
    turns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data_plane::provider::exchange::ToolCall;
    use crate::journal::dialogue::ToolResult;

    fn text(words: &str) -> Part {
        Part::Text(words.into())
    }

    fn result(call: &str) -> Part {
        Part::Result(ToolResult { call: call.to_owned(), content: "done".into(), is_error: false })
    }

    fn message(role: Role, parts: Vec<Part>) -> Message {
        Message { role, parts }
    }

    #[test]
    fn results_stand_first_and_one_speakers_messages_are_one_turn() {
        let call = Part::Call(ToolCall { id: "c".to_owned(), name: "look".to_owned(), arguments: "{}".into() });
        let said = [
            message(Role::User, vec![text("one"), text(" \n")]),
            message(Role::Assistant, vec![text("")]),
            message(Role::User, vec![text("two")]),
            message(Role::Assistant, vec![text("three"), call.clone()]),
            message(Role::User, vec![text("four")]),
            message(Role::User, vec![result("c"), result("d")]),
        ];
        let [one, two, three, four] = ["one", "two", "three", "four"].map(text);
        let [c, d] = ["c", "d"].map(result);
        let expected = [
            Turn { role: Role::User, parts: vec![&one, &two] },
            Turn { role: Role::Assistant, parts: vec![&three, &call] },
            Turn { role: Role::User, parts: vec![&c, &d, &four] },
        ];
        assert_eq!(of(&said), expected);
    }

    proptest! {
        #[test]
        fn turns_alternate_and_nothing_said_is_lost(
            said in proptest::collection::vec((any::<bool>(), proptest::collection::vec("[a ]{0,2}", 0..3)), 0..12)
        ) {
            let messages: Vec<_> = said
                .iter()
                .map(|(user, words)| {
                    let role = if *user { Role::User } else { Role::Assistant };
                    message(role, words.iter().map(|words| text(words)).collect())
                })
                .collect();
            let turns = of(&messages);
            prop_assert!(turns.windows(2).all(|pair| pair[0].role != pair[1].role));
            prop_assert!(turns.iter().all(|turn| !turn.parts.is_empty()));
            let words = |parts: Vec<&Part>| parts.into_iter().filter_map(|part| part.text().cloned()).collect::<Vec<_>>();
            let kept = words(turns.into_iter().flat_map(|turn| turn.parts).collect());
            let all = words(messages.iter().flat_map(|message| &message.parts).collect());
            prop_assert_eq!(kept, all.into_iter().filter(|text| !text.expose().trim().is_empty()).collect::<Vec<_>>());
        }
    }
}
