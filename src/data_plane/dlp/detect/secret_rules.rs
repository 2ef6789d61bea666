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
    rule(Kind::AWS_ACCESS_KEY, "AKIA", Class::Capitals, 16, 16),
    rule(Kind::AWS_ACCESS_KEY, "ASIA", Class::Capitals, 16, 16),
    special(Kind::AWS_SECRET_KEY, "aws_secret_access_key", Form::Assigned),
    special(Kind::AWS_SECRET_KEY, "AWS_SECRET_ACCESS_KEY", Form::Assigned),
    special(Kind::AWS_SECRET_KEY, "SecretAccessKey", Form::Assigned),
    rule(Kind::GITHUB_TOKEN, "ghp_", Class::Alphanumeric, 36, 255),
    rule(Kind::GITHUB_TOKEN, "gho_", Class::Alphanumeric, 36, 255),
    rule(Kind::GITHUB_TOKEN, "ghu_", Class::Alphanumeric, 36, 255),
    rule(Kind::GITHUB_TOKEN, "ghs_", Class::Alphanumeric, 36, 255),
    rule(Kind::GITHUB_TOKEN, "ghr_", Class::Alphanumeric, 36, 255),
    rule(Kind::GITHUB_TOKEN, "github_pat_", Class::Word, 22, 255),
    rule(Kind::GITLAB_TOKEN, "glpat-", Class::Base64Url, 20, OPEN),
    rule(Kind::GITLAB_TOKEN, "gldt-", Class::Base64Url, 20, OPEN),
    rule(Kind::GITLAB_TOKEN, "glrt-", Class::Base64Url, 20, OPEN),
    rule(Kind::GITLAB_TOKEN, "glptt-", Class::Base64Url, 20, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxb-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxp-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxa-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxr-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxs-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxo-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxc-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxd-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xoxe-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "xapp-", Class::Base64Url, 10, OPEN),
    rule(Kind::SLACK_TOKEN, "https://hooks.slack.com/services/", Class::Path, 20, OPEN),
    rule(Kind::STRIPE_KEY, "sk_live_", Class::Alphanumeric, 16, 255),
    rule(Kind::STRIPE_KEY, "rk_live_", Class::Alphanumeric, 16, 255),
    rule(Kind::STRIPE_KEY, "sk_test_", Class::Alphanumeric, 16, 255),
    rule(Kind::STRIPE_KEY, "rk_test_", Class::Alphanumeric, 16, 255),
    rule(Kind::STRIPE_KEY, "whsec_", Class::Alphanumeric, 24, 255),
    rule(Kind::OPENAI_KEY, "sk-", Class::Alphanumeric, 32, OPEN),
    rule(Kind::OPENAI_KEY, "sk-proj-", Class::Base64Url, 20, OPEN),
    rule(Kind::OPENAI_KEY, "sk-svcacct-", Class::Base64Url, 20, OPEN),
    rule(Kind::OPENAI_KEY, "sk-admin-", Class::Base64Url, 20, OPEN),
    rule(Kind::OPENAI_KEY, "sk-or-v1-", Class::Base64Url, 20, OPEN),
    rule(Kind::ANTHROPIC_KEY, "sk-ant-", Class::Base64Url, 20, OPEN),
    rule(Kind::GOOGLE_API_KEY, "AIza", Class::Base64Url, 35, 35),
    rule(Kind::HUGGING_FACE_TOKEN, "hf_", Class::Alphanumeric, 30, 64),
    rule(Kind::NPM_TOKEN, "npm_", Class::Alphanumeric, 36, 36),
    rule(Kind::PYPI_TOKEN, "pypi-", Class::Base64Url, 50, OPEN),
    special(Kind::SENDGRID_KEY, "SG.", Form::Parts),
    rule(Kind::TWILIO_KEY, "SK", Class::Hex, 32, 32),
    special(Kind::JSON_WEB_TOKEN, "eyJ", Form::WebToken),
    special(Kind::PRIVATE_KEY, "-----BEGIN", Form::Pem),
    special(Kind::URL_CREDENTIALS, "://", Form::UserInfo),
];
