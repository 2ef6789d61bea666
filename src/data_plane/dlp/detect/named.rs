//! Whether what is named a secret or a password is one: what stands behind `token =` or `password:` in code, settings and prose is
//! more often a variable, a path, a type or a word than a value that opens something.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pattern::is_made_up;

/// The least entropy of a secret, in bits for each byte: that of sixteen digits and letters, with some to spare.
const SECRET_ENTROPY_MIN: f64 = 2.8;

/// The fewest characters of a secret.
const SECRET_BYTES_MIN: usize = 10;

/// The fewest characters of a password.
const PASSWORD_BYTES_MIN: usize = 4;

/// The fewest characters of a password of letters of one case alone.
const PLAIN_PASSWORD_BYTES_MIN: usize = 6;

/// Words that stand where a password would, in lowercase and in order.
const NO_PASSWORDS: &[&str] = &[
    "admin_password",
    "any",
    "bearer",
    "bool",
    "boolean",
    "bytes",
    "changed",
    "confirm",
    "confirmation",
    "config",
    "correct",
    "credentials",
    "default",
    "deleted",
    "disabled",
    "empty",
    "enabled",
    "encrypted",
    "env",
    "environment",
    "error",
    "expired",
    "failed",
    "false",
    "field",
    "file",
    "forgot",
    "forgotten",
    "hash",
    "hashed",
    "hidden",
    "identique",
    "incorrect",
    "input",
    "integer",
    "invalid",
    "invalide",
    "length",
    "masked",
    "minimum",
    "missing",
    "mot de passe",
    "motdepasse",
    "never",
    "new_password",
    "newpassword",
    "nil",
    "none",
    "null",
    "nullable",
    "number",
    "object",
    "obligatoire",
    "oldpassword",
    "optional",
    "oublie",
    "passe",
    "passphrase",
    "passwd",
    "password",
    "password1_field",
    "plaintext",
    "prompt",
    "protected",
    "provided",
    "pwd",
    "redacted",
    "required",
    "requis",
    "reset",
    "same",
    "secret",
    "secretstr",
    "sent",
    "set",
    "static",
    "str",
    "string",
    "stored",
    "submit",
    "text",
    "token",
    "true",
    "type",
    "undefined",
    "unset",
    "unknown",
    "updated",
    "user",
    "username",
    "valid",
    "value",
    "varchar",
    "void",
    "weak",
    "with",
    "wrong",
    "your_password",
    "yourpassword",
];

/// Endings of names of files.
const FILE_ENDINGS: &[&str] = &[
    ".txt", ".json", ".yaml", ".yml", ".toml", ".pem", ".key", ".crt", ".env", ".py", ".js", ".ts", ".rs", ".go",
    ".java", ".rb", ".php", ".html", ".csv", ".log", ".md", ".xml", ".sh", ".conf", ".ini", ".com", ".org", ".net",
    ".io", ".fr", ".pdf", ".docx",
];

/// What a value is made of.
#[derive(Debug, Default)]
struct Makeup {
    lower: usize,
    upper: usize,
    digits: usize,
    others: usize,
}

impl Makeup {
    fn of(value: &str) -> Self {
        let mut makeup = Self::default();
        for c in value.chars() {
            let count = match c {
                'a'..='z' => &mut makeup.lower,
                'A'..='Z' => &mut makeup.upper,
                '0'..='9' => &mut makeup.digits,
                _ => &mut makeup.others,
            };
            *count = count.saturating_add(1);
        }
        makeup
    }

    fn letters(&self) -> usize {
        self.lower.saturating_add(self.upper)
    }
}

