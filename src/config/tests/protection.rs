//! What keeps others out and texts in: listeners, floors, keys.

use super::*;

/// What `[api]` and `[access.certificates]` may say of a network.
#[test]
fn a_listener_on_a_network_is_encrypted_and_knows_who_asks() {
    let tls = "[api.tls]\ncertificate_file = \"c\"\nkey_file = \"k\"\n";
    let open = "[api]\ntcp = \"0.0.0.0:8443\"\n";
    Written::new(&format!("{open}{tls}")).load(&[]).expect("encrypted");
    Written::new(&format!("[api]\ntcp = \"127.0.0.1:8443\"\nanonymous_role = \"viewer\"\n{tls}"))
        .load(&[])
        .expect("of this host");
    check(
        &format!("{open}anonymous_role = \"viewer\"\n{tls}"),
        &[],
        &[
            "factoryd.toml:3:18: api.anonymous_role: may be given only where api.tcp is a loopback address: on a network everybody says who they are",
        ],
    );
    check(tls, &[], &["factoryd.toml:1:2: api.tls: needs api.tcp: the socket has no TLS"]);
    check(
        "[api]\ntcp = \"0.0.0.0:8443\"\n[api.tls]\ncertificate_file = \"c\"\nclient_auth = \"maybe\"\n",
        &[],
        &[
            "factoryd.toml:3:6: api.tls.key_file: missing",
            "factoryd.toml:3:6: api.tls.client_auth: needs client_ca_file beside it",
            "factoryd.toml:5:15: api.tls.client_auth: expected one of required, optional",
        ],
    );
    let grant = |name: &str| format!("[access.certificates.\"{name}\"]\nrole = \"viewer\"\n");
    let refused = Written::new(&grant("ci.acme.example")).mistakes(&[]);
    assert!(refused[0].contains("not a name in a certificate: expected uri:, dns:, email: or cn:"), "{refused:?}");
    let refused = Written::new(&format!("{}{}", grant("dns:ci.acme"), grant("dns:CI.acme"))).mistakes(&[]);
    assert!(refused[0].ends_with("is there twice"), "{refused:?}");
}

#[test]
fn the_floor_of_protection_is_by_type_and_nobody_is_asked_about_answers() {
    let floor =
        "[dlp.floor.outbound]\nSECRETS = \"mask\"\nCREDIT_CARD = \"ask\"\n[dlp.floor.inbound]\ndefault = \"mask\"\n";
    let floor = Written::new(floor).load(&[]).expect("settings").dlp.floor;
    let outbound = [Kind::GITHUB_TOKEN, Kind::CREDIT_CARD, Kind::EMAIL_ADDRESS].map(|kind| floor.outbound.action(kind));
    assert_eq!(outbound, [Action::Mask, Action::Ask, Action::Allow]);
    assert_eq!(floor.inbound, Rules::all(Action::Mask));
    check(
        "[dlp.floor.outbound]\nCREDITCARD = \"mask\"\nPERSON = \"hide\"\n[dlp.floor.inbound]\nPERSON = \"ask\"\nIBAN_CODE = {}\n",
        &[],
        &[
            "factoryd.toml:2:14: dlp.floor.outbound.CREDITCARD: \"CREDITCARD\" is no type of finding; those of your own begin with CUSTOM_, in capitals, digits and underscores",
            "factoryd.toml:3:10: dlp.floor.outbound.PERSON: expected one of allow, pseudonymise, mask, hash, ask, block",
            "factoryd.toml:5:10: dlp.floor.inbound.PERSON: expected one of allow, pseudonymise, mask, hash, block",
            "factoryd.toml:6:1: dlp.floor.inbound.IBAN_CODE: expected an action, found a table",
        ],
    );
}

#[test]
fn a_master_key_of_before_is_of_no_use_alone() {
    let text = "it is of no use without master_key_file, which takes its place";
    let before = "[encryption]\nprevious_master_key_file = \"before.key\"\n";
    let found = Written::new(before).mistakes(&[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with(text), "{found:?}");
    let written = Written::new(&format!("{before}master_key_file = \"now.key\"\n"));
    let encryption = written.load(&[]).expect("settings").encryption;
    let file = |name: &str| Some(crate::domain::key_file::KeyFile::File(written.dir.path().join(name)));
    assert_eq!((encryption.master_key, encryption.previous_master_key), (file("now.key"), file("before.key")));
}
