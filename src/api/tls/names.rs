//! What a certificate says of its holder and of its time. Pure. What comes here was checked by rustls, or is the daemon's own.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use crate::domain::certificate::{CertificateName, NameKind};
use crate::domain::clock::Timestamp;

/// The most names of one certificate that are looked at. One with more names nobody.
const NAMES_MAX: usize = 64;
/// `id-at-commonName` (X.520).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The names in a certificate: its URIs, DNS names and e-mail addresses (RFC 5280, section 4.2.1.6); where it has none of them, its
/// common names. None where it cannot be read.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<CertificateName> {
    let Ok(certificate) = Certificate::from_der(certificate) else { return Vec::new() };
    let certificate = &certificate.tbs_certificate;
    let alternative = match certificate.get::<SubjectAltName>() {
        Ok(found) => found.map_or_else(Vec::new, |(_, SubjectAltName(names))| names),
        // One that cannot be read may name anybody.
        Err(_) => return Vec::new(),
    };
    let named = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(text) => Some((NameKind::Uri, text.as_str().to_owned())),
        GeneralName::DnsName(text) => Some((NameKind::Dns, text.as_str().to_owned())),
        GeneralName::Rfc822Name(text) => Some((NameKind::Email, text.as_str().to_owned())),
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::IpAddress(_)
        | GeneralName::RegisteredId(_) => None,
    };
    let mut found: Vec<(NameKind, String)> = alternative.iter().filter_map(named).collect();
    if found.is_empty() {
        let attributes = certificate.subject.0.iter().flat_map(|set| set.0.iter());
        found = attributes.filter_map(common_name).map(|text| (NameKind::CommonName, text)).collect();
    }
    if found.len() > NAMES_MAX {
        return Vec::new();
    }
    found.into_iter().filter_map(|(kind, text)| CertificateName::new(kind, &text).ok()).collect()
}

fn common_name(attribute: &AttributeTypeAndValue) -> Option<String> {
    if attribute.oid != COMMON_NAME {
        return None;
    }
    let value = &attribute.value;
    // No other string of X.520 is in use, and a name that is not read grants nothing.
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
    let ia5 = || value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| printable()).or_else(|_| ia5()).ok()
}

/// When a certificate expires.
pub(super) fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    timestamp(&certificate.tbs_certificate.validity.not_after)
}

/// A time of a certificate or list.
pub(super) fn timestamp(time: &Time) -> Option<Timestamp> {
    let micros = i64::try_from(time.to_unix_duration().as_micros()).ok()?;
    Some(Timestamp::from_micros(micros))
}
