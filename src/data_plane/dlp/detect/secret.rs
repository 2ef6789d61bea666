//! Secrets whose form is more than a pattern can say: web tokens, blocks of private keys, URLs with a password. The others are rules that
//! are data ([`super::pattern`]).

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;

use super::boundary::{back, begins_word, follows_escape, run_end, run_start, slice};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The longest part of a web token, in bytes.
const TOKEN_PART_BYTES_MAX: usize = 16 * 1024;

/// The longest header of a web token that is decoded, in bytes.
const TOKEN_HEADER_BYTES_MAX: usize = 1_024;

/// How many beginnings of a web token are tried in one run of its characters: in `eyJ-eyJ-eyJ-…` each would read on for a
/// header's length.
const TOKENS_IN_RUN_MAX: usize = 8;

/// The longest block of a private key, in bytes; one that is not closed goes on for no more.
const PEM_BYTES_MAX: usize = 64 * 1024;

/// The longest label of a PEM block, and the longest closing line, in bytes.
const PEM_LINE_BYTES_MAX: usize = 80;

/// The longest scheme, user information or host of a URL, in bytes.
const URL_PART_BYTES_MAX: usize = 256;

/// What the forms begin with, or cannot be without.
const ANCHORS: [&str; 5] =
    ["eyJ", "-----BEGIN", "://", "PuTTY-User-Key-File-", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY"];

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(ANCHORS).ok());

/// Adds every secret of these forms in the text.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let Some(automaton) = AUTOMATON.as_ref() else { return };
    let mut run = Run::default();
    let mut found_to = 0;
    for anchor in automaton.find_iter(bytes) {
        let (start, after) = (anchor.start(), anchor.end());
        if start < found_to {
            continue;
        }
        let found = match anchor.pattern().as_usize() {
            0 => web_token_end(bytes, start, &mut run).map(|end| (Kind::JSON_WEB_TOKEN, start, end)),
            1 => pem_end(bytes, after).map(|end| (Kind::PRIVATE_KEY, start, end)),
            3 => putty_end(bytes, start, after).map(|end| (Kind::PRIVATE_KEY, start, end)),
            4 => Some((Kind::PRIVATE_KEY, start, ssh2_end(bytes, start))),
            _ => user_info(bytes, start, after).map(|(start, end)| (Kind::URL_CREDENTIALS, start, end)),
        };
        if let Some((kind, start, end)) = found {
            // What is cut at the longest length may be cut inside a character.
            let end = text.ceil_char_boundary(end);
            found_to = end;
            findings.push(Finding { kind, start, end, score: Score::HIGH });
        }
    }
}

/// A run of a web token's characters, and how many beginnings of one were tried in it.
#[derive(Debug, Default)]
struct Run {
    end: usize,
    tried: usize,
}

