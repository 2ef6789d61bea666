//! What a Chat Completions answer says it used.

use serde::Deserialize;
use serde_json::Value;

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::tally::count;
use crate::domain::usage::{Tokens, Usage};

/// As the answer writes it. What it cost, some gateways say too; the settings' prices count.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Used {
    prompt_tokens: Option<Value>,
    completion_tokens: Option<Value>,
    total_tokens: Option<Value>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    /// DeepSeek's place for what came from the cache.
    prompt_cache_hit_tokens: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    cached_tokens: Option<Value>,
    /// OpenRouter's word for what went into the cache.
    cache_write_tokens: Option<Value>,
    reasoning_tokens: Option<Value>,
}

impl Used {
    /// What was used; nothing where the provider does not say both input and output.
    ///
    /// Some providers count reasoning outside `completion_tokens`; then the total, or reasoning larger than the output, tells.
    /// The larger reading is taken, since it is what will be billed.
    ///
    /// # Errors
    /// [`Error::Nonsense`] where a number is absurd.
    pub(super) fn usage(&self) -> Result<Option<Usage>, Error> {
        let (input, output) = (count(self.prompt_tokens.as_ref())?, count(self.completion_tokens.as_ref())?);
        let (Some(input), Some(output)) = (input, output) else { return Ok(None) };
        let of = |details: &Option<Details>, which: fn(&Details) -> Option<&Value>| {
            count(details.as_ref().and_then(which)).map(Option::unwrap_or_default)
        };
        let apart = count(self.prompt_cache_hit_tokens.as_ref())?.unwrap_or_default();
        let cached = of(&self.prompt_tokens_details, |details| details.cached_tokens.as_ref())?.max(apart).min(input);
        let kept = of(&self.prompt_tokens_details, |details| details.cache_write_tokens.as_ref())?;
        let reasoning = of(&self.completion_tokens_details, |details| details.reasoning_tokens.as_ref())?;
        let total = count(self.total_tokens.as_ref())?.unwrap_or(0);
        let whole = if reasoning > output { output.saturating_add(reasoning) } else { output };
        Ok(Some(Usage {
            input_tokens: Tokens::new(input),
            output_tokens: Tokens::new(whole.max(total.saturating_sub(input))),
            cached_input_tokens: Tokens::new(cached),
            reasoning_tokens: Tokens::new(reasoning),
            cache_write_tokens: Tokens::new(kept.min(input.saturating_sub(cached))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64, cached: u64, reasoning: u64) -> Usage {
        Usage {
            input_tokens: Tokens::new(input),
            output_tokens: Tokens::new(output),
            cached_input_tokens: Tokens::new(cached),
            reasoning_tokens: Tokens::new(reasoning),
            ..Usage::default()
        }
    }

    fn kept(input: u64, kept: u64) -> Usage {
        Usage { cache_write_tokens: Tokens::new(kept), ..usage(input, 4, 6, 0) }
    }

    #[test]
    fn usage_is_believed_unless_absurd() {
        let table = [
            ("{}", Ok(None)),
            (r#"{"prompt_tokens":3}"#, Ok(None)),
            (r#"{"prompt_tokens":3.0,"completion_tokens":4}"#, Ok(Some(usage(3, 4, 0, 0)))),
            (
                r#"{"prompt_tokens":3,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":9}}"#,
                Ok(Some(usage(3, 13, 0, 9))),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":8}}"#,
                Ok(Some(usage(9, 4, 8, 0))),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":3}"#,
                Ok(Some(usage(9, 4, 6, 0))),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":99}}"#,
                Ok(Some(usage(9, 4, 9, 0))),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":2}}"#,
                Ok(Some(kept(9, 2))),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":9}}"#,
                Ok(Some(kept(9, 3))),
            ),
            (r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":10}"#, Ok(Some(usage(3, 7, 0, 0)))),
            (r#"{"prompt_tokens":-1,"completion_tokens":4}"#, Err(())),
            (r#"{"prompt_tokens":1,"completion_tokens":1.5}"#, Err(())),
            (r#"{"prompt_tokens":1,"completion_tokens":1e30}"#, Err(())),
            (r#"{"prompt_tokens":1,"completion_tokens":1099511627777}"#, Err(())),
            (r#"{"prompt_tokens":"many","completion_tokens":1}"#, Err(())),
        ];
        for (text, expected) in table {
            let used: Used = serde_json::from_str(text).expect("JSON");
            assert_eq!(used.usage().map_err(|_| ()), expected, "{text}");
        }
    }
}
