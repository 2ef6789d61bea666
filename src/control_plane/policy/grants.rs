//! `data.json`: what the operators grant in spite of the shipped rules, and data for their own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::name::{NAME_BYTES_MAX, ToolName};

/// The most tools that are granted.
pub const GRANTS_MAX: usize = 1_024;
/// The most patterns of one grant.
pub const PATTERNS_MAX: usize = 256;
/// Names that `data.json` may not use, because the rules' own packages have them.
const RESERVED: [&str; 2] = ["factory", "operator"];

/// Tools that are granted by name: each with the patterns of the templates that may have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    tools: BTreeMap<ToolName, Vec<String>>,
}

impl Grants {
    /// The granted tools, each with the patterns of template names (`*` stands for any letters) that it is granted to.
    pub fn tools(&self) -> impl Iterator<Item = (&ToolName, &[String])> {
        self.tools.iter().map(|(tool, patterns)| (tool, patterns.as_slice()))
    }

    /// Whether a verdict can depend on a template's name.
    pub(super) fn tell_names_apart(&self) -> bool {
        self.tools.values().flatten().any(|pattern| pattern != "*")
    }

    fn to_json(&self) -> Value {
        let tools: Map<String, Value> =
            self.tools.iter().map(|(tool, patterns)| (tool.to_string(), json!(patterns))).collect();
        json!({ "tools": tools })
    }
}

/// What the rules find under `data`.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) grants: Grants,
    /// For the shipped rules: the grants alone.
    pub(super) shipped: Value,
    /// For the operators' rules: the grants as the shipped rules see them, and whatever else the file says.
    pub(super) operators: Value,
}

impl Data {
    pub(super) fn empty() -> Self {
        Self::of(Grants::default(), Map::new())
    }

    fn of(grants: Grants, mut others: Map<String, Value>) -> Self {
        let told = grants.to_json();
        let _replaced = others.insert("grants".to_owned(), told.clone());
        Self { grants, shipped: json!({ "grants": told }), operators: Value::Object(others) }
    }

    /// Reads `data.json`; all mistakes are told.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let told = |fault: serde_json::Error| {
            vec![format!("data.json:{}:{}: it is not JSON: {fault}", fault.line(), fault.column())]
        };
        let mut others: Map<String, Value> = serde_json::from_str(text).map_err(told)?;
        let mut mistakes = Vec::new();
        for name in RESERVED.into_iter().filter(|name| others.contains_key(*name)) {
            mistakes.push(format!("data.json: /{name} is the name of a package of rules; use another"));
        }
        let grants = match others.remove("grants") {
            None => Grants::default(),
            Some(written) => grants(&written, &mut mistakes),
        };
        if mistakes.is_empty() { Ok(Self::of(grants, others)) } else { Err(mistakes) }
    }
}

fn grants(written: &Value, mistakes: &mut Vec<String>) -> Grants {
    let mut grants = Grants::default();
    let Some(fields) = written.as_object() else {
        mistakes.push("data.json: /grants must be an object with \"tools\"".to_owned());
        return grants;
    };
    for name in fields.keys().filter(|name| *name != "tools") {
        mistakes.push(format!("data.json: /grants/{name} is not known; there is only \"tools\""));
    }
    let Some(tools) = fields.get("tools") else { return grants };
    let Some(tools) = tools.as_object() else {
        mistakes.push("data.json: /grants/tools must be an object of tool names".to_owned());
        return grants;
    };
    if tools.len() > GRANTS_MAX {
        mistakes.push(format!("data.json: /grants/tools has more than {GRANTS_MAX} tools"));
        return grants;
    }
    for (tool, to) in tools {
        match (tool.parse::<ToolName>(), patterns(to)) {
            (Ok(tool), Ok(patterns)) => {
                let _earlier = grants.tools.insert(tool, patterns);
            }
            (Err(fault), _) => mistakes.push(format!("data.json: /grants/tools: {tool:?} is {fault}")),
            (_, Err(reason)) => mistakes.push(format!("data.json: /grants/tools/{tool}: {reason}")),
        }
    }
    grants
}

/// `true` is every template; a list has patterns of names.
fn patterns(to: &Value) -> Result<Vec<String>, String> {
    let wrong = || "must be true, or a list of template names in which * stands for any letters".to_owned();
    if *to == Value::Bool(true) {
        return Ok(vec!["*".to_owned()]);
    }
    let list = to.as_array().ok_or_else(wrong)?;
    if list.len() > PATTERNS_MAX {
        return Err(format!("has more than {PATTERNS_MAX} patterns"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    let read = |pattern: &Value| {
        let pattern = pattern.as_str().ok_or_else(wrong)?;
        let good = !pattern.is_empty() && pattern.len() <= NAME_BYTES_MAX && pattern.chars().all(allowed);
        if good { Ok(pattern.to_owned()) } else { Err(format!("{pattern:?} is not a pattern of template names")) }
    };
    list.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_grants_to_every_template_and_a_list_to_those_named() {
        let data =
            Data::parse(r#"{"grants": {"tools": {"http_get": true, "run_shell": ["ops-*", "root"]}}, "teams": ["a"]}"#)
                .expect("good");
        let told = json!({"tools": {"http_get": ["*"], "run_shell": ["ops-*", "root"]}});
        assert_eq!(data.shipped, json!({"grants": told}));
        assert_eq!(data.operators, json!({"grants": told, "teams": ["a"]}));
        assert!(data.grants.tell_names_apart());
        assert!(!Data::empty().grants.tell_names_apart());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mistakes = Data::parse(
            r#"{"operator": {}, "grants": {"models": {}, "tools": {"a": false, "b": [1], "c": ["x y"], "": true}}}"#,
        )
        .expect_err("bad");
        for part in ["/operator", "/grants/models", "/tools/a", "/tools/b", "/tools/c", "\"\" is not"] {
            assert!(mistakes.iter().any(|mistake| mistake.contains(part)), "{part}: {mistakes:?}");
        }
        assert!(Data::parse("{\n  x").expect_err("bad")[0].starts_with("data.json:2:3: "));
    }
}
