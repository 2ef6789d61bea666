//! What can be found in a text that must not leave it: the kinds, and how their names are read.
//!
//! Names are those of Presidio's entities where it has one; secrets carry the name of who issued them. Operators add kinds of
//! their own, whose names begin with [`CUSTOM_PREFIX`], so that a misspelt name of ours is never taken for one of theirs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How the names begin that operators give to kinds of their own.
pub const CUSTOM_PREFIX: &str = "CUSTOM_";

/// The most names of operators' kinds that a process learns; they are kept for as long as it runs.
pub const CUSTOM_MAX: usize = 1_024;

/// The longest name of a kind, in bytes.
pub const NAME_BYTES_MAX: usize = 48;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(&'static str);

/// Kinds that are treated alike unless a rule names one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What tells of a person, or of who is paid.
    Personal,
    /// What opens a door.
    Secret,
}

impl Group {
    /// Every group, with the name that rules use for it.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Personal, "PERSONAL_DATA"), (Self::Secret, "SECRETS")];

    /// The name that rules use for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "PERSONAL_DATA",
            Self::Secret => "SECRETS",
        }
    }

    /// The group that a name is of.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(group, _)| *group)
    }
}

/// In what the spellings of one value agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormalForm {
    /// Nothing else is the same value.
    AsWritten,
    /// Case does not matter.
    Lowercase,
    /// Only digits matter, and a leading plus sign.
    Digits,
    /// Only ASCII letters and digits matter, in capitals.
    Letters,
    /// Case and the amount of white space do not matter.
    Words,
}

