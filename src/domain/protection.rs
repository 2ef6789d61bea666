//! What is done with personal data and secrets that are found in a text: an action for each type of finding, by direction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::entity::{Group, Kind, NameError};

/// How long a person is waited for where neither template nor settings say: then the answer is no.
pub const ASK_WITHIN_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The key under which rules name the action on everything that they do not name.
pub const DEFAULT: &str = "default";

/// The action on a finding, from the most lenient to the strictest: the less of it can come back to somebody, the stricter. A
/// pseudonym is undone in the answer; a mask never is, and a hash neither, which moreover does not serve a model as a word; what is
/// asked for goes nowhere before a person says so, and what is blocked goes nowhere at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Lets it pass.
    Allow,
    /// Puts a pseudonym in its place, and the original back into the answer.
    Pseudonymise,
    /// Puts its type in its place, for good.
    Mask,
    /// Puts a keyed hash in its place, for good.
    Hash,
    /// Keeps the whole text back until a person has decided whether the finding may leave as it is.
    Ask,
    /// Refuses the whole text.
    Block,
}

impl Action {
    /// Every action, with the word that templates and metrics use for it.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Allow, "allow"),
        (Self::Pseudonymise, "pseudonymise"),
        (Self::Mask, "mask"),
        (Self::Hash, "hash"),
        (Self::Ask, "ask"),
        (Self::Block, "block"),
    ];

    /// The word for this action.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Pseudonymise => "pseudonymise",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Ask => "ask",
            Self::Block => "block",
        }
    }

    /// The action that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(action, _)| *action)
    }
}

/// What one rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// All that no other rule is about.
    Default,
    /// A group of kinds.
    Group(Group),
    /// One kind.
    Kind(Kind),
}

impl Subject {
    /// What a rule of this name is about.
    ///
    /// # Errors
    /// It is neither the default nor the name of a group or kind, or too many names of kinds were learnt.
    pub fn named(name: &str) -> Result<Self, NameError> {
        if name == DEFAULT {
            return Ok(Self::Default);
        }
        Group::named(name).map(Self::Group).map_or_else(|| Kind::named(name).map(Self::Kind), Ok)
    }

    /// The name under which templates and settings write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => DEFAULT,
            Self::Group(group) => group.as_str(),
            Self::Kind(kind) => kind.as_str(),
        }
    }
}

/// The action on each kind of finding in one direction: that of the kind, else that of its group, else the default. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    default: Action,
    /// None where there is one action for all, as in most templates.
    named: Option<Arc<Named>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Named {
    groups: BTreeMap<Group, Action>,
    kinds: BTreeMap<Kind, Action>,
}

impl Rules {
    /// One action for everything.
    #[must_use]
    pub const fn all(action: Action) -> Self {
        Self { default: action, named: None }
    }

    /// A default, and what differs from it.
    #[must_use]
    pub fn new(default: Action, rules: impl IntoIterator<Item = (Subject, Action)>) -> Self {
        let (mut all, mut named) = (default, Named::default());
        for (subject, action) in rules {
            match subject {
                Subject::Default => all = action,
                Subject::Group(group) => {
                    named.groups.insert(group, action);
                }
                Subject::Kind(kind) => {
                    named.kinds.insert(kind, action);
                }
            }
        }
        let is_plain = named == Named::default();
        Self { default: all, named: (!is_plain).then(|| Arc::new(named)) }
    }

    /// The action on a kind.
    #[must_use]
    pub fn action(&self, kind: Kind) -> Action {
        let of_kind = self.named.as_ref().and_then(|named| named.kinds.get(&kind).copied());
        of_kind.unwrap_or_else(|| self.of_group(kind.group()))
    }

    fn of_group(&self, group: Group) -> Action {
        self.named.as_ref().and_then(|named| named.groups.get(&group).copied()).unwrap_or(self.default)
    }

