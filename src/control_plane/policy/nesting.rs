//! A look at a module's text before it is parsed: the parser takes twice as long for each bracket inside another and calls itself
//! for each, and what it makes of a long chain of operators is a tree that is as deep, which is dropped by functions that call
//! themselves. What no person writes is refused first. Pure.

/// The most `[` and `{` inside one another. The parser takes twice as long for each: 16 of them took 35 ms.
pub const NESTING_MAX: usize = 12;
/// The most `(` inside one another.
const ROUND_MAX: usize = 32;
/// The most signs (`+ - * / % & | . = < > !`, `in`, and `[` and `(` behind a name) of one expression with all that is inside its
/// brackets, so that no tree is deeper.
const SIGNS_MAX: usize = 256;
/// The most minus signs one behind the other.
const MINUS_MAX: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Comment,
    Text,
    Escape,
    Raw,
}

/// What stands before the present character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A name, a number, a text or a closing bracket: an expression may end here.
    Operand,
    /// Something that an expression goes on behind.
    Open,
}

/// The signs within one pair of brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Of the expression that is being read.
    now: usize,
    /// Of the deepest expression before it.
    most: usize,
}

impl Level {
    fn sign(&mut self) {
        self.now = self.now.saturating_add(1);
    }

    /// The next expression begins.
    fn next(&mut self) {
        self.most = self.most.max(self.now);
        self.now = 0;
    }
}

struct Scan {
    line: usize,
    square: usize,
    round: usize,
    minus: usize,
    /// The level within the innermost open bracket.
    level: Level,
    /// The levels around it, the outermost first.
    around: Vec<Level>,
    last: Last,
    /// Whether nothing stands before it on its line.
    begins_line: bool,
    /// The word that is being read.
    word: String,
    /// Whether the last character was no blank.
    touches: bool,
}

/// Says where brackets are nested too deeply, as `line: reason`.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut scan = Scan::new();
    let mut inside = Inside::Code;
    for c in text.chars() {
        let before = inside;
        inside = match (inside, c) {
            (Inside::Raw, '\n') => Inside::Raw,
            (_, '\n') => Inside::Code,
            (Inside::Code, '#') => Inside::Comment,
            (Inside::Code, '"') | (Inside::Escape, _) => Inside::Text,
            (Inside::Code, '`') => Inside::Raw,
            (Inside::Text, '\\') => Inside::Escape,
            (Inside::Text, '"') | (Inside::Raw, '`') => Inside::Code,
            (other, _) => other,
        };
        if c == '\n' {
            scan.new_line(inside == Inside::Raw);
        } else if before == Inside::Code && inside == Inside::Code {
            scan.code(c);
        } else if before == Inside::Code && inside != Inside::Comment {
            // A text is an operand.
            scan.operand();
        }
        scan.within_limits()?;
    }
    scan.end_of_word();
    scan.within_limits()
}

impl Scan {
    fn new() -> Self {
        Self {
            line: 1,
            square: 0,
            round: 0,
            minus: 0,
            level: Level::default(),
            around: Vec::new(),
            last: Last::Open,
            begins_line: false,
            word: String::new(),
            touches: false,
        }
    }

    fn new_line(&mut self, in_text: bool) {
        self.line = self.line.saturating_add(1);
        if !in_text {
            self.end_of_word();
            self.begins_line = true;
            self.touches = false;
        }
    }

    fn code(&mut self, c: char) {
        self.minus = match c {
            '-' => self.minus.saturating_add(1),
            c if c.is_whitespace() => self.minus,
            _ => 0,
        };
        if c.is_alphanumeric() || c == '_' {
            self.word.push(c);
            return;
        }
        let touches = self.touches || !self.word.is_empty();
        self.end_of_word();
        if c.is_whitespace() {
            self.touches = false;
            return;
        }
        match c {
            '[' | '{' | '(' => self.open(c, touches),
            ']' | '}' | ')' => self.close(c),
            ',' | ';' => self.level.next(),
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '.' | '=' | '<' | '>' | '!' => self.level.sign(),
            _ => {}
        }
        self.touches = true;
        self.begins_line = false;
        self.last = if matches!(c, ']' | '}' | ')') { Last::Operand } else { Last::Open };
    }

