//! The tokens file: bearer tokens as SHA-256, never as themselves.
//!
//! ```toml
//! [[token]]
//! sha256 = "…"                        # of the token, in hexadecimal
//! name = "ci"
//! role = "submitter"
//! tenant = "acme"                     # optional: every tenant without it
//! expires = "2027-01-01T00:00:00Z"    # optional
//! requests_per_minute = 60            # optional: api.requests_per_minute without it; "none": no limit
//! burst = 10                          # optional: as many as in a minute without it
//! ```

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::config::settings::{Rate, RateLimit, Role};
use crate::domain::clock::Timestamp;
use crate::domain::name::Tenant;

use super::policy::role_from_word;
use super::principal::{Principal, Via};

/// The largest tokens file, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The most tokens in a file.
const TOKENS_MAX: usize = 10_000;
/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Permission bits that a tokens file must not have: whoever may write it grants himself what he likes. Reading it gives
/// nobody a token.
const WRITABLE_BY_OTHERS: u32 = 0o022;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    #[serde(default)]
    token: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    sha256: String,
    name: String,
    role: String,
    tenant: Option<String>,
    expires: Option<String>,
    requests_per_minute: Option<PerMinute>,
    burst: Option<u32>,
}

/// A number, or the word `none`.
#[derive(Deserialize)]
#[serde(untagged)]
enum PerMinute {
    Count(u32),
    Word(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    sha256: [u8; 32],
    name: Arc<str>,
    role: Role,
    tenant: Option<Tenant>,
    expires: Option<Timestamp>,
    rate: Rate,
}

/// The tokens of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tokens(Vec<Token>);

/// Why a tokens file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("read the tokens file: {0}")]
    Unreadable(String),
    /// Somebody else may write it.
    #[error(
        "the tokens file has mode {mode:03o} and belongs to uid {owner}: it must belong to root or to the daemon's user, and nobody else may write it"
    )]
    Lax {
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
    /// Something in it is wrong.
    #[error("the tokens file does not fit: {}", .0.join("; "))]
    Malformed(Vec<String>),
}

/// What a presented token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Presented {
    Is(Principal),
    Expired,
    Unknown,
}

