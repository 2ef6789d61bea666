//! Sets of files, and handshakes over the loopback, with an authority of the tests' own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use super::*;
use crate::config::settings::{ClientAuth, TlsClients};
use crate::domain::failure::Failure as _;

/// An authority, with a directory of files.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let authority = Self { dir: tempfile::tempdir().expect("a directory"), issuer };
        authority.write("ca.pem", &authority.issuer.pem(), 0o644);
        let (certificate, key) =
            authority.sign(&[SanType::DnsName("localhost".try_into().expect("a name"))], 1, "server");
        authority.write("server.pem", &certificate, 0o644);
        authority.write("server.key", &key, 0o600);
        authority
    }

    /// A certificate and its key, in PEM.
    fn sign(&self, names: &[SanType], serial: u64, common_name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }

    /// A list of what is revoked, good until the year.
    fn revoke(&self, serials: &[u64], until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("signed").pem().expect("PEM")
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn settings(&self, crl: Option<&str>) -> settings::Tls {
        settings::Tls {
            certificate_file: self.path("server.pem"),
            key_file: self.path("server.key"),
            clients: Some(TlsClients {
                ca_file: self.path("ca.pem"),
                crl_file: crl.map(|name| self.path(name)),
                auth: ClientAuth::Required,
            }),
        }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read")
    }
}

fn code(settings: &settings::Tls) -> &'static str {
    match Tls::load(settings) {
        Ok(_) => "fine",
        Err(error) => error.code(),
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

#[test]
fn a_set_of_files_is_used_as_a_whole_or_not_at_all() {
    let authority = Authority::new();
    let settings = authority.settings(None);
    assert_eq!(code(&settings), "fine");
    let (server, key) = (authority.text("server.pem"), authority.text("server.key"));
    let (_, other_key) = authority.sign(&[], 9, "other");
    let cut = &server[..server.len() / 2];
    for (name, text, mode, expected) in [
        ("server.pem", cut, 0o644, "tls_file_malformed"),
        ("server.pem", "", 0o644, "tls_file_malformed"),
        ("server.pem", &key, 0o644, "tls_file_malformed"),
        ("server.pem", &server.replace('M', "!"), 0o644, "tls_file_malformed"),
        ("server.pem", &server, 0o666, "tls_file_exposed"),
        ("server.key", &key, 0o644, "tls_file_exposed"),
        ("server.key", &key[..60], 0o600, "tls_file_malformed"),
        ("server.key", &server, 0o600, "tls_file_malformed"),
        ("server.key", &other_key, 0o600, "tls_files_unusable"),
        ("ca.pem", "no authority", 0o644, "tls_file_malformed"),
        ("ca.pem", &authority.issuer.pem(), 0o662, "tls_file_exposed"),
    ] {
        let (good, good_mode) = (authority.text(name), if name == "server.key" { 0o600 } else { 0o644 });
        authority.write(name, text, mode);
        assert_eq!(code(&settings), expected, "{name} of {mode:o}: {text}");
        authority.write(name, &good, good_mode);
    }
    fs::remove_file(authority.path("server.pem")).expect("removed");
    assert_eq!(code(&settings), "tls_file_unreadable");
}

#[test]
fn a_list_of_revocations_that_cannot_be_read_is_refused() {
    let authority = Authority::new();
    let settings = authority.settings(Some("crl.pem"));
    let list = authority.revoke(&[], 2099);
    for (text, expected) in [
        (list.as_str(), "fine"),
        // It is used, and believes nobody: less is not known of a certificate than that.
        (&authority.revoke(&[], 2021), "fine"),
        (&list[..list.len() / 2], "tls_file_malformed"),
        (&list.replacen("MI", "MJ", 1), "tls_file_malformed"),
        ("", "tls_file_malformed"),
    ] {
        authority.write("crl.pem", text, 0o644);
        assert_eq!(code(&settings), expected, "{text}");
    }
}

#[test]
fn a_bad_new_set_keeps_the_old_one() {
    let authority = Authority::new();
    let settings = authority.settings(None);
    let tls = Tls::load(&settings).expect("a set");
    let before = tls.in_force();
    authority.write("server.key", "no key", 0o600);
    assert_eq!(tls.reload(&settings).expect_err("refused").code(), "tls_file_malformed");
    assert!(Arc::ptr_eq(&before, &tls.in_force()));
}

#[test]
fn only_certificates_of_the_authority_that_are_in_time_and_not_revoked_are_believed() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.write("crl.pem", &authority.revoke(&[7], 2099), 0o644);
    let settings = authority.settings(Some("crl.pem"));
    let tls = Tls::load(&settings).expect("a set");
    let believed = |pem: &str| tls.in_force().clients.as_ref().expect("clients").believe(&[der(pem)]);
    assert!(believed(&authority.sign(&[], 6, "ann").0));
    assert!(!believed(&authority.sign(&[], 7, "ann").0), "revoked");
    assert!(!believed(&stranger.sign(&[], 6, "ann").0), "of another authority");
    assert!(!tls.in_force().clients.as_ref().expect("clients").believe(&[]), "none");
    authority.write("crl.pem", &authority.revoke(&[], 2021), 0o644);
    tls.reload(&settings).expect("a set");
    assert!(!believed(&authority.sign(&[], 6, "ann").0), "the list is out of date");
}

