//! The stored form.

use super::experiment;
use crate::control_plane::template::experiment::record;
use crate::control_plane::template::experiment::state::{End, EndReason, Halt, Halting, Metric, Worse};
use crate::domain::clock::Timestamp;
use crate::store::Record;

#[test]
fn an_experiment_reads_back() {
    let plain = experiment(3, &[0.9, 0.1]);
    let mut full = experiment(4, &[0.5, 0.25, 0.25]);
    let verdict = Worse { metric: Metric::Feedback, at_most: 0.25, than: 0, at_least: 0.5 };
    full.variants[2].halted = Some(Halt { at: Timestamp::from_micros(5), verdict });
    full.halting = Halting::Off;
    full.ended = Some(End { at: Timestamp::from_micros(9), by: "ann".to_owned(), why: EndReason::RolledBack });
    for experiment in [plain, full] {
        let stored = record::write(&experiment).expect("writes");
        assert_eq!(record::read(experiment.template.clone(), &stored), Ok(experiment.clone()));
        assert_eq!(record::template(&record::key(&experiment.template)), Some(experiment.template));
    }
}

#[test]
fn an_experiment_of_the_first_release_with_experiments_reads() {
    let digest = "07".repeat(32);
    let body = format!(
        "86505555555555555555555555555555555501\
         64726f6f7400f58283\
         65312e302e305820{digest}fb3feccccccccccccd\
         8365312e312e305820{digest}fb3fb999999999999a"
    );
    let record = Record { kind: 16, version: 1, body: hex::decode(body).expect("hexadecimal") };
    let mut expected = experiment(0x55, &[0.9, 0.1]);
    expected.started_at = Timestamp::from_micros(1);
    assert_eq!(record::read(expected.template.clone(), &record), Ok(expected));
}

#[test]
fn what_a_later_release_wrote_is_named_and_not_guessed_at() {
    let strange = Record { kind: 16, version: 2, body: Vec::new() };
    let name = "worker".parse().expect("a name");
    assert!(record::read(name, &strange).expect_err("refused").contains("version 2"));
}