    /// `in` is an operator; any other word behind an operand, on a line of its own, begins another expression.
    fn end_of_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        if self.word == "in" {
            self.level.sign();
            self.last = Last::Open;
            self.begins_line = false;
        } else {
            self.operand();
        }
        self.word.clear();
    }

    fn operand(&mut self) {
        if self.begins_line && self.last == Last::Operand {
            self.level.next();
        }
        self.last = Last::Operand;
        self.begins_line = false;
        self.touches = true;
    }

    fn open(&mut self, c: char, touches: bool) {
        match c {
            '(' => self.round = self.round.saturating_add(1),
            _ => self.square = self.square.saturating_add(1),
        }
        if touches && c != '{' {
            self.level.sign();
        }
        self.around.push(std::mem::take(&mut self.level));
    }

    /// What stood inside is a part of the expression around it.
    fn close(&mut self, c: char) {
        match c {
            ')' => self.round = self.round.saturating_sub(1),
            _ => self.square = self.square.saturating_sub(1),
        }
        if let Some(mut outer) = self.around.pop() {
            outer.now = outer.now.saturating_add(self.level.now.max(self.level.most));
            self.level = outer;
        }
    }

    fn within_limits(&self) -> Result<(), String> {
        if self.square > NESTING_MAX {
            return Err(format!("{}: more than {NESTING_MAX} brackets inside one another", self.line));
        }
        let signs = self.around.iter().chain([&self.level]).fold(0_usize, |sum, level| sum.saturating_add(level.now));
        if self.round > ROUND_MAX || self.minus > MINUS_MAX || signs > SIGNS_MAX {
            return Err(format!("{}: the expression is too deep; give its parts names", self.line));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::policy::{File, Policy, Source};

    /// What threads of the runtime have.
    const STACK_BYTES: usize = 2 * 1_024 * 1_024;

    #[test]
    fn what_no_person_writes_is_refused_before_it_is_parsed() {
        for bad in ["[".repeat(13), "{".repeat(13), "(".repeat(33), "- ".repeat(5), "a+".repeat(257)] {
            assert!(check(&format!("package x\n\nx := {bad}1")).expect_err("too deep").starts_with("3: "), "{bad}");
        }
        let plain = format!("x := \"{0}\" # {0}\ny := `{0}`\nz := \"\\\"{0}\"\n", "[".repeat(40));
        assert_eq!(check(&plain), Ok(()));
        assert_eq!(check(&"a := 1 + 2\n".repeat(600)), Ok(()), "each rule counts by itself");
        let body = format!("deny contains x if {{\n{}}}\n", "\tinput.a.b == 1 + 2\n".repeat(600));
        assert_eq!(check(&body), Ok(()), "each line of a body counts by itself");
        let list = format!("a := [\n{}]\n", "\t[x.y, \"b\", {\"c\": 1 + 1}],\n".repeat(600));
        assert_eq!(check(&list), Ok(()), "each element counts by itself");
        assert_eq!(check(super::super::source::SHIPPED), Ok(()));
    }

    /// Chains whose tree is as deep as they are long, of `n` links.
    const CHAINS: [fn(usize) -> String; 9] = [
        |n| format!("x := {}a", "a +\n".repeat(n)),
        |n| format!("x := a{}", "\n+ a".repeat(n)),
        |n| format!("x := {}a", "a == ".repeat(n)),
        |n| format!("x := {}a", "a <\n".repeat(n)),
        |n| format!("x := {}a", "a in ".repeat(n)),
        |n| format!("x := a{}", "\nin a".repeat(n)),
        |n| format!("x := a{}", "[0]".repeat(n)),
        |n| format!("x := a{}", ".b".repeat(n)),
        |n| format!("x := {}a", "[y |\n\ty := 1\n\tz := 2] +\n".repeat(n)),
    ];

    #[test]
    fn every_chain_of_operators_counts() {
        for chain in CHAINS {
            assert!(check(&chain(100_000)).is_err(), "{}", chain(3));
        }
    }

    #[test]
    fn the_deepest_module_that_passes_is_parsed_tried_and_dropped_on_a_small_stack() {
        let small = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = small.spawn(|| {
            for chain in CHAINS {
                let of = |n| {
                    let rule = chain(n);
                    format!("package operator.template\n\na := 1\n\n{rule}\n\ndeny contains x if {{ x == 2; false }}\n")
                };
                let largest = (1..=SIGNS_MAX).rev().find(|n| check(&of(*n)).is_ok()).expect("a short one passes");
                let file = File { name: "a.rego".to_owned(), text: of(largest) };
                // Whether it is a good policy is another question.
                drop(Policy::load(Source::of(vec![file]).expect("small"), None));
            }
        });
        thread.expect("a thread").join().expect("it ends");
    }
}
