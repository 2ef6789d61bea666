//! Lists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most items that a page may ask for.
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// The items of a page that asks for no number.
pub const PAGE_ITEMS_DEFAULT: usize = 100;

/// A part of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to give as `after` for the following page; null at the end.
    pub next: Option<String>,
}
