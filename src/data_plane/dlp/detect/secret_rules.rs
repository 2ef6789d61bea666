//! The forms of known secrets, as data.

use crate::data_plane::dlp::finding::Kind;

/// How the rest of a secret is recognised after its first bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Characters of a class, so many of them.
    Body {
        /// The characters.
        class: Class,
        /// The fewest.
        least: usize,
        /// The most; what is longer is not the secret, unless `most` is [`OPEN`].
        most: usize,
    },
    /// `SendGrid`'s two parts with a full stop between them.
    Parts,
    /// Three base64url parts, the first a JSON object that names an algorithm.
    WebToken,
    /// Everything up to the closing line of a PEM block.
    Pem,
    /// User and password before the host of a URL.
    UserInfo,
    /// Forty characters of base64 after an equals sign or a colon.
    Assigned,
}

/// The characters of a secret.
#[derive(Debug, Clone, Copy)]
pub(super) enum Class {
    /// Capitals and digits.
    Capitals,
    /// Lowercase hexadecimal.
    Hex,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits and the underscore.
    Word,
    /// Letters, digits, underscore and hyphen.
    Base64Url,
    /// What the path of a URL has.
    Path,
}

impl Class {
    /// Whether a byte is of this class.
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'),
        }
    }
}

/// The most characters of a secret without a length of its own.
pub(super) const OPEN: usize = 512;

/// One form of one secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// What it is.
    pub(super) kind: Kind,
    /// The bytes without which there is none of it; the scan looks for these.
    pub(super) anchor: &'static str,
    /// What must follow.
    pub(super) form: Form,
}

const fn rule(kind: Kind, anchor: &'static str, class: Class, least: usize, most: usize) -> Rule {
    Rule { kind, anchor, form: Form::Body { class, least, most } }
}

const fn special(kind: Kind, anchor: &'static str, form: Form) -> Rule {
    Rule { kind, anchor, form }
}

/// Every rule. Of anchors that begin alike the longest is taken.
pub(super) const RULES: &[Rule] = &[
    rule(Kind::AwsAccessKey, "AKIA", Class::Capitals, 16, 16),
    rule(Kind::AwsAccessKey, "ASIA", Class::Capitals, 16, 16),
    special(Kind::AwsSecretKey, "aws_secret_access_key", Form::Assigned),
    special(Kind::AwsSecretKey, "AWS_SECRET_ACCESS_KEY", Form::Assigned),
    special(Kind::AwsSecretKey, "SecretAccessKey", Form::Assigned),
    rule(Kind::GithubToken, "ghp_", Class::Alphanumeric, 36, 255),
    rule(Kind::GithubToken, "gho_", Class::Alphanumeric, 36, 255),
    rule(Kind::GithubToken, "ghu_", Class::Alphanumeric, 36, 255),
    rule(Kind::GithubToken, "ghs_", Class::Alphanumeric, 36, 255),
    rule(Kind::GithubToken, "ghr_", Class::Alphanumeric, 36, 255),
    rule(Kind::GithubToken, "github_pat_", Class::Word, 22, 255),
    rule(Kind::GitlabToken, "glpat-", Class::Base64Url, 20, OPEN),
    rule(Kind::GitlabToken, "gldt-", Class::Base64Url, 20, OPEN),
    rule(Kind::GitlabToken, "glrt-", Class::Base64Url, 20, OPEN),
    rule(Kind::GitlabToken, "glptt-", Class::Base64Url, 20, OPEN),
    rule(Kind::SlackToken, "xoxb-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxp-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxa-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxr-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxs-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxo-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxc-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxd-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xoxe-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "xapp-", Class::Base64Url, 10, OPEN),
    rule(Kind::SlackToken, "https://hooks.slack.com/services/", Class::Path, 20, OPEN),
    rule(Kind::StripeKey, "sk_live_", Class::Alphanumeric, 16, 255),
    rule(Kind::StripeKey, "rk_live_", Class::Alphanumeric, 16, 255),
    rule(Kind::StripeKey, "sk_test_", Class::Alphanumeric, 16, 255),
    rule(Kind::StripeKey, "rk_test_", Class::Alphanumeric, 16, 255),
    rule(Kind::StripeKey, "whsec_", Class::Alphanumeric, 24, 255),
    rule(Kind::OpenaiKey, "sk-", Class::Alphanumeric, 32, OPEN),
    rule(Kind::OpenaiKey, "sk-proj-", Class::Base64Url, 20, OPEN),
    rule(Kind::OpenaiKey, "sk-svcacct-", Class::Base64Url, 20, OPEN),
    rule(Kind::OpenaiKey, "sk-admin-", Class::Base64Url, 20, OPEN),
    rule(Kind::OpenaiKey, "sk-or-v1-", Class::Base64Url, 20, OPEN),
    rule(Kind::AnthropicKey, "sk-ant-", Class::Base64Url, 20, OPEN),
    rule(Kind::GoogleApiKey, "AIza", Class::Base64Url, 35, 35),
    rule(Kind::HuggingFaceToken, "hf_", Class::Alphanumeric, 30, 64),
    rule(Kind::NpmToken, "npm_", Class::Alphanumeric, 36, 36),
    rule(Kind::PypiToken, "pypi-", Class::Base64Url, 50, OPEN),
    special(Kind::SendgridKey, "SG.", Form::Parts),
    rule(Kind::TwilioKey, "SK", Class::Hex, 32, 32),
    special(Kind::JsonWebToken, "eyJ", Form::WebToken),
    special(Kind::PrivateKey, "-----BEGIN", Form::Pem),
    special(Kind::UrlCredentials, "://", Form::UserInfo),
];
