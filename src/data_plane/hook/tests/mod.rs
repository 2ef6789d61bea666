//! Hooks: the decisions against a model, and the actor with a scripted tool.
