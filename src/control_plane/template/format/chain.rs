//! What can be wrong with the chain of templates that extend one another, from a template up.

use crate::domain::name::TemplateName;

use super::inherit::EXTENDS_MAX;
use super::mistake::Mistake;
use super::nearest::nearest;

/// The most templates among which the one that was meant is looked for: every orphan compares its parent with all of them.
const KNOWN_MAX: usize = 256;

/// The last name is one that stands further down already.
pub(in crate::control_plane::template) fn cycle(chain: &[TemplateName]) -> Mistake {
    told(chain, "templates extend one another", "; take `extends` out of one of them")
}

/// The last name is nobody's; `known` are those that there are.
pub(in crate::control_plane::template) fn missing<'a>(
    chain: &[TemplateName],
    known: impl Iterator<Item = &'a TemplateName>,
) -> Mistake {
    let wanted = chain.last().map(TemplateName::as_str).unwrap_or_default();
    let known: Vec<&TemplateName> = known.take(KNOWN_MAX.saturating_add(1)).collect();
    let few = if known.len() > KNOWN_MAX { Vec::new() } else { known };
    let near = nearest(wanted, few.into_iter().filter(|name| !chain.contains(name)).map(TemplateName::as_str));
    let advice = match near {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there is no {wanted}.json"),
    };
    told(chain, "the parent is missing", &advice)
}

/// The last name is one too many.
pub(in crate::control_plane::template) fn too_long(chain: &[TemplateName]) -> Mistake {
    told(chain, &format!("more than {EXTENDS_MAX} templates above one another"), "; extend one further up")
}

/// No template of the chain but the first may be had; the last one's own file is at fault.
pub(in crate::control_plane::template) fn refused(chain: &[TemplateName]) -> Mistake {
    let parent = chain.get(1).map(TemplateName::as_str).unwrap_or_default();
    let cause = chain.last().map(TemplateName::as_str).unwrap_or_default();
    told(chain, &format!("the parent {parent} is refused"), &format!("; mend {cause}"))
}

fn told(chain: &[TemplateName], what: &str, advice: &str) -> Mistake {
    let names: Vec<&str> = chain.iter().map(TemplateName::as_str).collect();
    Mistake::at("/extends", format!("{what}: {}{advice}", names.join(" -> ")))
}
