//! Trees drawn with lines, their columns aligned over all levels.
//!
//! ```text
//! root               running
//! ├─ core            running  2 restarts
//! │  └─ store        running
//! └─ edge            running
//! ```

use super::output::{Paint, Tone};

/// How deep a tree is drawn; what lies deeper is left out, and the drawing says so.
const DEPTH_MAX: usize = 32;

/// One node: a name, then columns, then what hangs below.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) cells: Vec<(Tone, String)>,
    pub(super) children: Vec<Node>,
}

/// A line before its columns are aligned.
struct Line<'a> {
    lead: String,
    name: &'a str,
    cells: &'a [(Tone, String)],
}

/// Draws the tree, one node a line.
pub(super) fn draw(root: &Node, paint: Paint) -> String {
    let mut lines = vec![Line { lead: String::new(), name: &root.name, cells: &root.cells }];
    below(root, "", 1, &mut lines);

    let width = |text: &str| -> usize { text.chars().count() };
    let name_width = lines.iter().map(|line| width(&line.lead).saturating_add(width(line.name))).max().unwrap_or(0);
    let columns = lines.iter().map(|line| line.cells.len()).max().unwrap_or(0);
    let cell_width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.cells.get(column));
        cells.map(|cell| width(&cell.1)).max().unwrap_or(0)
    };
    let cell_widths: Vec<usize> = (0..columns).map(cell_width).collect();

    let mut drawing = String::new();
    for line in &lines {
        let mut text = paint.text(Tone::Faint, &line.lead);
        text.push_str(line.name);
        // Padding is put off until something follows, so that no line ends in spaces.
        let used = width(&line.lead).saturating_add(width(line.name));
        let mut owed = name_width.saturating_sub(used).saturating_add(2);
        for ((tone, cell), column_width) in line.cells.iter().zip(&cell_widths) {
            if !cell.is_empty() {
                text.extend(std::iter::repeat_n(' ', owed));
                text.push_str(&paint.text(*tone, cell));
                owed = 0;
            }
            owed = owed.saturating_add(column_width.saturating_sub(width(cell)));
            owed = if *column_width == 0 { owed } else { owed.saturating_add(2) };
        }
        drawing.push_str(&text);
        drawing.push('\n');
    }
    drawing
}

fn below<'a>(node: &'a Node, lead: &str, depth: usize, lines: &mut Vec<Line<'a>>) {
    if depth > DEPTH_MAX {
        if !node.children.is_empty() {
            lines.push(Line { lead: format!("{lead}└─ "), name: "…", cells: &[] });
        }
        return;
    }
    for (index, child) in node.children.iter().enumerate() {
        let last = index.saturating_add(1) == node.children.len();
        let (branch, rest) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        lines.push(Line { lead: format!("{lead}{branch}"), name: &child.name, cells: &child.cells });
        below(child, &format!("{lead}{rest}"), depth.saturating_add(1), lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, cells: &[&str], children: Vec<Node>) -> Node {
        let cells = cells.iter().map(|text| (Tone::Plain, (*text).to_owned())).collect();
        Node { name: name.into(), cells, children }
    }

    #[test]
    fn lines_and_columns_meet() {
        let store = node("store", &["running"], vec![]);
        let core = node("core", &["stopped!", "", "2 restarts"], vec![store]);
        let root = node("root", &["running"], vec![core, node("édge", &["", "x"], vec![])]);
        let want = "\
root         running
├─ core      stopped!     2 restarts
│  └─ store  running
└─ édge                x
";
        assert_eq!(draw(&root, Paint::Plain), want);
    }

    #[test]
    fn a_bottomless_tree_is_cut_and_says_so() {
        let deep = (0..DEPTH_MAX + 5).fold(node("leaf", &[], vec![]), |inner, _| node("n", &[], vec![inner]));
        let drawing = draw(&deep, Paint::Plain);
        assert_eq!(drawing.lines().count(), DEPTH_MAX + 2);
        assert!(drawing.trim_end().ends_with('…'), "{drawing}");
    }
}
