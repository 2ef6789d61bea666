//! Addresses of wallets, by their checksums: Base58Check (Bitcoin, Litecoin, Dogecoin, Dash, Zcash, Tron, and XRP with its own
//! alphabet), Bech32 and Bech32m (BIP 173, BIP 350; Cardano, CIP 19), Ethereum (ERC-55 where the case is mixed).
//!
//! What has no checksum needs a word beside it: Solana's keys. Monero's 95 characters are like nothing else.

use bech32::primitives::decode::CheckedHrpstring;
use sha3::{Digest as _, Keccak256};

use super::boundary::{begins_word, ends_word, run_end, run_start};
use super::words::{Section, Topics};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The shortest address, in characters.
const SHORTEST: usize = 25;

/// The longest: Cardano's with both of its keys.
const LONGEST: usize = 120;

/// The longest in Base58Check.
const BASE58_LONGEST: usize = 36;

/// How far from an address a word may stand that says that it is one, in bytes.
const WORD_BYTES: usize = 64;

/// The characters of an Ethereum address without `0x`.
const ETHEREUM_DIGITS: usize = 40;

/// The characters of a Monero address, and with a payment id.
const MONERO: [usize; 2] = [95, 106];

/// Version bytes of Base58Check with 21 bytes: Bitcoin's and its test network's, Litecoin's, Dogecoin's, Dash's, Tron's.
const VERSIONS: [u8; 12] = [0x00, 0x05, 0x6F, 0xC4, 0x30, 0x32, 0x3A, 0x1E, 0x16, 0x4C, 0x10, 0x41];

/// Version bytes of Zcash's transparent addresses, which have two.
const ZCASH: [[u8; 2]; 2] = [[0x1C, 0xB8], [0x1C, 0xBD]];

/// Prefixes of Bech32 addresses that hold a witness program.
const SEGWIT: [&str; 3] = ["bc1", "tb1", "ltc1"];

/// Prefixes of other Bech32 addresses.
const BECH32: [&str; 4] = ["addr1", "stake1", "cosmos1", "addr_test1"];

/// Adds every address that begins in the section.
pub(super) fn scan(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let bytes = section.bytes();
    let mut at = section.from;
    while at < section.to {
        let probe = at.saturating_add(SHORTEST).saturating_sub(1);
        let Some(byte) = bytes.get(probe) else { break };
        if !byte.is_ascii_alphanumeric() {
            at = probe.saturating_add(1);
            continue;
        }
        let start = run_start(bytes, probe, probe.saturating_sub(at), |byte| byte.is_ascii_alphanumeric());
        if start > at {
            at = start;
            continue;
        }
        let most = section.to.saturating_sub(probe).saturating_add(LONGEST);
        let end = run_end(bytes, probe, most, |byte| byte.is_ascii_alphanumeric());
        if end.saturating_sub(start) <= LONGEST && begins_word(bytes, start) && ends_word(bytes, end) {
            let score = section.text.get(start..end).and_then(|run| score(section, run, start, end));
            findings.extend(score.map(|score| Finding { kind: Kind::CRYPTO, start, end, score }));
        }
        at = end.saturating_add(1);
    }
}

/// How sure it is that the run is an address.
fn score(section: &Section<'_>, run: &str, start: usize, end: usize) -> Option<Score> {
    if is_address(run) {
        return Some(Score::CERTAIN);
    }
    if MONERO.contains(&run.len()) && run.starts_with(['4', '8']) && is_base58(run) {
        return Some(Score::HIGH);
    }
    let named = || {
        section
            .before(start, WORD_BYTES)
            .chain(section.after(end, WORD_BYTES))
            .any(|hit| hit.topics.meets(Topics::WALLET))
    };
    let ethereum = ethereum_digits(run).is_some();
    ((ethereum || is_solana(run)) && named()).then_some(Score::LIKELY)
}

/// Whether a text is an address whose checksum agrees, or an Ethereum address without one.
pub(super) fn is_address(text: &str) -> bool {
    let starts = |prefixes: &[&str]| {
        prefixes.iter().any(|prefix| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
    };
    if let Some(digits) = ethereum_digits(text) {
        return has_ethereum_checksum(digits);
    }
    if starts(&SEGWIT) {
        return bech32::segwit::decode(text).is_ok();
    }
    if starts(&BECH32) {
        return CheckedHrpstring::new::<bech32::Bech32>(text).is_ok();
    }
    is_base58check(text)
}

fn is_base58check(text: &str) -> bool {
    // Letters that no version of ours begins with save the work of the check.
    let begins = text.starts_with(['1', '2', '3', '7', '9', 'A', 'D', 'L', 'M', 'T', 'X', 'm', 'n', 'r', 't']);
    if !begins || !(SHORTEST..=BASE58_LONGEST).contains(&text.len()) || !is_base58(text) || is_plain(text) {
        return false;
    }
    let alphabet = if text.starts_with('r') { bs58::Alphabet::RIPPLE } else { bs58::Alphabet::BITCOIN };
    let mut payload = [0_u8; 64];
    let decoded = bs58::decode(text).with_alphabet(alphabet).with_check(None).onto(&mut payload);
    let Some(payload) = decoded.ok().and_then(|len| payload.get(..len)) else { return false };
    match payload {
        [version, rest @ ..] if rest.len() == 20 => VERSIONS.contains(version),
        [one, two, rest @ ..] if rest.len() == 20 => ZCASH.contains(&[*one, *two]),
        _ => false,
    }
}

fn is_base58(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l'))
}

/// Whether there are only digits, or only letters of one case: no address, but a number or a word.
fn is_plain(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_lowercase()) || !text.bytes().any(|byte| byte.is_ascii_digit())
}

fn ethereum_digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let sound = digits.len() == ETHEREUM_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    // The null address is nobody's.
    (sound && digits.bytes().any(|byte| byte != b'0')).then_some(digits)
}

/// Whether the case of the letters is that of the hash's digits (ERC-55), or the letters are all of one case.
fn has_ethereum_checksum(digits: &str) -> bool {
    let lower = digits.to_ascii_lowercase();
    if digits == lower || digits == digits.to_ascii_uppercase() {
        return true;
    }
    let hash = Keccak256::digest(lower.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    digits
        .bytes()
        .zip(nibbles)
        .all(|(digit, nibble)| !digit.is_ascii_alphabetic() || digit.is_ascii_uppercase() == (nibble > 7))
}

/// Whether the characters can be the 32 bytes of an Ed25519 key in Base58.
fn is_solana(text: &str) -> bool {
    let mut key = [0_u8; 64];
    (32..=44).contains(&text.len())
        && is_base58(text)
        && !is_plain(text)
        && bs58::decode(text).onto(&mut key).is_ok_and(|len| len == 32)
}
