//! Provider keys. The settings say where a key is; this is the only reader of that place.

use std::collections::BTreeMap;

use super::error::{Errors, Mistake, Place};
use super::settings::{KeySource, Settings};
use crate::domain::name::ProviderName;
use crate::domain::private::Secret;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 16 * 1024;

/// Reads the key of every provider that has one.
///
/// # Errors
/// A mistake for each key that is missing, empty or not one line of text, all together.
pub fn provider_keys(
    settings: &Settings,
    environment: &[(String, String)],
) -> Result<BTreeMap<ProviderName, Secret>, Errors> {
    let mut keys = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (name, provider) in &settings.providers {
        let (place, key, read) = match &provider.api_key {
            KeySource::None => continue,
            KeySource::File(path) => {
                let read = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"));
                (Place::WholeFile(path.clone()), "api_key_file", read)
            }
            KeySource::Env(variable) => {
                let found = environment.iter().find(|(name, _)| name == variable).map(|(_, value)| value.clone());
                (Place::Variable(variable.clone()), "api_key_env", found.ok_or_else(|| "is not set".to_owned()))
            }
        };
        match read.and_then(|text| key_in(&text)) {
            Ok(secret) => {
                keys.insert(name.clone(), secret);
            }
            Err(text) => mistakes.push(Mistake { place, setting: format!("providers.{name}.{key}"), text }),
        }
    }
    Errors::from_mistakes(mistakes).map_or(Ok(keys), Err)
}

/// The first line, which must be fit for an HTTP header.
fn key_in(text: &str) -> Result<Secret, String> {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err("holds no key".to_owned());
    }
    if line.len() > KEY_BYTES_MAX || !line.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("holds something that is not a key".to_owned());
    }
    Ok(Secret::new(line))
}
