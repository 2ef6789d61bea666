//! Secrets, found from the first bytes of their forms by one automaton.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::boundary::{back, begins_word, follows_escape, is_word, run_end, run_start, slice};
use super::secret_rules::{Class, Form, OPEN, RULES, Rule};
use crate::data_plane::dlp::finding::{Finding, Score};

/// The longest part of a web token, in bytes.
const TOKEN_PART_BYTES_MAX: usize = 16 * 1024;

/// The longest header of a web token that is decoded, in bytes.
const TOKEN_HEADER_BYTES_MAX: usize = 1_024;

/// The longest PEM block, in bytes.
const PEM_BYTES_MAX: usize = 64 * 1024;

/// The longest scheme, user information or host of a URL, in bytes.
const URL_PART_BYTES_MAX: usize = 256;

/// The length of the secret half of an AWS key.
const AWS_SECRET_BYTES: usize = 40;

static ANCHORS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let anchors = RULES.iter().map(|rule| rule.anchor);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(anchors).ok()
});

/// Adds every secret in the text.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let Some(anchors) = ANCHORS.as_ref() else { return };
    for anchor in anchors.find_iter(bytes) {
        let Some(rule) = RULES.get(anchor.pattern().as_usize()) else { continue };
        if let Some((start, end)) = span(bytes, rule, anchor.start(), anchor.end()) {
            findings.push(Finding { kind: rule.kind, start, end, score: Score::HIGH });
        }
    }
}

/// The bytes of the secret whose anchor is at `start..after`.
fn span(bytes: &[u8], rule: &Rule, start: usize, after: usize) -> Option<(usize, usize)> {
    match rule.form {
        Form::UserInfo => user_info(bytes, start, after),
        Form::Pem => pem_end(bytes, after).map(|end| (start, end)),
        Form::Assigned => assigned(bytes, after),
        Form::Body { .. } | Form::Parts | Form::WebToken if !begins_word(bytes, start) => None,
        Form::Body { class, least, most } => body_end(bytes, after, class, least, most).map(|end| (start, end)),
        Form::Parts => parts_end(bytes, after).map(|end| (start, end)),
        Form::WebToken => web_token_end(bytes, start).map(|end| (start, end)),
    }
}

fn body_end(bytes: &[u8], from: usize, class: Class, least: usize, most: usize) -> Option<usize> {
    let end = run_end(bytes, from, most, |byte| class.has(byte));
    let length = end.saturating_sub(from);
    let stops = most == OPEN || !bytes.get(end).is_some_and(|byte| is_word(*byte) || class.has(*byte));
    (length >= least && stops && looks_random(slice(bytes, from, end))).then_some(end)
}

/// Whether the characters vary as those of a key do: `sk-` before a row of hyphens or one letter repeated is no key.
fn looks_random(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut distinct: usize = 0;
    for byte in body {
        if let Some(mark) = seen.get_mut(usize::from(*byte)).filter(|mark| !**mark) {
            *mark = true;
            distinct = distinct.saturating_add(1);
        }
    }
    distinct >= 5
}

/// `SG.` + 22 characters + `.` + 43 characters.
fn parts_end(bytes: &[u8], from: usize) -> Option<usize> {
    let dot = run_end(bytes, from, 23, |byte| Class::Base64Url.has(byte));
    let second = dot.checked_add(1)?;
    let end = run_end(bytes, second, 44, |byte| Class::Base64Url.has(byte));
    let sound = dot.saturating_sub(from) == 22 && bytes.get(dot) == Some(&b'.') && end.saturating_sub(second) == 43;
    sound.then_some(end)
}

fn web_token_end(bytes: &[u8], start: usize) -> Option<usize> {
    let class = |byte| Class::Base64Url.has(byte);
    let header = run_end(bytes, start, TOKEN_HEADER_BYTES_MAX, class);
    if bytes.get(header) != Some(&b'.') {
        return None;
    }
    let decoded = URL_SAFE_NO_PAD.decode(slice(bytes, start, header)).ok()?;
    let object: serde_json::Value = serde_json::from_slice(&decoded).ok()?;
    object.get("alg")?;
    let claims = run_end(bytes, header.checked_add(1)?, TOKEN_PART_BYTES_MAX, class);
    if claims.saturating_sub(header) < 2 {
        return None;
    }
    // An unsigned token has no third part, an encrypted one has five.
    let mut end = claims;
    for _ in 0..3 {
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        let next = end.saturating_add(1);
        let part = run_end(bytes, next, TOKEN_PART_BYTES_MAX, class);
        if part == next {
            break;
        }
        end = part;
    }
    Some(end)
}

