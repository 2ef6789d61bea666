//! `[api.tls]`.

use std::path::PathBuf;

use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::{ClientAuth, Tls, TlsClients};
use crate::config::value;

const CLIENT_AUTH: &[(&str, ClientAuth)] = &[("required", ClientAuth::Required), ("optional", ClientAuth::Optional)];

/// TLS, where the table is there at all; half of it is a mistake rather than a listener in the clear.
pub(super) fn read(mut section: Section, is_given: bool, report: &mut Report) -> Option<Tls> {
    let (certificate_file, key_file) = if is_given {
        (section.require(report, "certificate_file", path_from), section.require(report, "key_file", path_from))
    } else {
        (section.read(report, "certificate_file", path_from), section.read(report, "key_file", path_from))
    };
    let path = |section: &mut Section, report: &mut Report, key: &'static str| {
        section.read(report, key, path_from).map(|located| located.value)
    };
    let ca_file: Option<PathBuf> = path(&mut section, report, "client_ca_file");
    for needs in ["client_crl_file", "client_auth"] {
        if ca_file.is_none() && section.has(needs) {
            report.mistake(&section.place().clone(), &section.path_of(needs), "needs client_ca_file beside it");
        }
    }
    let crl_file = path(&mut section, report, "client_crl_file");
    let auth = section.read_or(report, "client_auth", ClientAuth::Required, value::one_of(CLIENT_AUTH));
    section.finish(report);
    let clients = ca_file.map(|ca_file| TlsClients { ca_file, crl_file, auth });
    Some(Tls { certificate_file: certificate_file?.value, key_file: key_file?.value, clients })
}
