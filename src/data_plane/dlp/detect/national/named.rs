//! The checks by name, for operators' rules. A value may have its separators, and small letters.

use super::{anglophone, france, north, south};
use crate::data_plane::dlp::detect::{network, wallet};

/// The most letters and digits that a check looks at; what has more is no such number.
const CHARACTERS_MAX: usize = 32;

macro_rules! checks {
    ($($name:ident: $check:expr;)*) => {
        $(fn $name(value: &str) -> bool {
            ($check)(value)
        })*

        /// Every check, in the order of names.
        pub(in crate::data_plane::dlp::detect) const CHECKS: &[(&str, fn(&str) -> bool)] = &[
            $((stringify!($name), $name),)*
        ];
    };
}

checks! {
    be_national_number: |value: &str| is(value, north::national_number);
    ch_ahv: |value: &str| is(value, north::ahv);
    de_tax_id: |value: &str| is(value, north::steuer_id);
    es_nie: |value: &str| is(value, south::nie);
    es_nif: |value: &str| is(value, south::nif);
    fr_nir: |value: &str| is(value, france::nir);
    fr_siren: |value: &str| is(value, france::siren);
    fr_siret: |value: &str| is(value, france::siret);
    fr_tva: |value: &str| is(value, france::tva);
    ip_address: network::is_ip;
    it_fiscal_code: |value: &str| is(value, south::codice_fiscale);
    mac_address: network::is_mac;
    nl_bsn: |value: &str| is(value, north::bsn);
    pl_pesel: |value: &str| is(value, north::pesel);
    pt_nif: |value: &str| is(value, south::contribuinte);
    uk_nhs: |value: &str| is(value, anglophone::nhs);
    uk_nino: |value: &str| is(value, anglophone::nino);
    us_itin: |value: &str| is(value, anglophone::itin);
    us_ssn: |value: &str| is(value, anglophone::ssn);
    wallet: wallet::is_address;
}

/// Whether the letters and digits of a value, in capitals, pass the check.
fn is(value: &str, check: fn(&[u8]) -> bool) -> bool {
    let mut characters = [0_u8; CHARACTERS_MAX];
    let mut len: usize = 0;
    for byte in value.bytes().filter(u8::is_ascii_alphanumeric) {
        let Some(place) = characters.get_mut(len) else { return false };
        *place = byte.to_ascii_uppercase();
        len = len.saturating_add(1);
    }
    characters.get(..len).is_some_and(check)
}