/// Where the private key ends whose opening line's first word ends at `from`. A block without a closing line ends where its lines do.
fn pem_end(bytes: &[u8], from: usize) -> Option<usize> {
    const DASHES: &[u8] = b"-----";
    let label = run_end(bytes, from, 40, |byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit());
    let private = slice(bytes, from, label).ends_with(b"PRIVATE KEY")
        || slice(bytes, from, label).ends_with(b"PRIVATE KEY BLOCK");
    let body = label.checked_add(DASHES.len())?;
    if !private || slice(bytes, label, body) != DASHES {
        return None;
    }
    // A hyphen ends the run: either the closing line begins there, or the block was cut.
    let in_body = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'=' | b' ' | b'\n' | b'\r' | b'\t' | b'\\' | b':' | b',')
    };
    let stop = run_end(bytes, body, PEM_BYTES_MAX, in_body);
    let closing = slice(bytes, stop, stop.saturating_add(80));
    if let Some(rest) = closing.strip_prefix(b"-----END") {
        let label = run_end(rest, 0, 40, |byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit());
        if slice(rest, label, label.saturating_add(DASHES.len())) == DASHES {
            return Some(stop.saturating_add(8).saturating_add(label).saturating_add(DASHES.len()));
        }
    }
    let blank = |byte: u8| byte.is_ascii_whitespace() || byte == b'\\';
    Some(run_start(bytes, stop, stop.saturating_sub(body), blank).max(body))
}

/// The span from the scheme to the host of a URL with user and password; the anchor `://` is at `colon..after`.
fn user_info(bytes: &[u8], colon: usize, after: usize) -> Option<(usize, usize)> {
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let start = run_start(bytes, colon, 32, in_scheme);
    let escaped = back(bytes, start, 1) == Some(b'\\') && follows_escape(bytes, start.saturating_add(1));
    let start = if escaped { start.saturating_add(1) } else { start };
    let start = start.saturating_add(slice(bytes, start, colon).iter().position(u8::is_ascii_alphabetic)?);
    let in_info = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'/' | b'@' | b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'`')
    };
    let at = run_end(bytes, after, URL_PART_BYTES_MAX, |byte| in_info(byte) || byte >= 0x80);
    let info = slice(bytes, after, at);
    let split = info.iter().position(|byte| *byte == b':')?;
    let password = slice(info, split.checked_add(1)?, info.len());
    if bytes.get(at) != Some(&b'@') || password.is_empty() || is_placeholder(password) {
        return None;
    }
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_');
    let host = at.checked_add(1)?;
    let end = run_end(bytes, host, URL_PART_BYTES_MAX, in_host);
    // A full stop or colon at the end is the sentence's.
    let end = run_start(bytes, end, end.saturating_sub(host), |byte| matches!(byte, b'.' | b':' | b'-')).max(host);
    Some((start, end))
}

/// Whether a password is a variable's name, as in `${PASSWORD}` or `<password>`.
fn is_placeholder(password: &[u8]) -> bool {
    let wrapped = |open: &[u8], close: u8| password.starts_with(open) && password.last() == Some(&close);
    wrapped(b"${", b'}') || wrapped(b"{", b'}') || password.iter().all(|byte| *byte == b'*')
}

