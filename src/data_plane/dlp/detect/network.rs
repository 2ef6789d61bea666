//! Addresses of machines: IPv4 and IPv6, as the standard library reads them, and those of network cards (IEEE 802).
//!
//! An address tells of a person, whether it is public or private. Not reported are those that are nobody's: unspecified,
//! loopback, broadcast, and network masks. What looks like an IPv4 address is a version or an object identifier where a word or
//! more parts say so. A prefix length and a zone belong to the address; a port does not.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::memchr_iter;

use super::boundary::{back, before, begins_word, follows_escape, run_end, run_start, slice};
use super::words::{Section, Topics};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The longest IPv6 address, with an IPv4 address at its end.
const V6_BYTES_MAX: usize = 45;

/// The longest zone, in bytes: the name of an interface.
const ZONE_BYTES_MAX: usize = 16;

/// How far before an address a word may stand that says that it is a version, in bytes.
const WORD_BYTES: usize = 24;

/// The characters of a card's address without separators.
const MAC_DIGITS: usize = 12;

/// Adds every address that begins in the section.
pub(super) fn scan(section: &Section<'_>, findings: &mut Vec<Finding>) {
    v4(section, findings);
    colons(section, findings);
    hyphens_and_dots(section, findings);
}

/// Whether a text is an address of version 4 or 6.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok()
}

/// Whether a text is the address of a network card.
pub(super) fn is_mac(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| !matches!(byte, b':' | b'-' | b'.'));
    digits.clone().count() == MAC_DIGITS && digits.clone().all(|byte| byte.is_ascii_hexdigit())
}

/// Dotted addresses, found from their first dot.
fn v4(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let bytes = section.bytes();
    let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let mut free = section.from;
    for dot in memchr_iter(b'.', slice(bytes, section.from, section.to)) {
        let dot = section.from.saturating_add(dot);
        let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        if dot < free || !digit(before(bytes, dot)) || !digit(bytes.get(dot.saturating_add(1)).copied()) {
            continue;
        }
        let start = run_start(bytes, dot, 4, |byte| byte.is_ascii_digit());
        // Five parts and more are looked at, and left, together.
        let most = section.to.saturating_sub(start).saturating_add(V6_BYTES_MAX);
        let end = run_end(bytes, start, most, is_part);
        free = end;
        let written =
            end.saturating_sub(slice(bytes, start, end).iter().rev().take_while(|byte| **byte == b'.').count());
        let Some(address) = section.text.get(start..written).and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
            continue;
        };
        if is_somebodys(address) && stands_apart(bytes, start, written) && !is_version(section, start) {
            let score = if is_public(address) { Score::HIGH } else { Score::LIKELY };
            let end = prefix_end(bytes, written, 32);
            findings.push(Finding { kind: Kind::IP_ADDRESS, start, end, score });
        }
    }
}

/// Whether an address is of a machine on a network, and no mask.
fn is_somebodys(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    !address.is_loopback() && first != 0 && first != 255
}

fn is_public(address: Ipv4Addr) -> bool {
    !address.is_private() && !address.is_documentation() && !address.is_link_local() && !address.is_multicast()
}

fn stands_apart(bytes: &[u8], start: usize, end: usize) -> bool {
    let begins = match before(bytes, start) {
        Some(b'.' | b'_' | b'+') => false,
        Some(b'-') => !back(bytes, start, 2).is_some_and(|byte| byte.is_ascii_digit()),
        // A product and its version; an address after a host's name has its port.
        Some(b'/') => {
            !back(bytes, start, 2).is_some_and(|byte| byte.is_ascii_alphanumeric()) || bytes.get(end) == Some(&b':')
        }
        // What a package must be.
        Some(b'=') => !back(bytes, start, 2).is_some_and(|byte| matches!(byte, b'=' | b'>' | b'<' | b'~')),
        Some(b'^' | b'~') => false,
        Some(byte) => !byte.is_ascii_alphanumeric() || follows_escape(bytes, start),
        None => true,
    };
    let next = bytes.get(end).copied();
    let beyond = bytes.get(end.saturating_add(1)).copied();
    let goes_on = match next {
        Some(b'-') => beyond.is_some_and(|byte| byte.is_ascii_alphabetic()),
        Some(byte) => byte.is_ascii_alphanumeric() || byte == b'_',
        None => false,
    };
    begins && !goes_on
}