/// Why a name is not one of a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is neither a shipped kind nor a name that an operator may give.
    #[error("{0:?} is no type of finding; those of your own begin with CUSTOM_, in capitals, digits and underscores")]
    Unknown(String),
    /// Too many names were learnt.
    #[error("this daemon has learnt {CUSTOM_MAX} names of types already; it learns more after a restart")]
    TooMany,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident: $group:ident, $form:ident;)*) => {
        impl Kind {
            $($(#[doc = $doc])* pub const $name: Self = Self(stringify!($name));)*

            /// Every kind that is shipped.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it is treated like. An operator's kind is treated as personal data.
            #[must_use]
            pub fn group(self) -> Group {
                match self {
                    $(Self::$name => Group::$group,)*
                    _ => Group::Personal,
                }
            }

            /// In what the spellings of one value agree.
            #[must_use]
            pub fn normal_form(self) -> NormalForm {
                match self {
                    $(Self::$name => NormalForm::$form,)*
                    _ => NormalForm::AsWritten,
                }
            }
        }
    };
}

kinds! {
    /// An e-mail address.
    EMAIL_ADDRESS: Personal, Lowercase;
    /// A telephone number of any region.
    PHONE_NUMBER: Personal, Digits;
    /// A person's name.
    PERSON: Personal, Words;
    /// A postal address.
    LOCATION: Personal, Words;
    /// A date of birth.
    DATE_OF_BIRTH: Personal, AsWritten;
    /// A payment card's number.
    CREDIT_CARD: Personal, Digits;
    /// An international bank account number.
    IBAN_CODE: Personal, Letters;
    /// The address of a wallet.
    CRYPTO: Personal, AsWritten;
    /// An address of the internet protocol, version 4 or 6.
    IP_ADDRESS: Personal, Lowercase;
    /// The address of a network card.
    MAC_ADDRESS: Personal, Letters;
    /// A passport's number.
    PASSPORT: Personal, Letters;
    /// An identity card's number.
    ID_CARD: Personal, Letters;
    /// France: the number of social security.
    FR_NIR: Personal, Letters;
    /// France: a company's number.
    FR_SIREN: Personal, Digits;
    /// France: a company's site.
    FR_SIRET: Personal, Digits;
    /// France: a number of value-added tax.
    FR_TVA: Personal, Letters;
    /// United States: the number of social security.
    US_SSN: Personal, Digits;
    /// United States: a taxpayer without one of social security.
    US_ITIN: Personal, Digits;
    /// United Kingdom: the number of the health service.
    UK_NHS: Personal, Digits;
    /// United Kingdom: the number of national insurance.
    UK_NINO: Personal, Letters;
    /// Spain: a citizen's number.
    ES_NIF: Personal, Letters;
    /// Spain: a foreigner's number.
    ES_NIE: Personal, Letters;
    /// Italy: the fiscal code.
    IT_FISCAL_CODE: Personal, Letters;
    /// Germany: the tax identification number.
    DE_TAX_ID: Personal, Digits;
    /// Belgium: the number of the national register.
    BE_NATIONAL_NUMBER: Personal, Digits;
    /// Netherlands: a citizen's service number.
    NL_BSN: Personal, Digits;
    /// Poland: the number of the population register.
    PL_PESEL: Personal, Digits;
    /// Portugal: a taxpayer's number.
    PT_NIF: Personal, Digits;
    /// Switzerland: the number of social security.
    CH_AHV: Personal, Digits;
    /// A URL with a user and a password in it.
    URL_CREDENTIALS: Secret, AsWritten;
    /// A connection string with a password in it.
    CONNECTION_STRING: Secret, AsWritten;
    /// A value of high entropy, assigned to what is named like a secret.
    GENERIC_SECRET: Secret, AsWritten;
    /// A password that is named as one.
    PASSWORD: Secret, AsWritten;
    /// A private key in PEM form.
    PRIVATE_KEY: Secret, AsWritten;
    /// A JSON web token.
    JSON_WEB_TOKEN: Secret, AsWritten;
    /// The id of an Amazon Web Services access key.
    AWS_ACCESS_KEY: Secret, AsWritten;
    /// The secret half of an Amazon Web Services access key.
    AWS_SECRET_KEY: Secret, AsWritten;
    /// A GitHub token.
    GITHUB_TOKEN: Secret, AsWritten;
    /// A GitLab token.
    GITLAB_TOKEN: Secret, AsWritten;
    /// A Slack token or incoming webhook.
    SLACK_TOKEN: Secret, AsWritten;
    /// A Stripe secret or restricted key.
    STRIPE_KEY: Secret, AsWritten;
    /// An `OpenAI` key, or one of the same form.
    OPENAI_KEY: Secret, AsWritten;
    /// An Anthropic key.
    ANTHROPIC_KEY: Secret, AsWritten;
    /// A Google API key.
    GOOGLE_API_KEY: Secret, AsWritten;
    /// A Hugging Face token.
    HUGGING_FACE_TOKEN: Secret, AsWritten;
    /// An npm token.
    NPM_TOKEN: Secret, AsWritten;
    /// A Python package index token.
    PYPI_TOKEN: Secret, AsWritten;
    /// A `SendGrid` key.
    SENDGRID_KEY: Secret, AsWritten;
    /// A Twilio key.
    TWILIO_KEY: Secret, AsWritten;
    /// The token of a temporary Amazon Web Services session.
    AWS_SESSION_TOKEN: Secret, AsWritten;
    /// A key, client secret or shared access signature of Microsoft Azure.
    AZURE_KEY: Secret, AsWritten;
    /// A Google OAuth token or client's secret.
    GOOGLE_OAUTH_TOKEN: Secret, AsWritten;
    /// A `DigitalOcean` token.
    DIGITALOCEAN_TOKEN: Secret, AsWritten;
    /// The id of an Alibaba Cloud access key.
    ALIBABA_KEY: Secret, AsWritten;
    /// The id of a Tencent Cloud secret.
    TENCENT_KEY: Secret, AsWritten;
    /// A Cloudflare token or key.
    CLOUDFLARE_KEY: Secret, AsWritten;
    /// A Heroku key.
    HEROKU_KEY: Secret, AsWritten;
    /// A Scaleway key.
    SCALEWAY_KEY: Secret, AsWritten;
    /// An OVHcloud key.
    OVH_KEY: Secret, AsWritten;
    /// A Bitbucket token.
    BITBUCKET_TOKEN: Secret, AsWritten;
    /// An Atlassian token.
    ATLASSIAN_TOKEN: Secret, AsWritten;
    /// An Azure DevOps token.
    AZURE_DEVOPS_TOKEN: Secret, AsWritten;
    /// A `RubyGems` key.
    RUBYGEMS_KEY: Secret, AsWritten;
    /// A Docker token, or what a registry is logged in to with.
    DOCKER_TOKEN: Secret, AsWritten;
    /// A `CircleCI` token.
    CIRCLECI_TOKEN: Secret, AsWritten;
    /// A Vercel token.
    VERCEL_TOKEN: Secret, AsWritten;
    /// A Netlify token.
    NETLIFY_TOKEN: Secret, AsWritten;
    /// A Square key.
    SQUARE_KEY: Secret, AsWritten;
    /// A PayPal or Braintree key.
    PAYPAL_KEY: Secret, AsWritten;
    /// An Adyen key.
    ADYEN_KEY: Secret, AsWritten;
    /// A Shopify token.
    SHOPIFY_TOKEN: Secret, AsWritten;
    /// A Discord bot token or webhook.
    DISCORD_TOKEN: Secret, AsWritten;
    /// A Telegram bot token.
    TELEGRAM_TOKEN: Secret, AsWritten;
    /// A Mailgun key.
    MAILGUN_KEY: Secret, AsWritten;
    /// A Mailchimp or Mandrill key.
    MAILCHIMP_KEY: Secret, AsWritten;
    /// A Microsoft Teams webhook.
    TEAMS_WEBHOOK: Secret, AsWritten;
    /// A Mistral key.
    MISTRAL_KEY: Secret, AsWritten;
    /// A Groq key.
    GROQ_KEY: Secret, AsWritten;
    /// A Perplexity key.
    PERPLEXITY_KEY: Secret, AsWritten;
    /// An xAI key.
    XAI_KEY: Secret, AsWritten;
    /// A Replicate token.
    REPLICATE_TOKEN: Secret, AsWritten;
    /// A Cohere key.
    COHERE_KEY: Secret, AsWritten;
    /// A Datadog key.
    DATADOG_KEY: Secret, AsWritten;
    /// A New Relic key.
    NEW_RELIC_KEY: Secret, AsWritten;
    /// A Sentry token.
    SENTRY_TOKEN: Secret, AsWritten;
    /// A Grafana token.
    GRAFANA_TOKEN: Secret, AsWritten;
    /// A `HashiCorp` Vault token.
    VAULT_TOKEN: Secret, AsWritten;
    /// A Databricks token.
    DATABRICKS_TOKEN: Secret, AsWritten;
    /// A `PlanetScale` token or password.
    PLANETSCALE_TOKEN: Secret, AsWritten;
    /// A Supabase key.
    SUPABASE_KEY: Secret, AsWritten;
    /// A key in the form of a vendor without a type of its own.
    VENDOR_KEY: Secret, AsWritten;
}

/// Names that operators gave, each kept once.
static LEARNT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl Kind {
    /// The name that the API, pseudonyms, rules and metrics use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The kind of this name: a shipped one, or an operator's, which is learnt.
    ///
    /// # Errors
    /// It is no name of a kind, or too many were learnt.
    pub fn named(name: &str) -> Result<Self, NameError> {
        if let Some(shipped) = Self::ALL.iter().find(|kind| kind.0 == name) {
            return Ok(*shipped);
        }
        let of_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let own = name.strip_prefix(CUSTOM_PREFIX).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(of_name));
        if !own || name.len() > NAME_BYTES_MAX {
            return Err(NameError::Unknown(name.to_owned()));
        }
        let mut learnt = LEARNT.lock().unwrap_or_else(PoisonError::into_inner);
        match learnt.get(name) {
            Some(known) => Ok(Self(known)),
            None if learnt.len() >= CUSTOM_MAX => Err(NameError::TooMany),
            None => {
                // A kind is copied freely; the limit above bounds what is never given back.
                let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
                learnt.insert(kept);
                Ok(Self(kept))
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.as_str()), Ok(*kind));
        }
        let own = Kind::named("CUSTOM_BADGE").expect("an operator's kind");
        assert_eq!(Kind::named("CUSTOM_BADGE"), Ok(own));
        assert_eq!((own.as_str(), own.group()), ("CUSTOM_BADGE", Group::Personal));
    }

    #[test]
    fn no_two_kinds_share_a_name() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn a_misspelt_name_is_not_learnt() {
        let long = format!("CUSTOM_{}", "A".repeat(NAME_BYTES_MAX));
        for name in ["EMAIL", "email_address", "CUSTOM_", "CUSTOM_badge", "CUSTOM_A-B", "", long.as_str()] {
            assert_eq!(Kind::named(name), Err(NameError::Unknown(name.to_owned())), "{name}");
        }
    }
}
