//! `[budgets.SCOPE]`.

use std::collections::BTreeMap;

use crate::config::reader::{Report, Section};
use crate::config::value;
use crate::domain::budget::{Limit, Scope, Threshold, Window};

const WINDOWS: &[(&str, Window)] = &[("day", Window::Day), ("month", Window::Month), ("total", Window::Total)];

pub(super) fn read(section: Section, report: &mut Report) -> BTreeMap<Scope, Limit> {
    let mut budgets = BTreeMap::new();
    for (name, mut budget) in section.named(report) {
        let amount = budget.require(report, "limit_usd", value::usd);
        let window = budget.require(report, "window", value::one_of(WINDOWS));
        let alert_at: Vec<Threshold> = budget.read_or(report, "alert_at", Vec::new(), value::list);
        let scope = name.parse::<Scope>();
        if let Err(error) = &scope {
            report.mistake(&budget.place().clone(), &budget.path_of(""), error.to_string());
        }
        budget.finish(report);
        if let (Ok(scope), Some(amount), Some(window)) = (scope, amount, window) {
            let alert_at = alert_at.into_iter().collect();
            budgets.insert(scope, Limit { alert_at, ..Limit::new(amount.value, window.value) });
        }
    }
    budgets
}