/// Whether a word shortly before says that the parts are those of a version.
fn is_version(section: &Section<'_>, start: usize) -> bool {
    let nearest = section.before(start, WORD_BYTES).find(|hit| hit.topics.meets(Topics::VERSION | Topics::NETWORK));
    nearest.is_some_and(|hit| hit.topics.meets(Topics::VERSION))
}

/// Where the address ends with its prefix length, if it has one.
fn prefix_end(bytes: &[u8], end: usize, most: u32) -> usize {
    if bytes.get(end) != Some(&b'/') {
        return end;
    }
    let from = end.saturating_add(1);
    let to = run_end(bytes, from, 4, |byte| byte.is_ascii_digit());
    let length = std::str::from_utf8(slice(bytes, from, to)).ok().and_then(|digits| digits.parse::<u32>().ok());
    if length.is_some_and(|length| length <= most) { to } else { end }
}

/// Addresses with colons: of version 6, and of cards.
fn colons(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let bytes = section.bytes();
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut free = section.from;
    for colon in memchr_iter(b':', slice(bytes, section.from, section.to)) {
        let colon = section.from.saturating_add(colon);
        if colon < free
            || !bytes.get(colon.saturating_add(1)).copied().is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':')
        {
            continue;
        }
        let start = run_start(bytes, colon, V6_BYTES_MAX, is_part).max(free);
        let end = run_end(bytes, colon, V6_BYTES_MAX, is_part);
        free = end;
        let run = slice(bytes, start, end);
        // Times have fewer.
        if run.iter().filter(|byte| **byte == b':').count() < 2 {
            continue;
        }
        if let Some(finding) = mac(bytes, start, end, b':').or_else(|| v6(section.text, start, end)) {
            free = free.max(finding.end);
            findings.push(finding);
        }
    }
}

/// The address of version 6 that begins at `start`, with dots and colons of the sentence around it left out.
fn v6(text: &str, start: usize, end: usize) -> Option<Finding> {
    let bytes = text.as_bytes();
    let mut run = text.get(start..end)?;
    let mut start = start;
    // A label's colon may stand directly before: `ip:2001:db8::1`.
    if let Some(rest) = run.strip_prefix(':').filter(|rest| !rest.starts_with(':')) {
        (run, start) = (rest, start.saturating_add(1));
    }
    let run = run.trim_end_matches('.');
    let run = if run.ends_with("::") { run } else { run.trim_end_matches(':') };
    let address: Ipv6Addr = run.parse().ok()?;
    let end = start.saturating_add(run.len());
    // `a::b` is a path in many languages: some digits have to tell.
    let groups = run.split(':').filter(|group| !group.is_empty()).count();
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let sound = digits > 0
        && (groups > 2 || run.len() >= 6 && digits > 1)
        && !address.is_loopback()
        && !address.is_unspecified();
    let begins = begins_word(bytes, start) && before(bytes, start) != Some(b':') || follows_escape(bytes, start);
    let apart = !bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b':');
    let private = address.is_unicast_link_local()
        || address.is_unique_local()
        || address.segments().starts_with(&[0x2001, 0xdb8]);
    let end = prefix_end(bytes, zone_end(bytes, end), 128);
    let score = if private { Score::LIKELY } else { Score::HIGH };
    (sound && begins && apart).then_some(Finding { kind: Kind::IP_ADDRESS, start, end, score })
}

