//! Decides: who may do what, with which template, at what price. Never imports the data plane.