    /// What is written of them: the default first, then groups, then kinds.
    pub fn iter(&self) -> impl Iterator<Item = (Subject, Action)> + '_ {
        let named = self.named.as_deref();
        let groups = named.into_iter().flat_map(|named| &named.groups);
        let kinds = named.into_iter().flat_map(|named| &named.kinds);
        std::iter::once((Subject::Default, self.default))
            .chain(groups.map(|(group, action)| (Subject::Group(*group), *action)))
            .chain(kinds.map(|(kind, action)| (Subject::Kind(*kind), *action)))
    }

    /// The one action on everything, where there is one.
    #[must_use]
    pub fn uniform(&self) -> Option<Action> {
        self.iter().all(|(_, action)| action == self.default).then_some(self.default)
    }

    /// Whether nothing that is found changes anything: texts need not be examined.
    #[must_use]
    pub fn lets_all_pass(&self) -> bool {
        self.uniform() == Some(Action::Allow)
    }

    /// Whether a kind can have this action.
    #[must_use]
    pub fn has(&self, action: Action) -> bool {
        self.iter().any(|(_, one)| one == action)
    }

    /// The stricter of both for every kind.
    #[must_use]
    pub fn at_least(&self, floor: &Self) -> Self {
        if floor.lets_all_pass() {
            return self.clone();
        }
        if let (Some(own), Some(least)) = (self.uniform(), floor.uniform()) {
            return Self::all(own.max(least));
        }
        let subjects = self.iter().chain(floor.iter()).map(|(subject, _)| subject);
        let raised = |subject| match subject {
            Subject::Default => (subject, self.default.max(floor.default)),
            Subject::Group(group) => (subject, self.of_group(group).max(floor.of_group(group))),
            Subject::Kind(kind) => (subject, self.action(kind).max(floor.action(kind))),
        };
        Self::new(self.default, subjects.map(raised))
    }

    /// The same for what leaves as it is or not at all: what would be replaced is blocked.
    #[must_use]
    pub fn or_block(&self) -> Self {
        let all_or_nothing = |(subject, action)| match action {
            Action::Pseudonymise | Action::Mask | Action::Hash => (subject, Action::Block),
            Action::Allow | Action::Ask | Action::Block => (subject, action),
        };
        Self::new(self.default, self.iter().map(all_or_nothing))
    }

    /// The same, but that these kinds pass where a person would be asked about them.
    #[must_use]
    pub fn granting(&self, kinds: &[Kind]) -> Self {
        let granted = kinds.iter().filter(|kind| self.action(**kind) == Action::Ask);
        let granted = granted.map(|kind| (Subject::Kind(*kind), Action::Allow));
        Self::new(self.default, self.iter().chain(granted))
    }
}

impl From<Action> for Rules {
    fn from(action: Action) -> Self {
        Self::all(action)
    }
}

/// What is done with pictures on their way out: nobody can see what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Images {
    /// They leave where the rules let everything pass: who has texts looked at has not said that what nobody can look at may leave.
    #[default]
    ByRules,
    /// They leave.
    Allow,
    /// A call with one is refused.
    Block,
}

impl Images {
    /// The word for it, where one is written.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::ByRules => None,
            Self::Allow => Some("allow"),
            Self::Block => Some("block"),
        }
    }

    /// What a word says.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Allow, Self::Block].into_iter().find(|images| images.as_str() == Some(word))
    }
}

/// What a template asks for, by direction. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Towards a provider or a tool.
    pub outbound: Rules,
    /// From a provider or a tool.
    pub inbound: Rules,
    /// Pictures towards a provider.
    pub images: Images,
    /// How long a person is waited for; then the answer is no.
    pub ask_within: Duration,
}

impl Protection {
    /// One action for each direction, and the rest as by default.
    #[must_use]
    pub fn simple(outbound: Action, inbound: Action) -> Self {
        Self { outbound: outbound.into(), inbound: inbound.into(), ..Self::default() }
    }

    /// Whether a picture may leave.
    #[must_use]
    pub fn lets_images_pass(&self) -> bool {
        match self.images {
            Images::Allow => true,
            Images::Block => false,
            Images::ByRules => self.outbound.lets_all_pass(),
        }
    }

    /// The same, but nothing more lenient than the floor says. Pictures count as texts that hold anything: under a floor that does
    /// not let every text pass, none leaves.
    #[must_use]
    pub fn at_least(&self, floor: &Floor) -> Self {
        let images = match self.images {
            Images::Allow if !floor.outbound.lets_all_pass() => Images::Block,
            images @ (Images::Allow | Images::ByRules | Images::Block) => images,
        };
        Self {
            outbound: self.outbound.at_least(&floor.outbound),
            inbound: self.inbound.at_least(&floor.inbound),
            images,
            ..self.clone()
        }
    }
}

