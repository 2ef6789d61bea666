//! `[providers.NAME]`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use crate::config::environment::PREFIX;
use crate::config::reader::{Located, Report, Section, path_from};
use crate::config::settings::{BaseUrl, Concurrency, KeySource, Provider, ProviderKind};
use crate::config::tree::Node;
use crate::config::value;
use crate::domain::name::ProviderName;

/// The provider that is always there.
const BUILTIN: &str = "builtin";

/// How long a call may take when nothing is said.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// The most calls at once when nothing is said.
const CONCURRENCY_DEFAULT: NonZeroUsize = match NonZeroUsize::new(64) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

/// The most calls at once that may be set.
const CONCURRENCY_MAX: usize = 100_000;

/// The longest name of a credential: that of a file.
const CREDENTIAL_NAME_BYTES_MAX: usize = 255;

pub(super) fn providers(section: Section, report: &mut Report) -> BTreeMap<ProviderName, Provider> {
    let mut providers = BTreeMap::new();
    for (name, mut table) in section.named(report) {
        let provider = provider(&name, &mut table, report);
        match name.parse::<ProviderName>() {
            Ok(name) => {
                providers.insert(name, provider);
            }
            Err(error) => report.mistake(&table.place().clone(), &table.path_of(""), error.to_string()),
        }
        table.finish(report);
    }
    if let Ok(builtin) = BUILTIN.parse() {
        providers.entry(builtin).or_insert_with(|| Provider {
            kind: ProviderKind::Builtin,
            base_url: BaseUrl::None,
            api_key: KeySource::None,
            timeout: TIMEOUT_DEFAULT,
            max_concurrency: CONCURRENCY_DEFAULT,
            concurrency: Concurrency::Fixed,
        });
    }
    providers
}

fn provider(name: &str, table: &mut Section, report: &mut Report) -> Provider {
    let kind = table.require(report, "kind", kind);
    let builtin = name == BUILTIN || kind.as_ref().is_some_and(|kind| kind.value == ProviderKind::Builtin);
    if let Some(Located { place, value }) = &kind
        && name == BUILTIN
        && *value != ProviderKind::Builtin
    {
        report.mistake(place, &table.path_of("kind"), "the provider of this name is of kind \"builtin\"");
    }
    let base_url = if builtin { None } else { Some(table.require(report, "base_url", base_url)) };
    let base_url = base_url.flatten().map_or(BaseUrl::None, |located| located.value);
    let api_key = if builtin { KeySource::None } else { key_source(table, report) };
    // What is computed here takes as long as its input is large, which says nothing about how much of it may be done at once.
    let adaptive = table.read_or(report, "adaptive", !builtin, value::boolean);
    Provider {
        kind: kind.filter(|_| !builtin).map_or(ProviderKind::Builtin, |kind| kind.value),
        base_url,
        api_key,
        timeout: table.read_or(report, "timeout", TIMEOUT_DEFAULT, value::positive_duration),
        max_concurrency: table.read_or(report, "max_concurrency", CONCURRENCY_DEFAULT, value::count(CONCURRENCY_MAX)),
        concurrency: if adaptive { Concurrency::Adaptive } else { Concurrency::Fixed },
    }
}

fn kind(node: &Node) -> Result<ProviderKind, String> {
    match value::text(node)?.as_str() {
        "openai" => Ok(ProviderKind::OpenAi),
        "builtin" => Ok(ProviderKind::Builtin),
        "anthropic" => Ok(ProviderKind::Anthropic),
        "gemini" => Ok(ProviderKind::Gemini),
        _ => Err("expected openai (whatever speaks Chat Completions), anthropic, gemini or builtin".to_owned()),
    }
}

pub(super) fn base_url(node: &Node) -> Result<BaseUrl, String> {
    let text = value::text(node)?;
    if let Some(path) = text.strip_prefix("unix:") {
        let path = Path::new(path.strip_prefix("//").unwrap_or_default());
        let usable = path.is_absolute() && path.file_name().is_some();
        return if usable {
            Ok(BaseUrl::Unix(path.to_owned()))
        } else {
            Err("expected unix:// and an absolute path, such as \"unix:///run/llm.sock\"".to_owned())
        };
    }
    let expected =
        "expected a URL such as \"https://host/v1\", \"http://127.0.0.1:11434/v1\" or \"unix:///run/llm.sock\"";
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).ok_or(expected)?;
    let authority = rest.split('/').next().unwrap_or(rest);
    if authority.contains('@') {
        return Err("a URL may not hold a password: use api_key_file or api_key_env".to_owned());
    }
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '"' | '<' | '>' | '\\');
    if authority.is_empty() || !rest.chars().all(plain) {
        return Err(expected.to_owned());
    }
    Ok(BaseUrl::Http(text.trim_end_matches('/').to_owned()))
}

pub(super) fn key_source(table: &mut Section, report: &mut Report) -> KeySource {
    let file = table.read(report, "api_key_file", path_from);
    let variable = table.read(report, "api_key_env", variable_name);
    let credential = table.read(report, "api_key_credential", credential_name);
    // A key in a settings file ends in backups and bug reports, so writing one there is a mistake with its own words.
    table.read::<()>(report, "api_key", |_| {
        Err("a key may not stand here: use api_key_file, api_key_env or api_key_credential".to_owned())
    });
    let given = [
        file.map(|file| ("api_key_file", file.place, KeySource::File(file.value))),
        variable.map(|variable| ("api_key_env", variable.place, KeySource::Env(variable.value))),
        credential.map(|name| ("api_key_credential", name.place, KeySource::Credential(name.value))),
    ];
    let mut given = given.into_iter().flatten();
    let Some((first, _, source)) = given.next() else { return KeySource::None };
    for (another, place, _) in given {
        report.mistake(&place, &table.path_of(another), format!("{first} is given as well; one of them"));
    }
    source
}

fn credential_name(node: &Node) -> Result<String, String> {
    let name = value::text(node)?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'));
    if name.is_empty() || name.starts_with('.') || name.len() > CREDENTIAL_NAME_BYTES_MAX || !plain {
        return Err("expected the name of a credential as LoadCredential= gives it, such as \"openai\"".to_owned());
    }
    Ok(name)
}

fn variable_name(node: &Node) -> Result<String, String> {
    let name = value::text(node)?;
    let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !word || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("expected the name of an environment variable, not the key".to_owned());
    }
    if name.starts_with(PREFIX) {
        return Err(format!("variables that begin with {PREFIX} are settings; the key needs another name"));
    }
    Ok(name)
}
