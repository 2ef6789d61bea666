//! From a client certificate to a grant. Pure; that the certificate is good was seen at the handshake.

use std::collections::BTreeMap;

use crate::config::settings::CertificateGrant;
use crate::domain::certificate::CertificateName;

use super::error::Error;
use super::principal::{Holder, Principal, Via};

/// Who the holder of a certificate is: whom the settings grant something to under one of its names.
///
/// # Errors
/// Nothing is granted to any of them; or different things to several, and nobody could say which was meant.
pub(super) fn judge(
    granted: &BTreeMap<CertificateName, CertificateGrant>,
    holder: &Holder,
) -> Result<Principal, Error> {
    let mut known = holder.names.iter().filter_map(|name| granted.get_key_value(name));
    let (name, found) = known.next().ok_or(Error::CertificateUnknown)?;
    if known.any(|(_, other)| other != found) {
        return Err(Error::CertificateAmbiguous);
    }
    let CertificateGrant { grant, user } = found;
    Ok(Principal {
        name: format!("certificate:{name}").into(),
        user: user.clone(),
        role: grant.role,
        tenant: grant.tenant.clone(),
        rate: grant.rate,
        via: Via::Certificate(name.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{Grant, Rate, Role};

    fn granted(grants: &[(&str, Role, Option<&str>)]) -> BTreeMap<CertificateName, CertificateGrant> {
        let grant = |(name, role, user): &(&str, Role, Option<&str>)| {
            let grant = Grant { role: *role, tenant: None, rate: Rate::Default };
            let user = user.map(|user| user.parse().expect("a user"));
            (name.parse().expect("a name"), CertificateGrant { grant, user })
        };
        grants.iter().map(grant).collect()
    }

    fn holder(names: &[&str]) -> Holder {
        Holder { names: names.iter().map(|name| name.parse().expect("a name")).collect() }
    }

    #[test]
    fn the_holder_is_whom_something_is_granted_to_under_exactly_that_name() {
        let granted =
            granted(&[("uri:spiffe://acme/ci", Role::Submitter, Some("ann")), ("dns:ops.acme", Role::Operator, None)]);
        let ci = judge(&granted, &holder(&["dns:elsewhere", "uri:spiffe://acme/ci"])).expect("granted");
        assert_eq!((&*ci.name, ci.role), ("certificate:uri:spiffe://acme/ci", Role::Submitter));
        assert_eq!(ci.user.map(|user| user.to_string()).as_deref(), Some("ann"));
        assert_eq!(judge(&granted, &holder(&["dns:OPS.acme"])).map(|ops| ops.role), Ok(Role::Operator));
        for stranger in
            [&[][..], &["cn:ops.acme"], &["uri:spiffe://acme/ci2"], &["uri:spiffe://acme/CI"], &["dns:x.ops.acme"]]
        {
            assert_eq!(judge(&granted, &holder(stranger)), Err(Error::CertificateUnknown), "{stranger:?}");
        }
    }

    #[test]
    fn a_certificate_under_whose_names_different_things_are_granted_is_nobody() {
        let granted =
            granted(&[("dns:a", Role::Viewer, None), ("dns:b", Role::Admin, None), ("dns:c", Role::Viewer, None)]);
        assert_eq!(judge(&granted, &holder(&["dns:a", "dns:b"])), Err(Error::CertificateAmbiguous));
        assert_eq!(judge(&granted, &holder(&["dns:a", "dns:c"])).map(|known| known.role), Ok(Role::Viewer));
    }
}