fn zone_end(bytes: &[u8], end: usize) -> usize {
    if bytes.get(end) != Some(&b'%') {
        return end;
    }
    let from = end.saturating_add(1);
    let to =
        run_end(bytes, from, ZONE_BYTES_MAX, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if to > from { to } else { end }
}

/// Cards' addresses with hyphens or dots, and, where a word says so, without anything.
fn hyphens_and_dots(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let bytes = section.bytes();
    for hyphen in memchr_iter(b'-', slice(bytes, section.from, section.to)) {
        let hyphen = section.from.saturating_add(hyphen);
        let Some(start) = hyphen.checked_sub(2) else { continue };
        if bytes.get(hyphen.saturating_add(3)) == Some(&b'-') {
            findings.extend(mac(bytes, start, hyphen.saturating_add(15), b'-'));
        }
    }
    for dot in memchr_iter(b'.', slice(bytes, section.from, section.to)) {
        let dot = section.from.saturating_add(dot);
        let Some(start) = dot.checked_sub(4) else { continue };
        if bytes.get(dot.saturating_add(5)) == Some(&b'.') {
            findings.extend(dotted_mac(bytes, start));
        }
    }
    for hit in section.hits(Topics::HARDWARE) {
        let after = slice(bytes, hit.end, hit.end.saturating_add(12));
        let Some(distance) = after.iter().position(u8::is_ascii_hexdigit) else { continue };
        let start = hit.end.saturating_add(distance);
        let end = run_end(bytes, start, MAC_DIGITS.saturating_add(1), |byte| byte.is_ascii_hexdigit());
        if end.saturating_sub(start) == MAC_DIGITS
            && begins_word(bytes, start)
            && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
        {
            findings.push(Finding { kind: Kind::MAC_ADDRESS, start, end, score: Score::LIKELY });
        }
    }
}

/// Six pairs of hexadecimal digits with the separator between them, and no seventh.
fn mac(bytes: &[u8], start: usize, end: usize, separator: u8) -> Option<Finding> {
    // A label's colon or the end of a sentence may be in the run.
    let label = usize::from(bytes.get(start) == Some(&separator));
    let start = start.saturating_add(label);
    let stop = start.saturating_add(17);
    let run = slice(bytes, start, stop.min(end));
    let pairs = run.len() == 17
        && run.iter().enumerate().all(|(place, byte)| match place.checked_rem(3) {
            Some(2) => *byte == separator,
            _ => byte.is_ascii_hexdigit(),
        });
    let joined = |byte: Option<u8>, next: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            || byte == Some(separator) && next.is_some_and(|next| next.is_ascii_hexdigit())
    };
    let before_it = joined(before(bytes, start), back(bytes, start, 2)) && label == 0 && !follows_escape(bytes, start);
    let apart = !before_it && !joined(bytes.get(stop).copied(), bytes.get(stop.saturating_add(1)).copied());
    (pairs && apart && is_a_card(run)).then_some(Finding {
        kind: Kind::MAC_ADDRESS,
        start,
        end: stop,
        score: Score::HIGH,
    })
}

/// Three groups of four hexadecimal digits with dots.
fn dotted_mac(bytes: &[u8], start: usize) -> Option<Finding> {
    let end = start.saturating_add(14);
    let run = slice(bytes, start, end);
    let form = run.len() == 14
        && run.iter().enumerate().all(|(place, byte)| match place {
            4 | 9 => *byte == b'.',
            _ => byte.is_ascii_hexdigit(),
        });
    let decimal = run.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let next = bytes.get(end).copied();
    let goes_on = next.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        || next == Some(b'.') && bytes.get(end.saturating_add(1)).is_some_and(u8::is_ascii_alphanumeric);
    let begins = begins_word(bytes, start) && before(bytes, start) != Some(b'.');
    let score = if decimal { Score::PLAUSIBLE } else { Score::HIGH };
    (form && begins && !goes_on && is_a_card(run)).then_some(Finding { kind: Kind::MAC_ADDRESS, start, end, score })
}

/// Neither unset nor everybody's.
fn is_a_card(run: &[u8]) -> bool {
    let digits = || run.iter().filter(|byte| byte.is_ascii_hexdigit());
    !digits().all(|byte| *byte == b'0') && !digits().all(|byte| byte.eq_ignore_ascii_case(&b'f'))
}