#[tokio::test(start_paused = true)]
async fn whose_certificate_is_revoked_is_distrusted_once_that_is_known() {
    let authority = Authority::new();
    authority.write("crl.pem", &authority.revoke(&[], 2099), 0o644);
    let settings = authority.settings(Some("crl.pem"));
    let tls = Tls::load(&settings).expect("a set");
    let chain = vec![der(&authority.sign(&[], 7, "ann").0)];
    let distrusted = tokio::spawn(tls.clone().distrusts(chain));
    tls.reload(&settings).expect("the same set");
    tokio::time::sleep(VERIFIED_EVERY * 3).await;
    assert!(!distrusted.is_finished());
    authority.write("crl.pem", &authority.revoke(&[7], 2099), 0o644);
    tls.reload(&settings).expect("a set");
    distrusted.await.expect("it is over");
}

#[test]
fn names_come_from_the_alternative_names_and_else_from_the_common_name() {
    let authority = Authority::new();
    let uri = SanType::URI("spiffe://acme/ci".try_into().expect("a name"));
    let dns = SanType::DnsName("CI.acme.example".try_into().expect("a name"));
    let email = SanType::Rfc822Name("ann@acme.example".try_into().expect("a name"));
    let address = SanType::IpAddress([127, 0, 0, 1].into());
    let named = |names: &[SanType]| {
        let (pem, _) = authority.sign(names, 5, "Ann");
        names::names(&der(&pem)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(named(&[uri, dns, email]), ["uri:spiffe://acme/ci", "dns:ci.acme.example", "email:ann@acme.example"]);
    assert_eq!(named(&[address]), ["cn:Ann"], "an address names nobody");
    assert_eq!(named(&[]), ["cn:Ann"]);
    let many: Vec<_> = (0..65).map(|n| SanType::DnsName(format!("h{n}").try_into().expect("a name"))).collect();
    assert_eq!(named(&many), <[String; 0]>::default());
    assert_eq!(names::names(&CertificateDer::from(vec![0x30, 0x03, 1, 2])), []);
}

#[test]
fn a_key_is_kept_by_its_owner_alone() {
    let authority = Authority::new();
    let own = rustix::process::geteuid().as_raw();
    let key = authority.text("server.key");
    let readable = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        code(&authority.settings(None)) == "fine"
    };
    let path = authority.write("server.key", &key, 0o600);
    assert!(readable(&path, 0o600) && readable(&path, 0o400));
    assert!(!readable(&path, 0o604) && !readable(&path, 0o660) && !readable(&path, 0o644));
    // Root may share it with a group, and nobody else may.
    assert_eq!(readable(&path, 0o640), own == 0);
}
