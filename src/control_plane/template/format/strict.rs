//! What JSON allows and a signature cannot bear. Two readers of the same signed bytes must see the same value, so whatever
//! parsers disagree on is refused before anything is hashed: duplicate keys, integers that a double cannot hold, -0, exponents,
//! decimals that would be rounded, and nesting without end.

use std::collections::{BTreeMap, BTreeSet};

use super::mistake::{MISTAKES_MAX, Mistake, Place};

/// The deepest nesting of a template.
pub const NESTING_MAX: usize = 32;
/// The largest integer: beyond it, a double no longer tells neighbours apart.
const INTEGER_MAX: u64 = 1 << 53;
/// Significant digits that every double gives back unchanged.
const DECIMAL_DIGITS_MAX: usize = 15;
/// Digits behind the point: up to 10^22 powers of ten are exact doubles, so that every reader finds the same double by one
/// division (Clinger 1990, "How to read floating point numbers accurately"); beyond it quick readers are off by one digit, and
/// far beyond it everything becomes 0, or -0.
const DECIMAL_PLACES_MAX: usize = 22;

/// What is refused in a text that a JSON parser has accepted.
pub(in crate::control_plane::template) fn check(text: &str) -> Vec<Mistake> {
    walk(text, &BTreeSet::new()).0
}

/// The byte offsets of the values at these JSON pointers.
pub(in crate::control_plane::template) fn locate(text: &str, wanted: &BTreeSet<&str>) -> BTreeMap<String, usize> {
    walk(text, wanted).1
}

fn walk(text: &str, wanted: &BTreeSet<&str>) -> (Vec<Mistake>, BTreeMap<String, usize>) {
    let (mistakes, offsets) = (Vec::new(), BTreeMap::new());
    let mut walker = Walker { text, at: 0, pointer: String::new(), wanted, mistakes, offsets };
    walker.value(0);
    (walker.mistakes, walker.offsets)
}

struct Walker<'a> {
    text: &'a str,
    at: usize,
    pointer: String,
    wanted: &'a BTreeSet<&'a str>,
    mistakes: Vec<Mistake>,
    offsets: BTreeMap<String, usize>,
}

impl Walker<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn pass(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&belongs) {
            self.step();
        }
    }

    fn space(&mut self) {
        self.pass(|byte| byte.is_ascii_whitespace());
    }

    fn refuse(&mut self, at: usize, message: impl Into<String>) {
        if self.mistakes.len() < MISTAKES_MAX {
            let place = Some(Place::of(self.text, at));
            self.mistakes.push(Mistake::at(self.pointer.clone(), message).placed(place));
        }
    }

    fn value(&mut self, depth: usize) {
        self.space();
        if self.wanted.contains(self.pointer.as_str()) {
            self.offsets.insert(self.pointer.clone(), self.at);
        }
        if depth == NESTING_MAX {
            self.refuse(self.at, format!("nested deeper than {NESTING_MAX} levels"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => self.pass(|byte| byte.is_ascii_alphabetic()),
        }
    }

    fn object(&mut self, depth: usize) {
        let mut keys = BTreeSet::new();
        self.step();
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                break;
            }
            let begins = self.at;
            self.string();
            let raw = self.text.get(begins..self.at).unwrap_or("");
            let key: String = serde_json::from_str(raw).unwrap_or_default();
            let parent = self.pointer.len();
            self.pointer.push('/');
            self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            if !keys.insert(key) {
                self.refuse(begins, "this key is there twice; keep one");
            }
            self.pass(|byte| byte == b':' || byte.is_ascii_whitespace());
            self.value(depth.saturating_add(1));
            self.pointer.truncate(parent);
            self.pass(|byte| byte == b',' || byte.is_ascii_whitespace());
        }
        self.step();
    }

    fn array(&mut self, depth: usize) {
        self.step();
        let mut index = 0_usize;
        loop {
            self.space();
            if matches!(self.peek(), Some(b']') | None) {
                break;
            }
            let parent = self.pointer.len();
            self.pointer.push_str(&format!("/{index}"));
            self.value(depth.saturating_add(1));
            self.pointer.truncate(parent);
            index = index.saturating_add(1);
            self.pass(|byte| byte == b',' || byte.is_ascii_whitespace());
        }
        self.step();
    }

    fn string(&mut self) {
        self.step();
        while let Some(byte) = self.peek() {
            self.step();
            match byte {
                b'"' => return,
                b'\\' => self.step(),
                _ => {}
            }
        }
    }

    fn number(&mut self) {
        let begins = self.at;
        self.pass(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
        let token = self.text.get(begins..self.at).unwrap_or("");
        if let Some(reason) = unsafe_number(token) {
            self.refuse(begins, reason);
        }
    }
}

