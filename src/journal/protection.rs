//! How a protection is stored: by words, so that neither the order of actions nor that of kinds is part of the format.
//!
//! Where there is one action for each direction and nothing else is said, it is the pair of words that releases before this form
//! wrote and read; else it is `[outbound, inbound, milliseconds to ask within, images]`, where rules are a map of names to words.

use std::time::Duration;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use crate::domain::protection::{Action, Images, Protection, Rules, Subject};

pub(super) fn encode<C, W: Write>(
    value: &Protection,
    e: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    if let (Some(outbound), Some(inbound)) = (value.outbound.uniform(), value.inbound.uniform())
        && *value == Protection::simple(outbound, inbound)
    {
        return e.array(2)?.str(outbound.as_str())?.str(inbound.as_str())?.ok();
    }
    e.array(4)?;
    for rules in [&value.outbound, &value.inbound] {
        e.map(u64::try_from(rules.iter().count()).unwrap_or(u64::MAX))?;
        for (subject, action) in rules.iter() {
            e.str(subject.as_str())?.str(action.as_str())?;
        }
    }
    e.u64(u64::try_from(value.ask_within.as_millis()).unwrap_or(u64::MAX))?
        .str(value.images.as_str().unwrap_or_default())?
        .ok()
}

pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Protection, DecodeError> {
    let members = d.array()?.ok_or_else(|| DecodeError::message("a protection without a length"))?;
    let (outbound, inbound) = (rules(d)?, rules(d)?);
    let mut protection = Protection { outbound, inbound, ..Protection::default() };
    if members == 2 {
        return Ok(protection);
    }
    protection.ask_within = Duration::from_millis(d.u64()?);
    protection.images = match d.str()? {
        "" => Images::ByRules,
        word => Images::from_word(word).ok_or_else(|| DecodeError::message("not what is done with pictures"))?,
    };
    for _ in 4..members {
        d.skip()?;
    }
    Ok(protection)
}

fn rules(d: &mut Decoder<'_>) -> Result<Rules, DecodeError> {
    if d.datatype()? == Type::String {
        return Ok(action(d)?.into());
    }
    let count = d.map()?.ok_or_else(|| DecodeError::message("rules without a length"))?;
    let (mut known, mut unknown) = (Vec::new(), Action::Allow);
    for _ in 0..count {
        let (name, action) = (d.str()?, action(d)?);
        match Subject::named(name) {
            Ok(subject) => known.push((subject, action)),
            Err(_) => unknown = unknown.max(action),
        }
    }
    // A kind may have been renamed since: what was asked for it is not forgotten, so that everything gets it.
    Ok(Rules::new(Action::Block, known).at_least(&Rules::all(unknown)))
}

fn action(d: &mut Decoder<'_>) -> Result<Action, DecodeError> {
    Action::from_word(d.str()?).ok_or_else(|| DecodeError::message("not an action"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entity::{Group, Kind};
    use crate::domain::protection::DEFAULT;

    fn written(protection: &Protection) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(protection, &mut Encoder::new(&mut bytes), &mut ()).expect("encoded");
        bytes
    }

    fn read(bytes: &[u8]) -> Protection {
        decode(&mut Decoder::new(bytes), &mut ()).expect("decoded")
    }

    #[test]
    fn what_the_release_before_wrote_reads_and_is_written_again() {
        let mut before = Vec::new();
        Encoder::new(&mut before).encode(["mask", "block"]).expect("encoded");
        let protection = Protection::simple(Action::Mask, Action::Block);
        assert_eq!((read(&before), written(&protection)), (protection, before));
    }

    #[test]
    fn rules_by_type_read_back() {
        let custom = Kind::named("CUSTOM_BADGE").expect("a kind");
        let rules = [(Subject::Group(Group::Secret), Action::Block), (Subject::Kind(custom), Action::Ask)];
        let protection = Protection {
            outbound: Rules::new(Action::Mask, rules),
            images: Images::Block,
            ask_within: Duration::from_secs(7),
            ..Protection::default()
        };
        assert_eq!(read(&written(&protection)), protection);
    }

    #[test]
    fn what_was_asked_for_a_type_that_nobody_knows_any_more_is_done_to_all() {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.array(4).and_then(|e| e.map(2)).expect("encoded");
        for word in [DEFAULT, "allow", "OLD_NAME", "hash", "allow"] {
            e.str(word).expect("encoded");
        }
        e.u64(1_000).and_then(|e| e.str("")).expect("encoded");
        assert_eq!(read(&bytes).outbound, Rules::all(Action::Hash));
    }
}
