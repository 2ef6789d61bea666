//! The provider `builtin`: models that need no network and no key and cost nothing.

use super::echo;
use super::error::Error;
use super::exchange::{Completion, Request};
use super::extractive;
use crate::domain::name::ModelRef;

/// The provider whose models are part of the daemon.
pub(super) struct Builtin;

/// Its models.
#[derive(Debug, Clone, Copy)]
enum Model {
    Extractive,
    Echo,
}

impl Builtin {
    pub(super) fn usable(&self, model: &ModelRef) -> Result<(), Error> {
        named(model).map(drop)
    }

    /// The answer, where making it is less work than a detour.
    pub(super) fn answer_at_once(&self, model: &ModelRef, request: &Request) -> Option<Completion> {
        match named(model).ok()? {
            Model::Extractive => extractive::answer_at_once(request),
            Model::Echo => Some(echo::answer(request)),
        }
    }

    /// Answers away from the threads that run tasks, where the work is not small.
    pub(super) async fn complete(&self, model: &ModelRef, request: Request) -> Result<Completion, Error> {
        match named(model)? {
            Model::Extractive => extractive::complete(request).await,
            Model::Echo => Ok(echo::answer(&request)),
        }
    }
}

fn named(model: &ModelRef) -> Result<Model, Error> {
    match model.model() {
        extractive::MODEL => Ok(Model::Extractive),
        echo::MODEL => Ok(Model::Echo),
        _ => Err(Error::UnknownModel(model.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_models_are_unknown() {
        let other: ModelRef = "builtin/abstractive".parse().expect("a model");
        assert_eq!(Builtin.usable(&other), Err(Error::UnknownModel(other)));
        assert_eq!(Builtin.usable(&"builtin/echo".parse().expect("a model")), Ok(()));
    }
}
