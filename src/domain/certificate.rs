//! What a certificate calls its holder: one name out of its subject alternative names (RFC 5280, section 4.2.1.6), or its common
//! name where it has none of them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name in a certificate that anything is granted to, in bytes; a host name has 253 at most (RFC 1035).
pub const CERTIFICATE_NAME_BYTES_MAX: usize = 512;

/// Which field of the certificate a name stands in. The same text in two fields is two names: authorities check them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// A `uniformResourceIdentifier`, such as a SPIFFE id.
    Uri,
    /// A `dNSName`.
    Dns,
    /// An `rfc822Name`: an e-mail address.
    Email,
    /// The common name of the subject, for certificates without any of the above.
    CommonName,
}

impl NameKind {
    const ALL: [Self; 4] = [Self::Uri, Self::Dns, Self::Email, Self::CommonName];

    /// The word before the name in settings, logs and the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Dns => "dns",
            Self::Email => "email",
            Self::CommonName => "cn",
        }
    }
}

/// A name in a certificate with its field: `uri:spiffe://acme/ci`, `dns:ci.acme.example`, `email:ann@acme.example`, `cn:ann`.
///
/// Names are compared byte by byte, DNS names without regard to the case of ASCII letters (RFC 4343). There are no wildcards.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateName {
    kind: NameKind,
    text: Arc<str>,
}

/// Why a text is no name in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a name in a certificate: expected uri:, dns:, email: or cn: and then 1 to 512 bytes without control characters or wildcards"
)]
pub struct InvalidCertificateName;

impl CertificateName {
    /// The name in a field of a certificate.
    ///
    /// # Errors
    /// It is empty, too long, has control characters, or is a DNS name with a wildcard, which names nobody in particular.
    pub fn new(kind: NameKind, text: &str) -> Result<Self, InvalidCertificateName> {
        let wild = kind == NameKind::Dns && text.contains('*');
        if text.is_empty() || text.len() > CERTIFICATE_NAME_BYTES_MAX || text.chars().any(char::is_control) || wild {
            return Err(InvalidCertificateName);
        }
        let text = if kind == NameKind::Dns { text.to_ascii_lowercase().into() } else { text.into() };
        Ok(Self { kind, text })
    }

    /// The field that it stands in.
    #[must_use]
    pub fn kind(&self) -> NameKind {
        self.kind
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.text)
    }
}

impl fmt::Debug for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CertificateName {
    type Err = InvalidCertificateName;

    fn from_str(text: &str) -> Result<Self, InvalidCertificateName> {
        let (word, name) = text.split_once(':').ok_or(InvalidCertificateName)?;
        let kind = NameKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(InvalidCertificateName)?;
        Self::new(kind, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_in_which_field_it_stands() {
        for text in ["uri:spiffe://acme/ci", "dns:ci.acme.example", "email:ann@acme.example", "cn:Ann Example"] {
            let name: CertificateName = text.parse().expect("a name");
            assert_eq!(name.to_string(), text);
        }
        let parsed = |text: &str| text.parse::<CertificateName>().expect("a name");
        assert_ne!(parsed("cn:ann"), parsed("dns:ann"));
        assert_eq!(parsed("dns:CI.Acme.example"), parsed("dns:ci.acme.example"));
        assert_ne!(parsed("cn:Ann"), parsed("cn:ann"));
    }

    #[test]
    fn what_names_nobody_in_particular_is_no_name() {
        let long = format!("cn:{}", "x".repeat(CERTIFICATE_NAME_BYTES_MAX + 1));
        for text in
            ["", "ann", ":ann", "cn:", "CN:ann", "ip:1.2.3.4", "dns:*.acme.example", "cn:ann\0", "cn:a\nb", &long]
        {
            assert_eq!(text.parse::<CertificateName>(), Err(InvalidCertificateName), "{text:?}");
        }
    }
}
