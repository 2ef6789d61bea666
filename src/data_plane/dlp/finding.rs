//! What detectors report: kinds, scores, spans, counts.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// What was found. Names follow Presidio's entity names; secrets carry the name of who issued them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An e-mail address.
    EmailAddress,
    /// A payment card's number.
    CreditCard,
    /// An international bank account number.
    IbanCode,
    /// A telephone number.
    PhoneNumber,
    /// A URL with a user and a password in it.
    UrlCredentials,
    /// The id of an Amazon Web Services access key.
    AwsAccessKey,
    /// The secret half of an Amazon Web Services access key.
    AwsSecretKey,
    /// A GitHub token.
    GithubToken,
    /// A GitLab token.
    GitlabToken,
    /// A Slack token or incoming webhook.
    SlackToken,
    /// A Stripe secret or restricted key.
    StripeKey,
    /// An `OpenAI` key, or one of the same form.
    OpenaiKey,
    /// An Anthropic key.
    AnthropicKey,
    /// A Google API key.
    GoogleApiKey,
    /// A Hugging Face token.
    HuggingFaceToken,
    /// An npm token.
    NpmToken,
    /// A Python package index token.
    PypiToken,
    /// A `SendGrid` key.
    SendgridKey,
    /// A Twilio key.
    TwilioKey,
    /// A signed JSON web token.
    JsonWebToken,
    /// A private key in PEM form.
    PrivateKey,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::EmailAddress,
        Self::CreditCard,
        Self::IbanCode,
        Self::PhoneNumber,
        Self::UrlCredentials,
        Self::AwsAccessKey,
        Self::AwsSecretKey,
        Self::GithubToken,
        Self::GitlabToken,
        Self::SlackToken,
        Self::StripeKey,
        Self::OpenaiKey,
        Self::AnthropicKey,
        Self::GoogleApiKey,
        Self::HuggingFaceToken,
        Self::NpmToken,
        Self::PypiToken,
        Self::SendgridKey,
        Self::TwilioKey,
        Self::JsonWebToken,
        Self::PrivateKey,
    ];

    /// The name that the API, pseudonyms and metrics use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmailAddress => "EMAIL_ADDRESS",
            Self::CreditCard => "CREDIT_CARD",
            Self::IbanCode => "IBAN_CODE",
            Self::PhoneNumber => "PHONE_NUMBER",
            Self::UrlCredentials => "URL_CREDENTIALS",
            Self::AwsAccessKey => "AWS_ACCESS_KEY",
            Self::AwsSecretKey => "AWS_SECRET_KEY",
            Self::GithubToken => "GITHUB_TOKEN",
            Self::GitlabToken => "GITLAB_TOKEN",
            Self::SlackToken => "SLACK_TOKEN",
            Self::StripeKey => "STRIPE_KEY",
            Self::OpenaiKey => "OPENAI_KEY",
            Self::AnthropicKey => "ANTHROPIC_KEY",
            Self::GoogleApiKey => "GOOGLE_API_KEY",
            Self::HuggingFaceToken => "HUGGING_FACE_TOKEN",
            Self::NpmToken => "NPM_TOKEN",
            Self::PypiToken => "PYPI_TOKEN",
            Self::SendgridKey => "SENDGRID_KEY",
            Self::TwilioKey => "TWILIO_KEY",
            Self::JsonWebToken => "JSON_WEB_TOKEN",
            Self::PrivateKey => "PRIVATE_KEY",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How sure a detector is, in hundredths. Whole numbers, so that findings have a total order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// A checksum or an unmistakable form agrees.
    pub const CERTAIN: Self = Self(100);
    /// The form is its issuer's own.
    pub const HIGH: Self = Self(95);
    /// The form and a word beside it, or a second check, agree.
    pub const LIKELY: Self = Self(75);
    /// The form alone.
    pub const PLAUSIBLE: Self = Self(60);

    /// The score between 0 and 1.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// One finding in a text: bytes `start..end`, both on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// Beyond its last byte.
    pub end: usize,
    /// How sure the detector is.
    pub score: Score,
}

impl Finding {
    /// Its bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// How many bytes it spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether it spans nothing; no detector reports that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many findings there were of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Kind, u64>);

impl Counts {
    /// Counts the findings of a text in.
    pub fn add(&mut self, findings: &[Finding]) {
        for finding in findings {
            let count = self.0.entry(finding.kind).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    /// Each kind that was found, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many findings there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}