impl Tokens {
    /// Reads the file. Blocks.
    pub(super) fn read(path: &Path, own_uid: u32) -> Result<Self, Unusable> {
        let unreadable = |reason: std::io::Error| Unusable::Unreadable(reason.to_string());
        let mut file = File::open(path).map_err(unreadable)?;
        // Of the opened file, not of the path: what is judged is what is read.
        let metadata = file.metadata().map_err(unreadable)?;
        let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
        if mode & WRITABLE_BY_OTHERS != 0 || (owner != 0 && owner != own_uid) {
            return Err(Unusable::Lax { mode, owner });
        }
        let mut text = String::new();
        let read =
            file.by_ref().take(FILE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text).map_err(unreadable)?;
        if read as u64 > FILE_BYTES_MAX {
            return Err(Unusable::Unreadable(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Self::parse(&text)
    }

    /// Parses the file's text; all mistakes are told together.
    fn parse(text: &str) -> Result<Self, Unusable> {
        let file: TokensFile =
            toml::from_str(text).map_err(|fault| Unusable::Malformed(vec![fault.message().to_owned()]))?;
        if file.token.len() > TOKENS_MAX {
            return Err(Unusable::Malformed(vec![format!("more than {TOKENS_MAX} tokens")]));
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut mistakes = Vec::new();
        for (place, entry) in file.token.into_iter().enumerate() {
            match entry.validate() {
                Ok(token) if tokens.iter().any(|known| known.sha256 == token.sha256) => {
                    mistakes.push(format!("token[{place}]: the same token twice"));
                }
                // They are one principal, which has one bucket.
                Ok(token) if tokens.iter().any(|known| known.name == token.name && known.rate != token.rate) => {
                    let said = "requests_per_minute: not that of another token with this name";
                    mistakes.push(format!("token[{place}]: {said}"));
                }
                Ok(token) => tokens.push(token),
                Err(mistake) => mistakes.push(format!("token[{place}]: {mistake}")),
            }
        }
        if mistakes.is_empty() { Ok(Self(tokens)) } else { Err(Unusable::Malformed(mistakes)) }
    }

    /// Whose token this is. Every entry is compared, each in constant time, so that the time tells nothing.
    pub(super) fn present(&self, token: &str, now: Timestamp) -> Presented {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Presented::Unknown;
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let found = self.0.iter().fold(
            None,
            |found, entry| {
                if bool::from(entry.sha256.ct_eq(&digest)) { Some(entry) } else { found }
            },
        );
        match found {
            None => Presented::Unknown,
            Some(entry) if entry.expires.is_some_and(|expires| expires <= now) => Presented::Expired,
            Some(entry) => Presented::Is(entry.principal()),
        }
    }

    /// Whether there is a token of a principal that has not expired.
    pub(super) fn has(&self, principal: &Principal, now: Timestamp) -> bool {
        let is_good = |entry: &Token| entry.expires.is_none_or(|expires| now < expires);
        self.0.iter().any(|entry| is_good(entry) && entry.principal() == *principal)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Token {
    fn principal(&self) -> Principal {
        Principal {
            name: format!("token:{}", self.name).into(),
            user: None,
            role: self.role,
            tenant: self.tenant.clone(),
            rate: self.rate,
            via: Via::Token(self.name.clone()),
        }
    }
}

impl TokenEntry {
    fn validate(self) -> Result<Token, String> {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut sha256)
            .map_err(|_| "sha256: expected 64 hexadecimal digits".to_owned())?;
        let role = role_from_word(&self.role)
            .ok_or_else(|| "role: expected admin, operator, submitter, viewer or auditor".to_owned())?;
        let tenant = self.tenant.map(|name| name.parse().map_err(|fault| format!("tenant: {fault}"))).transpose()?;
        let expires = self.expires.map(|time| time.parse().map_err(|fault| format!("expires: {fault}"))).transpose()?;
        if self.name.is_empty() || self.name.len() > 128 || self.name.chars().any(char::is_control) {
            return Err("name: expected 1 to 128 bytes without control characters".to_owned());
        }
        let rate = rate(self.requests_per_minute, self.burst)?;
        Ok(Token { sha256, name: self.name.into(), role, tenant, expires, rate })
    }
}

fn rate(per_minute: Option<PerMinute>, burst: Option<u32>) -> Result<Rate, String> {
    match (per_minute, burst) {
        (None, None) => Ok(Rate::Default),
        (Some(PerMinute::Word(word)), None) if word == "none" => Ok(Rate::Unlimited),
        (Some(PerMinute::Count(count)), burst) => RateLimit::new(count, burst).map(Rate::Limited),
        (None | Some(PerMinute::Word(_)), Some(_)) => Err("burst: needs requests_per_minute beside it".to_owned()),
        (Some(PerMinute::Word(_)), None) => Err("requests_per_minute: expected a number, or \"none\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(token: &str, rest: &str) -> String {
        format!("[[token]]\nsha256 = \"{}\"\n{rest}\n", hex::encode(Sha256::digest(token.as_bytes())))
    }

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_token_is_its_principal_until_it_expires() {
        let text =
            entry("one", "name = \"ci\"\nrole = \"submitter\"\ntenant = \"acme\"\nexpires = \"2027-01-01T00:00:00Z\"")
                + &entry("two", "name = \"ops\"\nrole = \"operator\"");
        let tokens = Tokens::parse(&text).expect("tokens");
        let before = time("2026-12-31T23:59:59Z");
        let Presented::Is(principal) = tokens.present("one", before) else { panic!("not known") };
        assert_eq!((&*principal.name, principal.role), ("token:ci", Role::Submitter));
        assert_eq!(principal.tenant, Some("acme".parse().expect("a tenant")));
        assert_eq!(tokens.present("one", time("2027-01-01T00:00:00Z")), Presented::Expired);
        assert!(matches!(tokens.present("two", time("2099-01-01T00:00:00Z")), Presented::Is(_)));
        for unknown in ["", "on", "onee", "ONE", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert_eq!(tokens.present(unknown, before), Presented::Unknown);
        }
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let text = entry("one", "name = \"a\"\nrole = \"root\"")
            + "[[token]]\nsha256 = \"12\"\nname = \"b\"\nrole = \"viewer\"\n"
            + &entry("two", "name = \"c\"\nrole = \"viewer\"\nexpires = \"tomorrow\"")
            + &entry("three", "name = \"d\"\nrole = \"viewer\"")
            + &entry("three", "name = \"e\"\nrole = \"admin\"");
        let Err(Unusable::Malformed(mistakes)) = Tokens::parse(&text) else { panic!("accepted") };
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
        assert!(Tokens::parse("[[token]]\ntoken = \"in the clear\"").is_err());
        assert_eq!(Tokens::parse("").expect("no tokens").len(), 0);
    }

    #[test]
    fn a_token_may_have_a_rate_of_its_own() {
        let rates =
            ["", "requests_per_minute = 60", "requests_per_minute = 60\nburst = 5", "requests_per_minute = \"none\""];
        let named =
            |(place, rate): (usize, &&str)| entry(rate, &format!("name = \"t{place}\"\nrole = \"viewer\"\n{rate}"));
        let texts: String = rates.iter().enumerate().map(named).collect();
        let tokens = Tokens::parse(&texts).expect("parses");
        let limited = |burst| RateLimit::new(60, Some(burst)).map(Rate::Limited);
        let read: Vec<_> = tokens.0.iter().map(|token| Ok(token.rate)).collect();
        assert_eq!(read, [Ok(Rate::Default), limited(60), limited(5), Ok(Rate::Unlimited)]);
    }

    #[test]
    fn a_rate_that_makes_no_sense_is_a_mistake() {
        for (rate, mistake) in [
            ("requests_per_minute = 0", "requests_per_minute: expected a whole number from 1"),
            ("requests_per_minute = 60000001", "requests_per_minute: expected a whole number from 1"),
            ("requests_per_minute = 5\nburst = 0", "burst: expected a whole number from 1"),
            ("requests_per_minute = \"many\"", "expected a number, or \"none\""),
            ("requests_per_minute = \"none\"\nburst = 3", "burst: needs"),
            ("burst = 3", "burst: needs"),
            ("requests_per_minute = -1", "did not match"),
            ("requests_per_minute = 1.5", "did not match"),
        ] {
            let refused = Tokens::parse(&entry("one", &format!("name = \"a\"\nrole = \"viewer\"\n{rate}")));
            assert!(refused.as_ref().is_err_and(|reason| reason.to_string().contains(mistake)), "{rate}: {refused:?}");
        }
        let rotated = |old, new| {
            let token = |token, rate| entry(token, &format!("name = \"ci\"\nrole = \"viewer\"\n{rate}"));
            Tokens::parse(&(token("old", old) + &token("new", new)))
        };
        assert!(rotated("requests_per_minute = 5", "requests_per_minute = 5").is_ok());
        assert!(rotated("requests_per_minute = 5", "").is_err(), "one principal has one bucket");
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let own = rustix::process::geteuid().as_raw();
        std::fs::write(file.path(), entry("one", "name = \"a\"\nrole = \"viewer\"")).expect("written");
        for (mode, usable) in
            [(0o600, true), (0o640, true), (0o644, true), (0o660, false), (0o666, false), (0o602, false)]
        {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("set");
            match Tokens::read(file.path(), own) {
                Ok(_) => assert!(usable, "{mode:o}"),
                Err(fault) => assert!(!usable && matches!(fault, Unusable::Lax { .. }), "{mode:o}: {fault}"),
            }
        }
    }

    #[test]
    fn a_missing_file_is_unreadable() {
        assert!(matches!(Tokens::read(Path::new("/nonexistent/tokens.toml"), 0), Err(Unusable::Unreadable(_))));
    }
}