/// A value that is assigned to what is named a secret, a token or a key: long enough, of letters and digits, as irregular as
/// what a machine makes, and no name, path, address or date.
pub(super) fn secret(value: &str) -> bool {
    let makeup = Makeup::of(value);
    let mixed = makeup.digits > 0 && makeup.letters() > 0;
    value.len() >= SECRET_BYTES_MIN
        && mixed
        && super::pattern::entropy(value.as_bytes()) >= SECRET_ENTROPY_MIN
        && !is_code(value)
        && !is_place(value)
        && !is_words(value)
        && !is_made_up(value.as_bytes())
}

/// A value behind `password:` in prose or settings: of more than one kind of character, so that it is no word of the sentence.
pub(super) fn password(value: &str) -> bool {
    let makeup = Makeup::of(value);
    let capital_inside = value.chars().skip(1).any(|c| c.is_ascii_uppercase()) && makeup.lower > 0;
    let irregular = makeup.digits > 0 || makeup.others > 0 || capital_inside;
    is_password(value, &makeup) && irregular && !is_ordinary(value, &makeup)
}

/// A value that is assigned to what is named a password: in quotes, or without blanks around the sign.
pub(super) fn assigned_password(value: &str) -> bool {
    let makeup = Makeup::of(value);
    let plain = makeup.digits == 0 && makeup.others == 0 && (makeup.lower == 0 || makeup.upper == 0);
    is_password(value, &makeup) && (!plain || value.len() >= PLAIN_PASSWORD_BYTES_MIN) && !is_ordinary(value, &makeup)
}