fn web_token_end(bytes: &[u8], start: usize, run: &mut Run) -> Option<usize> {
    let class = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !begins_word(bytes, start) || (start < run.end && run.tried >= TOKENS_IN_RUN_MAX) {
        return None;
    }
    let header = run_end(bytes, start, TOKEN_HEADER_BYTES_MAX, class);
    run.tried = if start < run.end { run.tried.saturating_add(1) } else { 1 };
    run.end = header;
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

/// Where the private key ends whose PEM opening line's first word ends at `from`.
fn pem_end(bytes: &[u8], from: usize) -> Option<usize> {
    let label = label_end(bytes, from);
    let name = slice(bytes, from, label);
    let private = name.ends_with(b"PRIVATE KEY") || name.ends_with(b"PRIVATE KEY BLOCK");
    let body = label.checked_add(DASHES.len())?;
    (private && slice(bytes, label, body) == DASHES).then(|| closed_at(bytes, body))
}

const DASHES: &[u8] = b"-----";

fn label_end(bytes: &[u8], from: usize) -> usize {
    run_end(bytes, from, PEM_LINE_BYTES_MAX, |byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit())
}

/// The end of the closing line. What stands before it may be anything: headers, quotes and plus signs of source code, an armour's
/// comment. So a block without a closing line, which was cut or is still being written, goes on to the next block or the text's
/// end: nothing in it says where the key is over.
fn closed_at(bytes: &[u8], body: usize) -> usize {
    let block = slice(bytes, body, body.saturating_add(PEM_BYTES_MAX));
    let line_end = |at: usize, word: &[u8]| {
        let after = at.checked_add(DASHES.len())?.checked_add(word.len())?;
        let label = label_end(bytes, after);
        let end = label.saturating_add(DASHES.len());
        (slice(bytes, after.saturating_sub(word.len()), after) == word && slice(bytes, label, end) == DASHES)
            .then_some(end)
    };
    for dashes in memmem::find_iter(block, DASHES) {
        let at = body.saturating_add(dashes);
        if let Some(end) = line_end(at, b"END") {
            return end;
        }
        if line_end(at, b"BEGIN").is_some() {
            let blank = |byte: u8| byte.is_ascii_whitespace() || byte == b'\\';
            return run_start(bytes, at, at.saturating_sub(body), blank);
        }
    }
    body.saturating_add(block.len())
}

/// Where the key file of PuTTY ends that begins at `start` and whose name ends at `after`: behind its last line, which is needed
/// to read it. One without that was cut, or is still being written.
fn putty_end(bytes: &[u8], start: usize, after: usize) -> Option<usize> {
    if !begins_word(bytes, start) || !matches!(slice(bytes, after, after.saturating_add(3)), [b'1'..=b'9', b':', b' '])
    {
        return None;
    }
    let file = slice(bytes, start, start.saturating_add(PEM_BYTES_MAX));
    let closed = memmem::find_iter(file, PUTTY_LAST).find_map(|last| {
        let mac = start.saturating_add(last).saturating_add(PUTTY_LAST.len());
        let end = run_end(bytes, mac, 64, |byte| byte.is_ascii_hexdigit());
        (end.saturating_sub(mac) >= 40).then_some(end)
    });
    Some(closed.unwrap_or_else(|| start.saturating_add(file.len())))
}

const PUTTY_LAST: &[u8] = b"Private-MAC: ";

/// Where the private key of RFC 4716's form ends that begins at `start`; one that is not closed goes on to the text's end.
fn ssh2_end(bytes: &[u8], start: usize) -> usize {
    let block = slice(bytes, start, start.saturating_add(PEM_BYTES_MAX));
    let len = memmem::find(block, SSH2_CLOSING).map(|at| at.saturating_add(SSH2_CLOSING.len()));
    start.saturating_add(len.unwrap_or(block.len()))
}

const SSH2_CLOSING: &[u8] = b"---- END SSH2 ENCRYPTED PRIVATE KEY ----";

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
    fn a_private_key_that_was_cut_is_hidden_as_far_as_it_goes() {
        let cut = format!("-----BEGIN PRIVATE KEY-----\n{}", body(60));
        assert_eq!(found(&format!("{cut}\n\n-----BEGIN CERTIFICATE-----")), [(Kind::PRIVATE_KEY, cut.as_str())]);
    }

    /// Headers, comments, and whatever else stands in a block: nothing of a key that was cut, or comes piece by piece, is left.
    #[test]
    fn a_private_key_without_its_end_goes_on_to_the_end_of_the_text() {
        let lines = format!("{}\n{}\n", body(64), body(64));
        for cut in [
            format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,(00FF)\n\n{lines}"),
            format!(
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2.1\nComment: -----mine-----\n\n{lines}=aB3d\n"
            ),
            format!("PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: me@host.\n{lines}Private-MAC: 00ff"),
            format!("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"of (me)\"\n{lines}"),
            format!("-----BEGIN PRIVATE KEY-----{}{lines}", "\n".repeat(400)),
        ] {
            for end in (60..=cut.len()).filter(|end| cut.is_char_boundary(*end)) {
                assert_eq!(found(&format!("é {}", &cut[..end])), [(Kind::PRIVATE_KEY, &cut[..end])]);
            }
        }
        let endless = format!("-----BEGIN PRIVATE KEY-----{}", "é".repeat(PEM_BYTES_MAX));
        assert!(found(&endless)[0].1.len() <= PEM_BYTES_MAX + 40, "there is a limit");
    }

    #[test]
    fn blocks_of_other_programs_end_where_they_are_closed() {
        for secret in [
            format!("PuTTY-User-Key-File-2: ssh-rsa\n{}\nPrivate-MAC: {}", body(64), "0a".repeat(20)),
            format!(
                "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
                body(64)
            ),
        ] {
            assert_eq!(found(&format!("a {secret}\nand more")), [(Kind::PRIVATE_KEY, secret.as_str())]);
        }
    }

    #[test]
    fn what_only_begins_like_a_secret_is_not_one() {
        for text in [
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
