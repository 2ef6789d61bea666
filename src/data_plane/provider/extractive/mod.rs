//! stub
use super::error::Error;
use super::exchange::{Completion, Request};
use crate::domain::name::ModelRef;
pub(super) struct Extractive;
impl Extractive {
    pub(super) fn usable(&self, _model: &ModelRef) -> Result<(), Error> {
        Ok(())
    }
    pub(super) fn answer_at_once(&self, _model: &ModelRef, _request: &Request) -> Option<Completion> {
        None
    }
    pub(super) async fn complete(&self, model: &ModelRef, _request: Request) -> Result<Completion, Error> {
        Err(Error::UnknownModel(model.clone()))
    }
}