/// What any password is.
fn is_password(value: &str, makeup: &Makeup) -> bool {
    let lower = value.to_ascii_lowercase();
    value.len() >= PASSWORD_BYTES_MIN
        && makeup.letters().saturating_add(makeup.digits) > 0
        && !NO_PASSWORDS.contains(&lower.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        && !is_code(value)
        && !is_place(value)
        && !is_made_up(value.as_bytes())
}

/// A word of a sentence with its apostrophe or hyphen, or what stands for a missing value.
fn is_ordinary(value: &str, makeup: &Makeup) -> bool {
    let joined = value.split(['-', '\'', '_', '.', '/']).all(|part| part.chars().all(|c| c.is_alphabetic()));
    joined && makeup.digits == 0 && makeup.others > 0
}

/// A variable, a call, a type or a member: `$PASS`, `os.environ["X"]`, `config.password`, `getPassword()`, `Option<String>`.
fn is_code(value: &str) -> bool {
    let sign = value.starts_with(['$', '@', '%', '&', '#', '*']) && value.chars().skip(1).all(is_of_name);
    let called = value.contains("()") || value.contains("](") || value.contains("->") || value.contains("::");
    let opened = ['(', '[', '{'].iter().any(|open| value.contains(*open))
        && value.split(['(', '[', '{']).next().is_some_and(is_member);
    sign || called || opened || is_member(value) && value.contains('.') || is_constant(value)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names between full stops, of which none has three digits in it.
fn is_member(value: &str) -> bool {
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
    let name =
        |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && part.chars().all(is_of_name);
    value.split('.').all(|part| name(part) && digits(part) < 3 && part.len() < 32)
}

/// The name of a variable of the environment: `DB_PASSWORD`.
fn is_constant(value: &str) -> bool {
    let of_constant = |c: char| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit();
    let digits = value.chars().filter(char::is_ascii_digit).count();
    value.contains('_') && digits < 3 && value.chars().all(of_constant)
}

/// A path, a URL or the name of a file.
fn is_place(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let path = value.starts_with(['/', '.', '~']) && value.contains('/') || value.starts_with("\\\\");
    path || lower.contains("://")
        || lower.starts_with("www.")
        || FILE_ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

/// Words and short numbers between hyphens: `gpt-4o-mini-2024-07-18`, `my-app-v2`.
fn is_words(value: &str) -> bool {
    let word = |part: &str| {
        let digits = part.chars().filter(char::is_ascii_digit).count();
        let letters = part.len().saturating_sub(digits);
        (letters == 0 && digits <= 4) || digits == 0 && part.len() <= 14 || part.len() <= 4
    };
    let mut parts = value.split(['-', '_', '.', ':', '/', '@']).filter(|part| !part.is_empty());
    parts.all(word)
}

/// `user:password`, in base64.
pub(super) fn basic(value: &str) -> bool {
    let decoded =
        STANDARD.decode(value).ok().or_else(|| base64::engine::general_purpose::STANDARD_NO_PAD.decode(value).ok());
    let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else { return false };
    let readable = text.chars().all(|c| !c.is_control());
    let password = text.split_once(':').map(|(_user, password)| password);
    readable && password.is_some_and(|password| password.len() >= 2 && !is_made_up(password.as_bytes()))
}

/// A connection string whose password is a value.
pub(super) fn connection_string(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let named =
        ["password=", "pwd=", "password =", "pwd ="].iter().filter_map(|name| Some((lower.find(name)?, name.len())));
    let Some((at, length)) = named.min() else { return true };
    let rest = lower.get(at.saturating_add(length)..).unwrap_or_default().trim_start();
    let password = rest.split([';', '&', ',', ' ', '"', '\'']).next().unwrap_or_default();
    let variable = password.starts_with(['$', '%', '{', '<', '@']) || NO_PASSWORDS.contains(&password);
    !password.is_empty() && !variable && !is_made_up(password.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written so that no secret stands in this file.
    fn random(length: usize) -> String {
        "aB3dE5fG7hJ9kL2mN4pQ6rS8tU".chars().cycle().take(length).collect()
    }

    #[test]
    fn what_a_machine_made_is_a_secret_and_what_a_person_named_is_not() {
        for value in [
            &random(20),
            &random(40),
            &format!("{}==", random(22)),
            "9f86d081884c7d659a2feaa0c55ad015",
            "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        ] {
            assert!(secret(value), "{value}");
        }
        for value in [
            "os.environ.get",
            "process.env.API_TOKEN",
            "config.api_key2",
            "getToken1()",
            "gpt-4o-mini-2024-07-18",
            "my-service-token-v2",
            "/run/secrets/token_1",
            "https://example.com/a1b2",
            "2024-07-18",
            "1234567890",
            "API_TOKEN_2",
            "abcdefghijkl",
            "short1",
            "YOUR_API_KEY_1",
            "token1.json",
        ] {
            assert!(!secret(value), "{value}");
        }
    }

    #[test]
    fn passwords_of_prose_have_more_than_letters() {
        for value in ["Soleil2024!", "tr0ub4dor&3", "hunter2", "correctHorse", "azerty123"] {
            assert!(password(value), "{value}");
        }
        for value in [
            "required",
            "Required",
            "oublié",
            "string",
            "getPassword()",
            "self.password",
            "$PASSWORD",
            "c'est-à-dire",
            "null",
            "****",
        ] {
            assert!(!password(value), "{value}");
        }
    }

    #[test]
    fn an_assigned_password_may_be_a_word() {
        for value in ["letmein", "Soleil2024!", "a1b2"] {
            assert!(assigned_password(value), "{value}");
        }
        for value in ["true", "None", "abc", "DB_PASSWORD", "password", "${PASS}", "config.password"] {
            assert!(!assigned_password(value), "{value}");
        }
    }

    #[test]
    fn connection_strings_and_basic_credentials_hold_a_value() {
        assert!(connection_string("Server=db;Password=s3cr3t;"));
        assert!(!connection_string("Server=db;Password=${PASS};") && !connection_string("Server=db;Pwd=;"));
        assert!(basic(&STANDARD.encode("jean:s3cr3t")));
        assert!(!basic(&STANDARD.encode("jean s3cr3t")) && !basic("basically"));
    }

    #[test]
    fn words_are_in_order() {
        let mut sorted = NO_PASSWORDS.to_vec();
        sorted.sort_unstable();
        assert!(sorted.iter().all(|word| NO_PASSWORDS.contains(word)));
    }
}
