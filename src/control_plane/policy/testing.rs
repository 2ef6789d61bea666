//! The operators' tests of their own rules, as `opa test` runs them: rules whose names begin with `test_` in `*_test.rego`.

use regorus::Value as RegoValue;
use serde_json::json;

use super::engine::{Patience, Rules};
use super::grants::Data;
use super::inspect;
use super::source::Source;

/// The most tests that are run.
pub const TESTS_MAX: usize = 4_096;
const PREFIX: &str = "test_";

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is true.
    Passed,
    /// It is not true.
    Failed,
    /// It could not be evaluated.
    Error(String),
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Its package and name.
    pub name: String,
    /// `file:line:column`.
    pub place: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// Runs the tests of a policy, in the order of their names.
///
/// # Errors
/// The files cannot be used: all that is wrong, with file, line and column.
pub fn run(source: &Source) -> Result<Vec<Tested>, Vec<String>> {
    let data = source.data().map_or_else(|| Ok(Data::empty()), |file| Data::parse(&file.text))?;
    let mut rules = Rules::parse(source.modules().chain(source.tests()), &data.operators)?;
    rules.be_patient(Patience::TESTING);
    let found = inspect::inspect(rules.first())?;
    let in_tests = |place: &str| place.split_once(':').is_some_and(|(file, _)| file.ends_with("_test.rego"));
    let tests = found.rules.iter().filter(|((_, name), place)| name.starts_with(PREFIX) && in_tests(place));
    let tested = tests.take(TESTS_MAX).map(|((package, name), place)| {
        let name = format!("data.{package}.{name}");
        let verdict = match rules.ask(&name, &json!({})) {
            Ok(RegoValue::Bool(true)) => Verdict::Passed,
            Ok(_) => Verdict::Failed,
            Err(fault) => Verdict::Error(fault),
        };
        Tested { name, place: place.clone(), verdict }
    });
    Ok(tested.collect())
}
