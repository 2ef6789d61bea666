//! What a word says of the value beside it: a set, for one word may name several things.

use std::ops::BitOr;

/// A set of topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::data_plane::dlp::detect) struct Topics(u64);

macro_rules! topics {
    ($($(#[doc = $doc:literal])* $name:ident = $bit:literal;)*) => {
        impl Topics {
            $($(#[doc = $doc])* pub(in crate::data_plane::dlp::detect) const $name: Self = Self(1 << $bit);)*
        }
    };
}

topics! {
    /// French social security.
    NIR = 0;
    /// A French company.
    SIREN = 1;
    /// A French company's site.
    SIRET = 2;
    /// Value-added tax.
    TVA = 3;
    /// Social security of the United States.
    SSN = 4;
    /// A taxpayer of the United States.
    ITIN = 5;
    /// The British health service.
    NHS = 6;
    /// British national insurance.
    NINO = 7;
    /// A Spanish citizen or company.
    NIF = 8;
    /// A foreigner in Spain.
    NIE = 9;
    /// The Italian fiscal code.
    FISCAL = 10;
    /// The German tax number for life.
    STEUER = 11;
    /// The Belgian national register.
    BELGIAN = 12;
    /// The Dutch citizen's service number.
    BSN = 13;
    /// The Polish population register.
    PESEL = 14;
    /// A Portuguese taxpayer.
    CONTRIBUINTE = 15;
    /// Swiss old-age insurance.
    AHV = 16;
    /// A passport.
    PASSPORT = 17;
    /// An identity card.
    ID_CARD = 18;
    /// A birth.
    BIRTH = 19;
    /// An address of a machine.
    NETWORK = 20;
    /// A wallet.
    WALLET = 21;
    /// Numbers of something else: an order, an invoice, a parcel, a telephone.
    OTHER = 22;
    /// A version of something.
    VERSION = 23;
    /// The column of a table about which nothing is known: what is said to its left does not reach beyond it.
    COLUMN = 24;
    /// A form of address: a name follows.
    TITLE = 25;
    /// The label of a name, where a colon or its like follows.
    NAME = 26;
    /// The label of something that may be named like a person or otherwise.
    NAMED = 27;
    /// Somebody's part in something: a name may follow directly.
    ROLE = 28;
    /// Somebody says who they are.
    INTRODUCTION = 29;
    /// A salutation.
    GREETING = 30;
    /// The end of a letter: a name stands on the next line.
    CLOSING = 31;
    /// A given name.
    GIVEN = 32;
    /// What a street is called in French: its name follows.
    VOIE = 33;
    /// What a street is called in English and its like: its name stands before.
    STREET = 34;
    /// The label of a postal address.
    ADDRESS = 35;
    /// A box at a post office.
    BOX = 36;
    /// The label of the address of a network card.
    HARDWARE = 37;
    /// A small word inside names.
    PARTICLE = 38;
    /// A word that is no name, though it may have a capital.
    COMMON = 39;
    /// A word before the name of a person that makes it a place's.
    OF_PLACES = 40;
    /// A form of address that may begin with a small letter.
    SMALL_TITLE = 41;
    /// A small word inside the names of streets and towns.
    JOINER = 42;
    /// A word with a capital that begins no town.
    NO_TOWN = 43;
    /// A month that streets are named after.
    MONTH = 44;
    /// A word that somebody's given name stands behind.
    DEALING = 45;
    /// A unit: what stands before it is an amount.
    UNIT = 46;
}

impl Topics {
    /// No topic.
    pub(in crate::data_plane::dlp::detect) const NONE: Self = Self(0);

    /// Those of both.
    pub(in crate::data_plane::dlp::detect) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have a topic in common.
    pub(in crate::data_plane::dlp::detect) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is one that makes a word worth reporting: others are only looked up.
    pub(super) const fn is_reported(self) -> bool {
        self.0 & (Self::PARTICLE.0 - 1) != 0
    }

    /// How many there are: the fewer, the more a word says.
    pub(in crate::data_plane::dlp::detect) const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl BitOr for Topics {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}
