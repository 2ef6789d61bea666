//! Decides: who may do what, with which template, at what price. Never imports the data plane.

/// Rego rules over templates.
pub mod policy;
/// Signed templates: parse, inherit, verify, check, publish; watch and history.
pub mod template;
