//! A provider's bill, as a file: CSV with a header, or JSON.
//!
//! Columns, in any order: `task` and `step`, or `idempotency_key`; and `cost`. JSON is an array of such objects. A field that
//! would need quotes is none of these: CSV is read without them.

use serde::Deserialize;

use super::exit::Error;
use crate::domain::money::Usd;
use crate::protocol::budget::Reconcile;

/// The most rows of one file.
const ROWS_MAX: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    task: Option<String>,
    step: Option<u32>,
    idempotency_key: Option<String>,
    cost: String,
}

/// Reads a bill; every mistake is told with its row, and nothing is sent where there is one.
pub(super) fn read(text: &str) -> Result<Vec<Reconcile>, Error> {
    let rows = if text.trim_start().starts_with('[') { of_json(text)? } else { of_csv(text)? };
    if rows.is_empty() || rows.len() > ROWS_MAX {
        return Err(Error::Usage(format!("the bill has {} rows; 1 to {ROWS_MAX} are read at once", rows.len())));
    }
    (1_usize..).zip(rows).map(|(number, row)| bill(number, row)).collect()
}

fn of_json(text: &str) -> Result<Vec<Row>, Error> {
    serde_json::from_str(text).map_err(|fault| Error::Usage(format!("the bill is not what is expected: {fault}")))
}

fn of_csv(text: &str) -> Result<Vec<Row>, Error> {
    let fault = |number: usize, what: &str| Error::Usage(format!("row {number} of the bill: {what}"));
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let Some(header) = lines.next() else { return Ok(Vec::new()) };
    let header: Vec<&str> = header.split(',').map(str::trim).collect();
    let known = ["task", "step", "idempotency_key", "cost"];
    if let Some(strange) = header.iter().find(|name| !known.contains(name)) {
        return Err(Error::Usage(format!("the bill has a column {strange:?}; known are {}", known.join(", "))));
    }
    let mut rows = Vec::new();
    for (number, line) in (1_usize..).zip(lines) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if fields.len() != header.len() {
            return Err(fault(number, "it has not as many fields as the header"));
        }
        let field = |name: &str| {
            let found = header.iter().zip(&fields).find(|(column, _)| **column == name).map(|(_, field)| *field);
            found.filter(|field| !field.is_empty()).map(str::to_owned)
        };
        let step = field("step").map(|step| step.parse()).transpose();
        rows.push(Row {
            task: field("task"),
            step: step.map_err(|_| fault(number, "step is not a whole number"))?,
            idempotency_key: field("idempotency_key"),
            cost: field("cost").ok_or_else(|| fault(number, "cost is missing"))?,
        });
    }
    Ok(rows)
}

fn bill(number: usize, row: Row) -> Result<Reconcile, Error> {
    let fault = |what: String| Error::Usage(format!("row {number} of the bill: {what}"));
    let Row { task: task_id, step, idempotency_key, cost } = row;
    let cost: Usd = cost.parse().map_err(|reason| fault(format!("cost: {reason}")))?;
    match (&task_id, step, &idempotency_key) {
        (Some(_), Some(_), None) | (None, None, Some(_)) => {}
        (_, _, _) => return Err(fault("it names neither task and step nor idempotency_key alone".into())),
    }
    Ok(Reconcile { task_id, step, idempotency_key, cost_usd: cost.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bill_is_read_from_csv_and_json() {
        let csv = "cost, task,step,idempotency_key\n0.10,task-a,3,\n\n0.2,,,task-b-0\n";
        let json = r#"[{"task": "task-a", "step": 3, "cost": "0.10"}, {"idempotency_key": "task-b-0", "cost": "0.2"}]"#;
        let expected = [
            Reconcile { task_id: Some("task-a".into()), step: Some(3), idempotency_key: None, cost_usd: "0.10".into() },
            Reconcile { task_id: None, step: None, idempotency_key: Some("task-b-0".into()), cost_usd: "0.20".into() },
        ];
        assert_eq!(read(csv).expect("a bill"), expected);
        assert_eq!(read(json).expect("a bill"), expected);
    }

    #[test]
    fn what_is_no_bill_is_refused_with_its_row() {
        for (text, told) in [
            ("", "0 rows"),
            ("task,step,cost\n", "0 rows"),
            ("task,price\nx,1\n", "\"price\""),
            ("task,step,cost\na,0,1\nb,1\n", "row 2"),
            ("task,step,cost\na,x,1\n", "row 1"),
            ("task,step,cost\na,0,-1\n", "row 1"),
            ("task,step,cost\na,0,\n", "row 1"),
            ("task,cost\na,1\n", "row 1"),
            ("task,step,idempotency_key,cost\na,0,k,1\n", "row 1"),
            (r#"[{"task": "a", "step": 0, "cost": 1}]"#, "bill"),
        ] {
            let refused = read(text).expect_err(text);
            assert!(matches!(&refused, Error::Usage(words) if words.contains(told)), "{text:?}: {refused}");
        }
    }
}