/// The forty characters that are assigned after `from`.
fn assigned(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let between = |byte: u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'=' | b':' | b'>' | b'\\');
    let start = run_end(bytes, from, 16, between);
    let class = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let end = run_end(bytes, start, AWS_SECRET_BYTES.saturating_add(1), class);
    let sound = slice(bytes, from, start).iter().any(|byte| matches!(byte, b'=' | b':' | b' '));
    (sound && end.saturating_sub(start) == AWS_SECRET_BYTES && looks_random(slice(bytes, start, end)))
        .then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::finding::Kind;

    fn found(text: &str) -> Vec<(Kind, &str)> {
        let mut findings = Vec::new();
        scan(text, &mut findings);
        findings.iter().map(|finding| (finding.kind, &text[finding.range()])).collect()
    }

    /// A body that varies as a key does; written so that no key stands in this file.
    fn body(length: usize) -> String {
        "aB3dE5fG7hJ9kL2mN4pQ6rS8tU".chars().cycle().take(length).collect()
    }

    fn samples() -> Vec<(Kind, String)> {
        let token = |header: &str| {
            format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(r#"{"sub":"1"}"#), body(43))
        };
        let pem = |label: &str| format!("-----BEGIN {label}-----\n{}\n{}==\n-----END {label}-----", body(64), body(20));
        vec![
            (Kind::AWS_ACCESS_KEY, format!("AKIA{}", body(16).to_uppercase())),
            (Kind::AWS_ACCESS_KEY, format!("ASIA{}", body(16).to_uppercase())),
            (Kind::GITHUB_TOKEN, format!("ghp_{}", body(36))),
            (Kind::GITHUB_TOKEN, format!("gho_{}", body(36))),
            (Kind::GITHUB_TOKEN, format!("github_pat_{}_{}", body(22), body(59))),
            (Kind::GITLAB_TOKEN, format!("glpat-{}", body(20))),
            (Kind::SLACK_TOKEN, format!("xoxb-123456789012-{}", body(24))),
            (Kind::SLACK_TOKEN, format!("https://hooks.slack.com/services/T000/B000/{}", body(24))),
            (Kind::STRIPE_KEY, format!("sk_live_{}", body(24))),
            (Kind::STRIPE_KEY, format!("rk_live_{}", body(24))),
            (Kind::OPENAI_KEY, format!("sk-{}", body(48))),
            (Kind::OPENAI_KEY, format!("sk-proj-{}_-{}", body(40), body(40))),
            (Kind::ANTHROPIC_KEY, format!("sk-ant-api03-{}-{}AA", body(60), body(20))),
            (Kind::GOOGLE_API_KEY, format!("AIza{}", body(35))),
            (Kind::HUGGING_FACE_TOKEN, format!("hf_{}", body(34))),
            (Kind::NPM_TOKEN, format!("npm_{}", body(36))),
            (Kind::PYPI_TOKEN, format!("pypi-AgEIcHlwaS5vcmc{}", body(80))),
            (Kind::SENDGRID_KEY, format!("SG.{}.{}", body(22), body(43))),
            (Kind::TWILIO_KEY, format!("SK{}", "0123456789abcdef".repeat(2))),
            (Kind::JSON_WEB_TOKEN, token(r#"{"alg":"HS256","typ":"JWT"}"#)),
            (Kind::PRIVATE_KEY, pem("PRIVATE KEY")),
            (Kind::PRIVATE_KEY, pem("RSA PRIVATE KEY")),
            (Kind::PRIVATE_KEY, pem("OPENSSH PRIVATE KEY")),
            (Kind::URL_CREDENTIALS, "postgres://admin:s3cr3t@db.example.com:5432".to_owned()),
            (Kind::URL_CREDENTIALS, "https://user:p%40ss@host".to_owned()),
        ]
    }

    #[test]
    fn secrets_are_found_with_exact_spans() {
        for (kind, secret) in samples() {
            for text in [
                secret.clone(),
                format!("clé : {secret} fin"),
                format!("KEY={secret}\nNEXT=1"),
                format!(r#"{{"k":"\n{secret}"}}"#),
                format!("é{secret}é"),
            ] {
                assert_eq!(found(&text), [(kind, secret.as_str())], "{text}");
            }
        }
    }

    #[test]
    fn an_assigned_aws_secret_is_found_without_its_name() {
        let secret = body(40);
        for text in [format!("aws_secret_access_key = {secret}"), format!(r#""SecretAccessKey": "{secret}""#)] {
            assert_eq!(found(&text), [(Kind::AWS_SECRET_KEY, secret.as_str())], "{text}");
        }
    }

    #[test]
    fn a_private_key_that_was_cut_is_hidden_as_far_as_it_goes() {
        let cut = format!("-----BEGIN PRIVATE KEY-----\n{}", body(60));
        assert_eq!(found(&format!("{cut}\n\n-----BEGIN CERTIFICATE-----")), [(Kind::PRIVATE_KEY, cut.as_str())]);
    }

    #[test]
    fn what_only_begins_like_a_secret_is_not_one() {
        for text in [
            "AKIA".to_owned(),
            "AKIAlowercase1234567".to_owned(),
            format!("AKIA{}", body(17).to_uppercase()),
            format!("xAKIA{}", body(16).to_uppercase()),
            "ghp_short".to_owned(),
            format!("sk-{}", "-".repeat(60)),
            format!("sk-{}", "a".repeat(60)),
            "task-based-risk-assessment-and-so-forth-with-many-words".to_owned(),
            format!("AIza{}", body(36)),
            format!("SK{}", body(32)),
            "eyJhbGciOiJIUzI1NiJ9".to_owned(),
            "eyJub3QianNvbg.eyJ4.abc".to_owned(),
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned(),
            "-----BEGIN CERTIFICATE-----".to_owned(),
            "https://example.com/a:b@c".to_owned(),
            "https://user@example.com".to_owned(),
            "https://user:${PASSWORD}@example.com".to_owned(),
            "://:@".to_owned(),
        ] {
            assert_eq!(found(&text), [], "{text}");
        }
    }
}
