//! `[routes]`: a list of models, or a table that says more.

use std::collections::BTreeMap;

use crate::config::reader::{Located, Report, Section, TableOrValue};
use crate::config::settings::{Provider, Route};
use crate::config::value;
use crate::domain::name::{ModelRef, ProviderName, RouteName};

/// The model that answers when nothing else does.
const LAST_RESORT: &str = "builtin/extractive";

/// Routes that are there without being set; each leads to [`LAST_RESORT`].
const DEFAULT_ROUTES: [&str; 5] = ["default", "implementation", "review", "security_audit", FALLBACK];

/// The route whose end is always [`LAST_RESORT`].
const FALLBACK: &str = "fallback";

/// The most models on one route.
const ROUTE_LENGTH_MAX: usize = 16;

pub(super) fn read(
    section: Section,
    providers: &BTreeMap<ProviderName, Provider>,
    report: &mut Report,
) -> BTreeMap<RouteName, Route> {
    let mut routes = BTreeMap::new();
    for (name, found) in section.tables_or_values(report) {
        let (place, path, route) = match found {
            TableOrValue::Table(table) => {
                (table.place().clone(), table.path_of(""), table_form(table, providers, report))
            }
            TableOrValue::Value { path, node } => {
                let models = value::list::<ModelRef>(&node);
                let place = node.place;
                let route = match models {
                    Ok(models) => {
                        let models = Located { place: place.clone(), value: models };
                        checked(models, &path, providers, report).map(Route::of)
                    }
                    Err(text) => {
                        report.mistake(&place, &path, text);
                        None
                    }
                };
                (place, path, route)
            }
        };
        match name.parse::<RouteName>() {
            Ok(name) => routes.extend(route.map(|route| (name, route))),
            Err(error) => report.mistake(&place, &path, error.to_string()),
        }
    }
    with_defaults(routes)
}

fn table_form(mut table: Section, providers: &BTreeMap<ProviderName, Provider>, report: &mut Report) -> Option<Route> {
    let models = table.require(report, "models", value::list::<ModelRef>);
    let models = models.and_then(|models| checked(models, &table.path_of("models"), providers, report));
    let max_usd_per_call = table.read(report, "max_usd_per_call", value::usd).map(|located| located.value);
    let hedge_after = table.read(report, "hedge_after", value::positive_duration).map(|located| located.value);
    table.finish(report);
    Some(Route { models: models?, max_usd_per_call, hedge_after })
}

/// The models, if each is of a provider that exists; if not, the report says which is not.
fn checked(
    models: Located<Vec<ModelRef>>,
    path: &str,
    providers: &BTreeMap<ProviderName, Provider>,
    report: &mut Report,
) -> Option<Vec<ModelRef>> {
    let before = report.mistakes.len();
    if models.value.is_empty() || models.value.len() > ROUTE_LENGTH_MAX {
        report.mistake(&models.place, path, format!("expected 1 to {ROUTE_LENGTH_MAX} models"));
    }
    for model in models.value.iter().filter(|model| !providers.contains_key(model.provider())) {
        report.mistake(&models.place, path, format!("{model}: there is no [providers.{}]", model.provider()));
    }
    (report.mistakes.len() == before).then_some(models.value)
}

fn with_defaults(mut routes: BTreeMap<RouteName, Route>) -> BTreeMap<RouteName, Route> {
    let Ok(last_resort) = LAST_RESORT.parse::<ModelRef>() else { return routes };
    for name in DEFAULT_ROUTES.iter().filter_map(|name| name.parse::<RouteName>().ok()) {
        routes.entry(name).or_insert_with(|| Route::of(vec![last_resort.clone()]));
    }
    if let Some(fallback) = FALLBACK.parse::<RouteName>().ok().and_then(|name| routes.get_mut(&name))
        && fallback.models.last() != Some(&last_resort)
    {
        fallback.models.push(last_resort);
    }
    routes
}
