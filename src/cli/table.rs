//! Tables: a header, rows, no lines; columns as wide as they need, so that nothing is cut.

use comfy_table::{Cell, Color, ContentArrangement, presets};

use super::output::{Paint, Tone};

/// A table to be filled row by row.
pub(super) struct Table {
    table: comfy_table::Table,
    paint: Paint,
}

impl Table {
    pub(super) fn new(paint: Paint, header: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.force_no_tty();
        if paint == Paint::Coloured {
            table.enforce_styling();
        }
        let bold = |name: &&str| Cell::new(name).add_attribute(comfy_table::Attribute::Bold);
        table.set_header(header.iter().map(bold));
        Self { table, paint }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = (Tone, String)>) {
        self.table.add_row(cells.into_iter().map(|(tone, text)| toned(tone, text)));
    }

    /// The text; `empty` where there is no row.
    pub(super) fn render(mut self, empty: &str) -> String {
        if self.table.is_empty() {
            return self.paint.text(Tone::Faint, empty);
        }
        for column in self.table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.table.trim_fmt()
    }
}

fn toned(tone: Tone, text: String) -> Cell {
    let cell = Cell::new_owned(text);
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Warning => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::DarkRed),
        Tone::Faint => cell.add_attribute(comfy_table::Attribute::Dim),
        Tone::Strong => cell.add_attribute(comfy_table::Attribute::Bold),
    }
}

/// A plain cell.
pub(super) fn plain(text: impl Into<String>) -> (Tone, String) {
    (Tone::Plain, text.into())
}

/// A cell for what may be missing.
pub(super) fn or_dash(text: Option<&str>) -> (Tone, String) {
    text.map_or_else(|| (Tone::Faint, "-".into()), plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(paint: Paint) -> String {
        let mut table = Table::new(paint, &["NAME", "STATE"]);
        table.row([plain("a"), (Tone::Good, "running".into())]);
        table.row([plain("longer é"), or_dash(None)]);
        table.render("nothing")
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        assert_eq!(table(Paint::Plain), "NAME      STATE\na         running\nlonger é  -");
    }

    #[test]
    fn colours_do_not_shift_columns() {
        let text = table(Paint::Coloured);
        assert!(text.contains("\x1b["), "{text:?}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn an_empty_table_says_what_is_not_there() {
        assert_eq!(Table::new(Paint::Plain, &["NAME"]).render("no agents"), "no agents");
    }
}