impl Default for Protection {
    /// Pseudonymises what leaves and lets answers pass.
    fn default() -> Self {
        Self {
            outbound: Action::Pseudonymise.into(),
            inbound: Action::Allow.into(),
            images: Images::ByRules,
            ask_within: ASK_WITHIN_DEFAULT,
        }
    }
}

/// The most lenient actions that a host lets templates ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Towards a provider or a tool.
    pub outbound: Rules,
    /// From a provider or a tool.
    pub inbound: Rules,
}

impl Default for Floor {
    /// Templates may ask for anything.
    fn default() -> Self {
        Self { outbound: Rules::all(Action::Allow), inbound: Rules::all(Action::Allow) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn action() -> impl Strategy<Value = Action> {
        proptest::sample::select(Action::ALL.map(|(action, _)| action).to_vec())
    }

    fn subject() -> impl Strategy<Value = Subject> {
        prop_oneof![
            Just(Subject::Group(Group::Personal)),
            Just(Subject::Group(Group::Secret)),
            proptest::sample::select(Kind::ALL.to_vec()).prop_map(Subject::Kind),
        ]
    }

    fn rules() -> impl Strategy<Value = Rules> {
        (action(), proptest::collection::vec((subject(), action()), 0..6))
            .prop_map(|(all, named)| Rules::new(all, named))
    }

    #[test]
    fn a_kind_is_more_than_its_group_and_that_is_more_than_the_default() {
        let rules = Rules::new(
            Action::Mask,
            [
                (Subject::Group(Group::Secret), Action::Block),
                (Subject::Kind(Kind::OPENAI_KEY), Action::Allow),
                (Subject::Kind(Kind::CREDIT_CARD), Action::Hash),
            ],
        );
        for (kind, action) in [
            (Kind::OPENAI_KEY, Action::Allow),
            (Kind::GITHUB_TOKEN, Action::Block),
            (Kind::CREDIT_CARD, Action::Hash),
            (Kind::EMAIL_ADDRESS, Action::Mask),
        ] {
            assert_eq!(rules.action(kind), action, "{kind}");
        }
        assert_eq!((rules.uniform(), Rules::all(Action::Mask).uniform()), (None, Some(Action::Mask)));
    }

    #[test]
    fn who_has_texts_looked_at_must_say_that_pictures_may_leave() {
        let by_rules = |action| Protection::simple(action, Action::Allow).lets_images_pass();
        assert!(by_rules(Action::Allow) && !by_rules(Action::Pseudonymise) && !by_rules(Action::Block));
        let allowed = Protection { images: Images::Allow, ..Protection::simple(Action::Block, Action::Allow) };
        let refused = Protection { images: Images::Block, ..Protection::simple(Action::Allow, Action::Allow) };
        assert!(allowed.lets_images_pass() && !refused.lets_images_pass());
    }

    proptest! {
        /// No template undercuts the floor, and none is made more lenient by it.
        #[test]
        fn a_floor_is_never_undercut(own in rules(), floor in rules()) {
            let both = own.at_least(&floor);
            for kind in Kind::ALL {
                prop_assert_eq!(both.action(*kind), own.action(*kind).max(floor.action(*kind)));
            }
            let floor = Floor { outbound: floor, ..Floor::default() };
            for images in [Images::ByRules, Images::Allow, Images::Block] {
                let own = Protection { outbound: own.clone(), images, ..Protection::default() };
                let leaves = own.lets_images_pass() && floor.outbound.lets_all_pass();
                prop_assert_eq!(own.at_least(&floor).lets_images_pass(), leaves);
            }
        }

        /// A person's leave concerns what was asked for and nothing else.
        #[test]
        fn leave_is_for_what_was_asked_for(own in rules(), kinds in proptest::collection::vec(
            proptest::sample::select(Kind::ALL.to_vec()), 0..6))
        {
            let granting = own.granting(&kinds);
            for kind in Kind::ALL {
                let was_asked = own.action(*kind) == Action::Ask && kinds.contains(kind);
                let expected = if was_asked { Action::Allow } else { own.action(*kind) };
                prop_assert_eq!(granting.action(*kind), expected);
            }
        }

        #[test]
        fn what_is_written_reads_back(own in rules()) {
            prop_assert_eq!(&Rules::new(Action::Allow, own.iter()), &own);
        }
    }
}