/// Why a number's notation is refused.
fn unsafe_number(token: &str) -> Option<String> {
    if token.contains(['e', 'E']) {
        return Some("write the number in plain decimal notation, without an exponent".to_owned());
    }
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    if unsigned.len() < token.len() && unsigned.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        return Some("-0 is refused; write 0".to_owned());
    }
    if !unsigned.contains('.') {
        let safe = unsigned.parse::<u64>().is_ok_and(|number| number <= INTEGER_MAX);
        return (!safe).then(|| "an integer beyond 2^53 cannot be held exactly; write it as a string".to_owned());
    }
    let places = unsigned.split_once('.').map_or(0, |(_, places)| places.len());
    if places > DECIMAL_PLACES_MAX {
        return Some(format!(
            "a decimal number with more than {DECIMAL_PLACES_MAX} places is not read alike everywhere"
        ));
    }
    let digits: String = unsigned.chars().filter(char::is_ascii_digit).collect();
    (digits.trim_start_matches('0').len() > DECIMAL_DIGITS_MAX)
        .then(|| format!("a decimal number with more than {DECIMAL_DIGITS_MAX} digits would be rounded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(text: &str) -> Option<(String, usize, String)> {
        check(text).first().map(|m| (m.pointer.clone(), m.place.map_or(0, |p| p.line), m.message.clone()))
    }

    #[test]
    fn what_readers_disagree_on_is_refused_at_its_place() {
        for (text, pointer, line, part) in [
            (r#"{"a": 1, "a": 1}"#, "/a", 1, "twice"),
            ("{\"a\": 1,\n \"\\u0061\": 1}", "/a", 2, "twice"),
            (r#"{"a": [{"b/c": 9007199254740993}]}"#, "/a/0/b~1c", 1, "2^53"),
            (r#"{"a": -9007199254740994}"#, "/a", 1, "2^53"),
            (r#"{"a": 123456789012345678901234567890}"#, "/a", 1, "2^53"),
            (r#"{"a": -0}"#, "/a", 1, "-0"),
            (r#"{"a": -0.00}"#, "/a", 1, "-0"),
            (r#"{"a": 2e-1}"#, "/a", 1, "exponent"),
            (r#"{"a": 1E5}"#, "/a", 1, "exponent"),
            (r#"{"a": 0.12345678901234567}"#, "/a", 1, "rounded"),
            (r#"{"a": 0.00000000000000000000012}"#, "/a", 1, "places"),
            (r#"{"a": 1.00000000000000000000000}"#, "/a", 1, "places"),
        ] {
            let (found, at, message) = first(text).unwrap_or_else(|| panic!("{text} passes"));
            assert_eq!((found.as_str(), at), (pointer, line), "{text}");
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn what_readers_agree_on_passes() {
        for text in [
            r#"{"a": 9007199254740992, "b": -5, "c": 0.2, "d": "-0 2e5 \" {", "e": [true, false, null, {}, []]}"#,
            r#" {"a": {"x": 1}, "b": {"x": 1}} "#,
            r#"{"\\": 1, "\"": 2}"#,
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(first(&deep(NESTING_MAX - 1)), None);
        assert!(first(&deep(NESTING_MAX)).is_some_and(|(_, _, message)| message.contains("nested")));
    }

    proptest! {
        #[test]
        fn a_value_of_any_document_is_found_at_its_pointer(keys in proptest::collection::btree_set(".{0,6}", 0..6), number in 0_u32..1000) {
            let object: serde_json::Map<String, serde_json::Value> =
                keys.iter().map(|key| (key.clone(), serde_json::json!([number, {"~/": key}]))).collect();
            let document = serde_json::Value::Object(object);
            let pointers: Vec<String> = keys.iter().map(|key| format!("/{}/1/~0~1", key.replace('~', "~0").replace('/', "~1"))).collect();
            let wanted: BTreeSet<&str> = pointers.iter().map(String::as_str).collect();
            for text in [document.to_string(), serde_json::to_string_pretty(&document).expect("text")] {
                prop_assert!(check(&text).is_empty());
                let found = locate(&text, &wanted);
                prop_assert_eq!(found.len(), keys.len());
                for (pointer, offset) in &found {
                    let mut values = serde_json::Deserializer::from_str(&text[*offset..]).into_iter::<serde_json::Value>();
                    let value = values.next().expect("a value").expect("JSON");
                    prop_assert_eq!(Some(&value), document.pointer(pointer));
                }
            }
        }
    }
}
