//! `[models."PROVIDER/MODEL"]`: what models cost and can do. The shipped list is read by the same rules.

use std::collections::BTreeMap;

use crate::config::prices::{self, Vendor};
use crate::config::reader::{Located, Report, Section};
use crate::config::settings::{BaseUrl, Provider, ProviderKind};
use crate::config::tree::Node;
use crate::config::value;
use crate::domain::model::{Abilities, Ability, Counting, Model, Origin, Tokenizer};
use crate::domain::money::{LongContext, Price, Rates, Usd};
use crate::domain::name::{ModelRef, ProviderName};
use crate::domain::usage::Tokens;

/// The most tokens that a limit of a model may say.
const TOKENS_MAX: u64 = 1_000_000_000;

/// The largest margin on what is counted, in percent.
const MARGIN_PERCENT_MAX: u64 = 1_000;

/// How a model is taken to count where nobody says: with a vocabulary of a like size, a quarter more tokens at worst; an image of up
/// to as many tokens as the open models that split images finest make of one (Qwen2-VL: 16,384); and the longest preface for tools
/// that a vendor documents, with room.
const COUNTING_DEFAULT: Counting = Counting {
    tokenizer: Tokenizer::Other,
    margin_percent: 25,
    image: Tokens::new(16_384),
    tool_prompt: Tokens::new(1_000),
};

/// What the settings say, on top of what the shipped list says of providers at a vendor's own address.
pub(super) fn read(
    section: Section,
    providers: &BTreeMap<ProviderName, Provider>,
    report: &mut Report,
) -> BTreeMap<ModelRef, Model> {
    let mut models = BTreeMap::new();
    for (name, provider) in providers {
        if let Some(vendor) = vendor_of(provider) {
            models.extend(vendor.models.iter().filter_map(|(model, known)| Some((model_of(name, model)?, *known))));
        }
    }
    for (name, mut table) in section.named(report) {
        let (place, path) = (table.place().clone(), table.path_of(""));
        let model = match name.parse::<ModelRef>() {
            Ok(model) => Some(model),
            Err(error) => {
                report.mistake(&place, &path, error.to_string());
                None
            }
        };
        let provider = model.as_ref().and_then(|model| providers.get(model.provider()));
        let shipped = model.as_ref().and_then(|model| models.get(model)).copied();
        let counting = provider.and_then(vendor_of).map_or(COUNTING_DEFAULT, |vendor| vendor.counting);
        let base = shipped.unwrap_or(Model { counting, ..Model::BUILTIN });
        let read = entry(&mut table, report, Model { origin: Origin::Settings, ..base });
        table.finish(report);
        let Some(model) = model else { continue };
        match provider {
            None => report.mistake(&place, &path, format!("there is no [providers.{}]", model.provider())),
            Some(provider) if provider.kind == ProviderKind::Builtin => {
                report.mistake(&place, &path, "models of the kind builtin are free; they take no price");
            }
            Some(_) => models.extend(read.map(|read| (model, read))),
        }
    }
    models
}

fn vendor_of(provider: &Provider) -> Option<&'static Vendor> {
    match &provider.base_url {
        BaseUrl::Http(url) => prices::shipped().vendor_at(url),
        BaseUrl::Unix(_) | BaseUrl::None => None,
    }
}

fn model_of(provider: &ProviderName, model: &str) -> Option<ModelRef> {
    format!("{provider}/{model}").parse().ok()
}

/// One entry. Its price is its own, whole; what else it does not say is as in `base`.
pub(in crate::config) fn entry(table: &mut Section, report: &mut Report, base: Model) -> Option<Model> {
    let price = price(table, report);
    let mut model = Model { price: price.unwrap_or(Price::FREE), ..base };
    let tokens = value::whole(1..=TOKENS_MAX);
    let read_tokens =
        |located: Option<Located<u64>>, before: Option<Tokens>| located.map(|it| Tokens::new(it.value)).or(before);
    model.context = read_tokens(table.read(report, "context_tokens", &tokens), base.context);
    model.output_max = read_tokens(table.read(report, "max_output_tokens", &tokens), base.output_max);
    model.counting = counting(table, report, base.counting);
    model.abilities = abilities(table, report).or(base.abilities);
    price.map(|_| model)
}

