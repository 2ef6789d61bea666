//! The shipped rules, each with what it finds and what it does not.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::data_plane::dlp::detectors::Detectors;
use crate::data_plane::dlp::finding::{Finding, Kind};

/// Rules, positives and near misses.
const SAMPLES: &str = include_str!("samples.txt");

/// So many characters that vary as those of a key do. It begins elsewhere for each length, so that no two are alike.
fn varied(alphabet: &str, length: usize) -> String {
    alphabet.chars().cycle().skip(length).take(length).collect()
}

/// What stands for a part of a sample.
fn part(name: &str) -> String {
    let (class, length) = name.split_once(':').unwrap_or((name, "0"));
    let length = length.parse().expect("a length");
    let alphabet = match class {
        "alnum" => "aB3dE5fG7hJ9kL2mN4pQ6rS8tUvW1xY0zAcD",
        "upper" => "AB3DE5FG7HJ2KL4MN6PQRS",
        "lower" => "ab3de5fg7hj9kl2mn4pq6rs8tu",
        "hex" => "0a9b8c7d6e5f4a3b2c1d",
        "base32" => "ab3de5fg7hjkl2mn4pq6rstu",
        "bech32" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
        "uuid" => return "3fa85f64-5717-4562-b3fc-2c963f66afa6".to_owned(),
        "basic" => return STANDARD.encode("jean:Xk4-quiet-river"),
        other => panic!("no class {other}"),
    };
    varied(alphabet, length)
}

fn written(template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, behind))
                if ["alnum:", "upper:", "lower:", "hex:", "base32:", "bech32:", "uuid", "basic"]
                    .iter()
                    .any(|class| name.starts_with(class)) =>
            {
                text.push_str(&part(name));
                rest = behind;
            }
            _ => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// A sample: the rule, the text, the span of what is found, and the near miss.
struct Sample {
    rule: &'static str,
    text: String,
    found: String,
    miss: String,
}

fn samples() -> Vec<Sample> {
    let lines = SAMPLES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sample = |line: &'static str| {
        let mut fields = line.split(" | ");
        let mut field = || fields.next().unwrap_or_else(|| panic!("three fields: {line}"));
        let (rule, found, miss) = (field(), field(), field());
        let marked = written(found);
        let value =
            marked.split_once('«').and_then(|(_, rest)| rest.split_once('»')).map(|(value, _)| value.to_owned());
        let text = marked.replace(['«', '»'], "");
        Sample {
            rule,
            found: value.unwrap_or_else(|| text.trim_start_matches("mollie: ").to_owned()),
            text,
            miss: written(miss),
        }
    };
    lines.map(sample).collect()
}

/// A text for each shipped rule, in which it finds something.
pub(in crate::data_plane::dlp) fn positives() -> Vec<String> {
    samples().into_iter().map(|sample| sample.text).collect()
}

/// What the rule of this name finds, apart from all others.
fn found_by(rule: &str, text: &str) -> Vec<String> {
    let rules = shipped_engine().rules().iter().filter(|known| known.id == rule).cloned().collect();
    let engine = crate::data_plane::dlp::detect::pattern::Engine::new(rules).expect("an engine");
    let mut findings: Vec<Finding> = Vec::new();
    engine.scan(text, &mut findings);
    findings.dedup();
    findings.iter().map(|finding| text[finding.range()].to_owned()).collect()
}

#[test]
fn the_shipped_rules_are_sound() {
    for rule in shipped_engine().rules() {
        assert_eq!(rule.pattern.check(), Ok(()), "{}", rule.id);
        assert!(rule.source.starts_with("https://"), "{}", rule.id);
    }
}

#[test]
fn each_shipped_rule_has_a_sample() {
    let sampled: BTreeSet<&str> = samples().iter().map(|sample| sample.rule).collect();
    let rules: BTreeSet<&str> = shipped_engine().rules().iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(sampled, rules);
}

