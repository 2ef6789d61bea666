//! What words and checksums tell, in English and French, beside what only looks like it.

use super::detect;
use crate::data_plane::dlp::finding::Kind;

fn found(text: &str, kind: Kind) -> Vec<&str> {
    detect(text).iter().filter(|finding| finding.kind == kind).map(|finding| &text[finding.range()]).collect()
}

#[test]
fn addresses_of_machines_are_found_and_versions_are_not() {
    for (text, expected) in [
        ("from 203.0.113.9 port 22", "203.0.113.9"),
        ("http://192.168.1.20:8080/x", "192.168.1.20"),
        ("inet 172.17.0.2/16 brd", "172.17.0.2/16"),
        ("peer [2001:db8::1]:443", "2001:db8::1"),
        ("inet6 fe80::42:acff:fe11:2%eth0 up", "fe80::42:acff:fe11:2%eth0"),
        ("::ffff:192.0.2.128 ok", "::ffff:192.0.2.128"),
        ("Adresse IP : 10.1.2.3.", "10.1.2.3"),
    ] {
        assert_eq!(found(text, Kind::IP_ADDRESS), [expected], "{text}");
    }
    for text in [
        "version 1.2.3.4",
        "1.2.3.4.5",
        "OID 1.3.6.1.4.1",
        "127.0.0.1 and ::1",
        "mask 255.255.255.0",
        "0.0.0.0:80",
        "10:15:32",
        "std::collections::HashMap",
        "999.1.1.1",
        "Chrome/120.0.6.109 x",
        "foo==1.2.3.4",
        "a::b",
        "12:30::",
    ] {
        assert_eq!(found(text, Kind::IP_ADDRESS), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn addresses_of_cards_are_found_in_three_notations() {
    for (text, expected) in [
        ("ether 00:1a:2b:3c:4d:5e brd", "00:1a:2b:3c:4d:5e"),
        ("00-1A-2B-3C-4D-5E", "00-1A-2B-3C-4D-5E"),
        ("port 001a.2b3c.4d5e up", "001a.2b3c.4d5e"),
        ("mac=001A2B3C4D5E", "001A2B3C4D5E"),
    ] {
        assert_eq!(found(text, Kind::MAC_ADDRESS), [expected], "{text}");
    }
    for text in [
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "AB:CD:EF:01:23:45:67:89:AB:CD",
        "12:34:56:78",
        "001A2B3C4D5E",
        "2024-01-15-10-20-30",
    ] {
        assert_eq!(found(text, Kind::MAC_ADDRESS), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn wallets_are_found_by_their_checksums() {
    // From BIP 173, BIP 350, ERC-55, and the first blocks of the chains.
    for address in [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh",
        "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
    ] {
        let text = format!("send to {address}, please");
        assert_eq!(found(&text, Kind::CRYPTO), [address], "{text}");
    }
    let key = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
    assert_eq!(found(&format!("Solana {key}"), Kind::CRYPTO), [key]);
    for text in [
        key,
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "0x0000000000000000000000000000000000000000",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ] {
        assert_eq!(found(text, Kind::CRYPTO), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn days_are_dates_of_birth_where_words_say_so() {
    for (text, expected) in [
        ("Born on July 4, 1976 in Boston", "July 4, 1976"),
        ("DOB: 02/14/1958", "02/14/1958"),
        ("date of birth 12th of May 1980", "12th of May 1980"),
        ("née à Lyon le 3 juin 1985", "3 juin 1985"),
        ("Né le 1er janvier 1970", "1er janvier 1970"),
        ("Date de naissance : 14.07.1952", "14.07.1952"),
        ("{\"birthDate\":\"1990-01-31\"}", "1990-01-31"),
        ("Date of Birth\n23 March 1967", "23 March 1967"),
        ("12 May 1980 is my birthday", "12 May 1980"),
        ("name;dob\nx;1980-05-12\n", "1980-05-12"),
        ("birth_date=19800512", "19800512"),
    ] {
        assert_eq!(found(text, Kind::DATE_OF_BIRTH), [expected], "{text}");
    }
    for text in [
        "Invoice date: 12/05/2024",
        "born in 1990, hired on 12/04/2016",
        "The project was born in summer. On 12 May 2020 we launched.",
        "born 31/02/1980",
        "\"born_at\": \"x\", created: 12/05/2024",
        "on ne le 12 sait",
    ] {
        assert_eq!(found(text, Kind::DATE_OF_BIRTH), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn people_are_found_beside_what_announces_them() {
    for (text, expected) in [
        ("Mr. John A. Smith met Dr Rao", vec!["John A. Smith", "Rao"]),
        ("Mme de La Fontaine et M. d'Artagnan", vec!["de La Fontaine", "d'Artagnan"]),
        ("Nom : DUPONT\nPrénom : Jean-Pierre", vec!["DUPONT", "Jean-Pierre"]),
        ("{\"first_name\": \"Jane\", \"last_name\": \"Okonkwo\"}", vec!["Jane", "Okonkwo"]),
        ("<nom>Rousseau</nom>", vec!["Rousseau"]),
        ("Dear Jane Doe,\nthanks.\n\nKind regards,\nOliver Bennett", vec!["Jane Doe", "Oliver Bennett"]),
        ("Bonjour Jean,\nmerci.\nCordialement,\n\nHélène MARTINEAU\nDirectrice", vec!["Jean", "Hélène MARTINEAU"]),
        ("my name is jane doe and I", vec!["jane doe"]),
        ("Je m'appelle Claire Lefèvre.", vec!["Claire Lefèvre"]),
        ("I spoke with Sarah Connor yesterday", vec!["Sarah Connor"]),
        ("le bail de DUPONT Jean est signé", vec!["DUPONT Jean"]),
        ("To: Wanjiru Kamau <wk@example.org>", vec!["Wanjiru Kamau"]),
        ("Attendees: Jane Doe, John Roe and Priya Patel", vec!["Jane Doe", "John Roe", "Priya Patel"]),
        ("Liam O'Connor's car", vec!["Liam O'Connor"]),
    ] {
        assert_eq!(found(text, Kind::PERSON), expected, "{text}");
    }
    for text in [
        "Dear Customer, Dear Hiring Manager, Hi Team, Hello World!",
        "Best regards,\nThe Support Team",
        "Monsieur le Directeur, Madame, Monsieur,",
        "name: Run Tests\n- name: Install Dependencies",
        "let name: String = x; agent: AgentId, spouse: Option<Name>",
        "New York Times, Google Cloud, Crédit Agricole, rue Victor Hugo, Lycée Claude Monet",
        "Name: N/A. Owner: Platform Team. Contact Support.",
    ] {
        assert_eq!(found(text, Kind::PERSON), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn postal_addresses_are_found_whole() {
    for (text, expected) in [
        ("au 12 bis, rue de la République, 69002 Lyon.", "12 bis, rue de la République, 69002 Lyon"),
        ("14 quai de la Loire\n44000 Nantes", "14 quai de la Loire\n44000 Nantes"),
        ("sis 33 boulevard Carnot, 59000 Lille Cedex 03", "33 boulevard Carnot, 59000 Lille Cedex 03"),
        ("Adresse: Rue de la Loi 16, 1000 Bruxelles", "Rue de la Loi 16, 1000 Bruxelles"),
        ("at 10 Downing Street, London, SW1A 2AA.", "10 Downing Street, London, SW1A 2AA"),
        ("Flat 3, 27 Queen's Road, Bristol BS8 1QE", "Flat 3, 27 Queen's Road, Bristol BS8 1QE"),
        ("350 Fifth Avenue, New York, NY 10118", "350 Fifth Avenue, New York, NY 10118"),
        ("48 Elm Street, Apt 3C, Portland, OR 97205-1234", "48 Elm Street, Apt 3C, Portland, OR 97205-1234"),
        ("17 Maple Avenue, Toronto, ON M4B 1B3", "17 Maple Avenue, Toronto, ON M4B 1B3"),
        ("PO Box 1234, Springfield, IL 62701", "PO Box 1234, Springfield, IL 62701"),
        ("Address: The Old Rectory, Little Snoring NR21 0HY", "The Old Rectory, Little Snoring NR21 0HY"),
        ("8 Baker Street", "8 Baker Street"),
    ] {
        assert_eq!(found(text, Kind::LOCATION), [expected], "{text}");
    }
    for text in [
        "rue de Rivoli, Place de la Concorde, boulevard Saint-Germain",
        "Wall Street rallied; Route 66; the Hill Street Blues",
        "a 5 way handshake, 12 rue points gagnés, 3 Park view windows of",
        "Cour de cassation, Saint-Étienne",
        "IP address: 10.1.2.3, e-mail address: none",
    ] {
        assert_eq!(found(text, Kind::LOCATION), Vec::<&str>::new(), "{text}");
    }
}