/// How a model, or all of a vendor, count.
pub(in crate::config) fn counting(table: &mut Section, report: &mut Report, base: Counting) -> Counting {
    const TOKENIZERS: &[(&str, Tokenizer)] = &[("o200k_base", Tokenizer::O200k), ("other", Tokenizer::Other)];
    let margin = value::whole(0..=MARGIN_PERCENT_MAX);
    let tokens = value::whole(0..=TOKENS_MAX);
    Counting {
        tokenizer: table.read_or(report, "tokenizer", base.tokenizer, value::one_of(TOKENIZERS)),
        margin_percent: table.read_or(report, "tokenizer_margin_percent", base.margin_percent, margin),
        image: table.read(report, "image_tokens", &tokens).map_or(base.image, |it| Tokens::new(it.value)),
        tool_prompt: table
            .read(report, "tool_prompt_tokens", &tokens)
            .map_or(base.tool_prompt, |it| Tokens::new(it.value)),
    }
}

/// What a model, or all of a vendor, can do.
pub(in crate::config) fn abilities(table: &mut Section, report: &mut Report) -> Option<Abilities> {
    table.read(report, "capabilities", value::list::<Ability>).map(|located| located.value.into_iter().collect())
}

/// Rates as they are given: perhaps with holes.
struct Given {
    input: Option<Located<Usd>>,
    output: Option<Located<Usd>>,
    cached_input: Option<Located<Usd>>,
    cache_write: Option<Located<Usd>>,
}

impl Given {
    fn read(table: &mut Section, report: &mut Report) -> Self {
        Self {
            input: table.read(report, "input_usd_per_mtok", value::usd),
            output: table.read(report, "output_usd_per_mtok", value::usd),
            cached_input: table.read(report, "cached_input_usd_per_mtok", value::usd),
            cache_write: table.read(report, "cache_write_usd_per_mtok", value::usd),
        }
    }

    fn all(&self) -> [&Option<Located<Usd>>; 4] {
        [&self.input, &self.output, &self.cached_input, &self.cache_write]
    }

    /// What has to do with a cache costs what any input costs, where nothing else is said.
    fn rates(&self) -> Option<Rates> {
        let of = |given: &Option<Located<Usd>>| given.as_ref().map(|located| located.value);
        let plain = Rates::plain(of(&self.input)?, of(&self.output)?);
        Some(Rates {
            cached_input: of(&self.cached_input).unwrap_or(plain.cached_input),
            cache_write: of(&self.cache_write).unwrap_or(plain.cache_write),
            ..plain
        })
    }
}

/// A price without holes; none where the report says what is wrong with it.
fn price(table: &mut Section, report: &mut Report) -> Option<Price> {
    let before = report.mistakes.len();
    let free = table.read(report, "free", value::boolean);
    let has = |table: &Section, key: &str| table.has(key);
    let holes = (!has(table, "input_usd_per_mtok"), !has(table, "output_usd_per_mtok"));
    let given = Given::read(table, report);
    let long = long_context(table, report);
    let place = table.place().clone();
    if let Some(Located { place: free, value: true }) = free {
        let costs = given.all().into_iter().flatten().any(|located| located.value > Usd::ZERO) || long.is_some();
        if costs {
            report.mistake(&free, &table.path_of("free"), "a price is given as well; one of them");
        }
        return (report.mistakes.len() == before).then_some(Price::FREE);
    }
    let missing = match holes {
        (true, true) => &["input_usd_per_mtok", "output_usd_per_mtok"][..],
        (true, false) => &["input_usd_per_mtok"],
        (false, true) => &["output_usd_per_mtok"],
        (false, false) => &[],
    };
    for key in missing {
        report.mistake(&place, &table.path_of(key), "missing; a model that costs nothing says free = true");
    }
    let rates = given.rates()?;
    (report.mistakes.len() == before).then_some(Price { rates, long_context: long })
}

/// The rates of calls with a long input, where there are any. Holes in them are mistakes.
fn long_context(table: &mut Section, report: &mut Report) -> Option<LongContext> {
    let given = table.has("long_context");
    let mut long = table.section(report, "long_context");
    let holes = ["above_tokens", "input_usd_per_mtok", "output_usd_per_mtok"].map(|key| (key, !long.has(key)));
    let above = long.read(report, "above_tokens", value::whole(1..=TOKENS_MAX));
    let rates = Given::read(&mut long, report).rates();
    let (place, paths) = (long.place().clone(), holes.map(|(key, hole)| (long.path_of(key), hole)));
    long.finish(report);
    if !given {
        return None;
    }
    for (path, _) in paths.iter().filter(|(_, hole)| *hole) {
        report.mistake(&place, path, "missing");
    }
    Some(LongContext { above: Tokens::new(above?.value), rates: rates? })
}

/// Text that a list may hold, for lists of plain words.
pub(in crate::config) fn words(node: &Node) -> Result<Vec<String>, String> {
    value::list::<String>(node)
}