#[test]
fn each_rule_finds_its_own_with_exact_spans() {
    let mut wrong = Vec::new();
    for Sample { rule, text, found, .. } in samples() {
        let kind =
            shipped_engine().rules().iter().find(|known| known.id == rule).map(|rule| rule.kind).expect("a rule");
        let mut texts = vec![text.clone(), format!("clé : {text} fin"), format!("A=1\n{text}\nNEXT=1")];
        // Passwords, and strings with one, may hold whatever letters there are.
        if ![Kind::PASSWORD, Kind::CONNECTION_STRING].contains(&kind) {
            texts.extend([format!(r#"{{"k":"\n{text}"}}"#), format!("é{text}é"), format!("(«{text}»)")]);
        }
        for text in texts {
            if found_by(rule, &text) != [found.as_str()] {
                wrong.push(format!("{rule}: {text} gave {:?}", found_by(rule, &text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_nearly_a_secret_is_not_one() {
    let mut wrong = Vec::new();
    for Sample { rule, miss, .. } in samples() {
        if !found_by(rule, &miss).is_empty() {
            wrong.push(format!("{rule}: {miss} gave {:?}", found_by(rule, &miss)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_rules_together_hide_each_secret_whole_and_name_its_kind() {
    let detectors = Detectors::shipped();
    let mut wrong = Vec::new();
    for Sample { rule, text, found, .. } in samples() {
        let kind = detectors.rules().iter().find(|known| known.id == rule).map(|rule| rule.kind).expect("a rule");
        let findings = detectors.detect(&text);
        let at = text.find(&found).expect("the value");
        let hidden = findings.iter().find(|finding| finding.start <= at && finding.end >= at + found.len());
        if hidden.is_none_or(|finding| finding.kind != kind) {
            wrong.push(format!("{rule}: {text} gave {findings:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a file, place and setting alone.
fn mistakes(text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("dlp.toml");
    std::fs::write(&file, text).expect("written");
    match load(&file) {
        Ok(_) => Vec::new(),
        Err(refused) => {
            let short =
                |mistake: &crate::config::Mistake| mistake.to_string().replace(&format!("{}:", file.display()), "");
            refused.mistakes.iter().map(short).collect()
        }
    }
}

#[test]
fn a_file_is_refused_whole_with_every_mistake() {
    let good = "[[rule]]\nid = \"a\"\ntype = \"CUSTOM_A\"\nkeywords = [\"ab\"]\npattern = \"ab[0-9]\"\n";
    assert_eq!(mistakes(good), <[&str; 0]>::default());
    for (text, says) in [
        (format!("{good}{good}"), "another rule has this id"),
        (good.replace("\"a\"", "\"github-token\""), "another rule has this id"),
        (good.replace("ab[0-9]", "(a"), "unclosed group"),
        (good.replace("ab[0-9]", "a?"), "empty"),
        (good.replace("CUSTOM_A", "EMAIL"), "no type of finding"),
        (good.replace("keywords = [\"ab\"]\n", ""), "at least one"),
        (good.replace("[\"ab\"]", "\"ab\""), "a list of texts"),
        (good.replace("[\"ab\"]", "[1]"), "a list of texts"),
        (format!("{good}validator = \"luhnn\"\n"), "there is no validator"),
        (format!("{good}patern = \"x\"\n"), "did you mean \"pattern\"?"),
        (format!("{good}score = 1.5\n"), "a number from 0.01 to 1"),
        (format!("{good}anchored = true\nbefore = 3\n"), "nothing before"),
        (format!("{good}after = 100000\n"), "a whole number from 1 to"),
        (format!("{good}context_required = true\n"), "no words"),
        (format!("{good}allow_patterns = [\"(\"]\n"), "unclosed group"),
        ("[[allow]]\nvalues = [\"x\"]\n".to_owned(), "type: missing"),
        ("disable = [\"CUSTOM_A\"]\n".to_owned(), "neither a shipped rule nor"),
        ("rule = 1\n".to_owned(), "each written [[rule]]"),
        ("[[rule]\n".to_owned(), "1:"),
        (good.repeat(RULES_MAX + 1), "more than the 512"),
        ("#".repeat(usize::try_from(FILE_BYTES_MAX).expect("small") + 1), "is larger than"),
    ] {
        let told = mistakes(&text);
        assert!(told.iter().any(|mistake| mistake.contains(says)), "{says}: {told:?}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(load(directory.path()).expect_err("a directory").to_string().contains("no regular file"));
    assert!(load(&directory.path().join("none")).expect_err("nothing").to_string().contains("cannot be read"));
}

#[test]
fn what_is_allowed_or_switched_off_is_no_finding() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("dlp.toml");
    let text = "disable = [\"PHONE_NUMBER\", \"npm-token\"]\n[[allow]]\ntype = \"EMAIL_ADDRESS\"\npatterns = ['[a-z]+@acme\\.example']\n";
    std::fs::write(&file, text).expect("written");
    let detectors = load(&file).expect("good").detectors;
    let npm = written("npm_{alnum:36}");
    assert_eq!(detectors.detect(&format!("desk@acme.example +33 6 12 34 56 78 {npm}")), []);
    assert_eq!(detectors.detect("desk@acme.example.org").len(), 1);
    assert!(!detectors.rules().iter().any(|rule| rule.id == "npm-token"));
}

#[test]
fn the_documentation_has_each_rule_and_each_validator() {
    let page = include_str!("../../../../docs/dlp.md");
    for rule in shipped_engine().rules() {
        assert!(page.contains(&format!("`{}`", rule.id)), "docs/dlp.md lacks {}", rule.id);
    }
    for name in crate::data_plane::dlp::detect::validators() {
        assert!(page.contains(&format!("`{name}`")), "docs/dlp.md lacks the validator {name}");
    }
}
