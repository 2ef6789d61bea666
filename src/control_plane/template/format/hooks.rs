//! `hooks`: which tool is told when a task of the template starts or ends.

use serde::Deserialize;

use super::mistake::Mistake;
use crate::domain::hook::{Hook, Hooks};

/// Hooks as written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    on_start: Option<Told>,
    on_success: Option<Told>,
    on_failure: Option<Told>,
    on_cancel: Option<Told>,
}

/// Whom one hook tells.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    tool: String,
}

/// Reads the hooks of a template that lists these tools; policy judges the list, so that no tool is told that it has not seen.
///
/// # Errors
/// All mistakes at once.
pub(super) fn read(written: &Wire, tools: &[String]) -> Result<Hooks, Vec<Mistake>> {
    let (mut hooks, mut mistakes) = (Vec::new(), Vec::new());
    for (hook, word) in Hook::ALL {
        let told = match hook {
            Hook::Start => &written.on_start,
            Hook::Success => &written.on_success,
            Hook::Failure => &written.on_failure,
            Hook::Cancel => &written.on_cancel,
        };
        let Some(Told { tool }) = told else { continue };
        let pointer = format!("/hooks/{word}/tool");
        if !tools.contains(tool) {
            mistakes.push(Mistake::at(pointer, unlisted(tool, tools)));
            continue;
        }
        match tool.parse() {
            Ok(tool) => hooks.push((hook, tool)),
            Err(fault) => mistakes.push(Mistake::at(pointer, format!("{fault}"))),
        }
    }
    if mistakes.is_empty() { Ok(hooks.into_iter().collect()) } else { Err(mistakes) }
}

fn unlisted(tool: &str, tools: &[String]) -> String {
    let listed = if tools.is_empty() { "none".to_owned() } else { tools.join(", ") };
    format!("the template's tools do not list {tool:?}; add it to /tools, which lists {listed}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(written: Value, tools: &[&str]) -> Result<Hooks, Vec<String>> {
        let wire = Wire::deserialize(written).map_err(|fault| vec![fault.to_string()])?;
        let tools: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
        read(&wire, &tools).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_hook_has_its_tool() {
        let hooks = read_json(
            json!({"on_start": {"tool": "pager"}, "on_success": {"tool": "crm"}, "on_cancel": {"tool": "pager"}}),
            &["pager", "crm"],
        );
        let hooks = hooks.expect("good");
        let told: Vec<(&str, &str)> = hooks.iter().map(|(hook, tool)| (hook.as_str(), tool.as_str())).collect();
        assert_eq!(told, [("on_start", "pager"), ("on_success", "crm"), ("on_cancel", "pager")]);
        assert!(read_json(json!({}), &[]).expect("good").is_empty());
    }

    #[test]
    fn a_tool_that_is_not_listed_is_a_mistake_where_it_is_written_and_all_are_told() {
        let mistakes = read_json(
            json!({"on_start": {"tool": "pagr"}, "on_failure": {"tool": "crm"}, "on_cancel": {"tool": "pager"}}),
            &["pager"],
        );
        assert_eq!(
            mistakes.expect_err("mistakes"),
            [
                "/hooks/on_start/tool: the template's tools do not list \"pagr\"; add it to /tools, which lists pager",
                "/hooks/on_failure/tool: the template's tools do not list \"crm\"; add it to /tools, which lists pager"
            ]
        );
    }

    #[test]
    fn what_is_no_hook_is_refused() {
        for wrong in [json!({"on_end": {"tool": "t"}}), json!({"on_start": {"tools": "t"}}), json!({"on_start": "t"})] {
            read_json(wrong.clone(), &["t"]).expect_err(&wrong.to_string());
        }
    }
}
