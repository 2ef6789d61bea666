//! `[dlp]`.

use crate::config::reader::{Report, Section, TableOrValue, path_from};
use crate::config::settings::Dlp;
use crate::config::value;
use crate::domain::protection::{Action, Floor, Rules, Subject};

pub(super) fn read(mut section: Section, report: &mut Report) -> Dlp {
    let mut floor = section.section(report, "floor");
    let outbound = rules(floor.section(report, "outbound"), &Action::ALL, report);
    // Nobody can be asked about an answer that is there already.
    let inbound = rules(floor.section(report, "inbound"), &WITHOUT_ASK, report);
    floor.finish(report);
    let rules_file = section.read(report, "rules_file", path_from).map(|located| located.value);
    section.finish(report);
    Dlp { floor: Floor { outbound, inbound }, rules_file }
}

const WITHOUT_ASK: [(Action, &str); 5] = [
    (Action::Allow, "allow"),
    (Action::Pseudonymise, "pseudonymise"),
    (Action::Mask, "mask"),
    (Action::Hash, "hash"),
    (Action::Block, "block"),
];

/// Rules under the names of what they are about.
fn rules(section: Section, actions: &[(Action, &str)], report: &mut Report) -> Rules {
    let mut rules = Vec::new();
    for (name, found) in section.tables_or_values(report) {
        let (path, node) = match found {
            TableOrValue::Value { path, node } => (path, node),
            TableOrValue::Table(table) => {
                report.mistake(&table.place().clone(), &table.path_of(""), "expected an action, found a table");
                continue;
            }
        };
        let action = value::text(&node).and_then(|word| action(&word, actions));
        match (Subject::named(&name), action) {
            (Ok(subject), Ok(action)) => rules.push((subject, action)),
            (Err(fault), _) => report.mistake(&node.place, &path, fault.to_string()),
            (_, Err(text)) => report.mistake(&node.place, &path, text),
        }
    }
    Rules::new(Action::Allow, rules)
}

fn action(word: &str, actions: &[(Action, &str)]) -> Result<Action, String> {
    actions.iter().find(|(_, known)| *known == word).map(|(action, _)| *action).ok_or_else(|| {
        let known: Vec<&str> = actions.iter().map(|(_, known)| *known).collect();
        format!("expected one of {}", known.join(", "))
    })
}
