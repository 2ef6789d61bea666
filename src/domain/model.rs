//! What is known of a model beside its name: its price, its limits, what it can take, and how it counts tokens.

use std::fmt;
use std::str::FromStr;

use super::money::Price;
use super::usage::Tokens;

/// Something that a call may need and not every model can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ability {
    /// It calls tools that it is told of.
    Tools,
    /// It takes images.
    Images,
    /// It answers by a schema that it is given.
    StructuredOutput,
    /// It reasons before it answers.
    Reasoning,
}

impl Ability {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Images, Self::StructuredOutput, Self::Reasoning];

    /// The word of settings and price lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images => "images",
            Self::StructuredOutput => "structured_output",
            Self::Reasoning => "reasoning",
        }
    }

    /// What a model without it cannot do, as the end of a sentence.
    #[must_use]
    pub fn lacking(self) -> &'static str {
        match self {
            Self::Tools => "cannot call tools",
            Self::Images => "cannot take images",
            Self::StructuredOutput => "cannot answer by a schema",
            Self::Reasoning => "cannot reason",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Tools => 1,
            Self::Images => 2,
            Self::StructuredOutput => 4,
            Self::Reasoning => 8,
        }
    }
}

/// A word that names no ability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a capability of a model: expected tools, images, structured_output or reasoning")]
pub struct InvalidAbility;

impl FromStr for Ability {
    type Err = InvalidAbility;

    fn from_str(word: &str) -> Result<Self, InvalidAbility> {
        Self::ALL.into_iter().find(|ability| ability.as_str() == word).ok_or(InvalidAbility)
    }
}

/// A set of abilities.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities(u8);

impl Abilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// These, and the one.
    #[must_use]
    pub fn with(self, ability: Ability) -> Self {
        Self(self.0 | ability.bit())
    }

    /// Whether the one is among them.
    #[must_use]
    pub fn has(self, ability: Ability) -> bool {
        self.0 & ability.bit() != 0
    }

    /// The first of these that the others lack.
    #[must_use]
    pub fn first_missing_in(self, others: Self) -> Option<Ability> {
        self.iter().find(|&ability| !others.has(ability))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Ability> {
        Ability::ALL.into_iter().filter(move |&ability| self.has(ability))
    }
}

impl FromIterator<Ability> for Abilities {
    fn from_iter<I: IntoIterator<Item = Ability>>(abilities: I) -> Self {
        abilities.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// How a model's vendor turns text into tokens, seen from `o200k_base`, which is what can be counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// With `o200k_base` itself.
    O200k,
    /// With another, which may split what `o200k_base` joins: digits, and letters beyond ASCII.
    Other,
}

/// How many tokens a prompt has at worst, as its model counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// Whose tokens they are.
    pub tokenizer: Tokenizer,
    /// What is added to the count of texts, in percent of it.
    pub margin_percent: u64,
    /// The most that one image counts for.
    pub image: Tokens,
    /// What the vendor adds to a prompt that tells of tools.
    pub tool_prompt: Tokens,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The settings.
    Settings,
    /// The list that is shipped.
    Shipped,
    /// The program itself: what its own provider can do.
    Builtin,
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// What it costs.
    pub price: Price,
    /// The most tokens of an input and its answer together, where that is known.
    pub context: Option<Tokens>,
    /// The longest answer, where that is known.
    pub output_max: Option<Tokens>,
    /// How it counts.
    pub counting: Counting,
    /// What it can do; where nothing is said, it is taken to be able to do everything.
    pub abilities: Option<Abilities>,
    /// Who says so.
    pub origin: Origin,
}

impl Model {
    /// A model of the provider `builtin`: it costs nothing, and what is counted for it is for its limits alone.
    pub const BUILTIN: Self = Self {
        price: Price::FREE,
        context: None,
        output_max: None,
        counting: Counting {
            tokenizer: Tokenizer::O200k,
            margin_percent: 0,
            image: Tokens::new(0),
            tool_prompt: Tokens::new(0),
        },
        abilities: None,
        origin: Origin::Builtin,
    };

    /// The first of these abilities that the model is known to lack.
    #[must_use]
    pub fn lacks(&self, needed: Abilities) -> Option<Ability> {
        needed.first_missing_in(self.abilities?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_are_a_set_of_words() {
        for ability in Ability::ALL {
            assert_eq!(ability.as_str().parse(), Ok(ability));
            assert!(!Abilities::NONE.has(ability) && Abilities::NONE.with(ability).has(ability));
        }
        assert_eq!("telepathy".parse::<Ability>(), Err(InvalidAbility));
        let some: Abilities = [Ability::Images, Ability::Tools].into_iter().collect();
        assert_eq!(format!("{some:?}"), "{Tools, Images}");
    }

    #[test]
    fn what_nothing_is_said_of_is_taken_to_be_able() {
        let needed: Abilities = [Ability::Tools, Ability::Images].into_iter().collect();
        assert_eq!(Model::BUILTIN.lacks(needed), None);
        let known = |abilities| Model { abilities: Some(abilities), ..Model::BUILTIN };
        assert_eq!(known(Abilities::NONE).lacks(needed), Some(Ability::Tools));
        assert_eq!(known(Abilities::NONE.with(Ability::Tools)).lacks(needed), Some(Ability::Images));
        assert_eq!(known(needed).lacks(needed), None);
        assert_eq!(known(Abilities::NONE).lacks(Abilities::NONE), None);
    }
}
