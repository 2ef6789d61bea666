//! A look at a module's text before it is parsed: the parser takes twice as long for each bracket inside another and calls itself
//! for each, so that what no person writes is refused first. Pure.

/// The most `[` and `{` inside one another. The parser takes twice as long for each: 16 of them took 35 ms.
pub const NESTING_MAX: usize = 12;
/// The most `(` inside one another.
const ROUND_MAX: usize = 32;
/// The most signs (`+ - * / % & | .`) of one rule, so that no expression is deeper.
const SIGNS_MAX: usize = 512;
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

/// Says where brackets are nested too deeply, as `line: reason`.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut inside = Inside::Code;
    let (mut line, mut square, mut round, mut signs, mut minus) = (1_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    let mut first_of_line = true;
    for c in text.chars() {
        if c == '\n' {
            line = line.saturating_add(1);
            first_of_line = true;
            if inside != Inside::Raw {
                inside = Inside::Code;
            }
            continue;
        }
        if first_of_line && c.is_ascii_alphabetic() && inside == Inside::Code {
            signs = 0;
        }
        first_of_line = false;
        inside = match (inside, c) {
            (Inside::Code, '#') => Inside::Comment,
            (Inside::Code, '"') | (Inside::Escape, _) => Inside::Text,
            (Inside::Code, '`') => Inside::Raw,
            (Inside::Text, '\\') => Inside::Escape,
            (Inside::Text, '"') | (Inside::Raw, '`') => Inside::Code,
            (other, _) => other,
        };
        if inside != Inside::Code {
            continue;
        }
        match c {
            '[' | '{' => square = square.saturating_add(1),
            ']' | '}' => square = square.saturating_sub(1),
            '(' => round = round.saturating_add(1),
            ')' => round = round.saturating_sub(1),
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '.' => signs = signs.saturating_add(1),
            _ => {}
        }
        minus = match c {
            '-' => minus.saturating_add(1),
            c if c.is_whitespace() => minus,
            _ => 0,
        };
        if square > NESTING_MAX {
            return Err(format!("{line}: more than {NESTING_MAX} brackets inside one another"));
        }
        if round > ROUND_MAX || minus > MINUS_MAX || signs > SIGNS_MAX {
            return Err(format!("{line}: the expression is too deep; give its parts names"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_person_writes_is_refused_before_it_is_parsed() {
        for bad in ["[".repeat(13), "{".repeat(13), "(".repeat(33), "- ".repeat(5), "a+".repeat(513)] {
            assert!(check(&format!("package x\n\nx := {bad}1")).expect_err("too deep").starts_with("3: "), "{bad}");
        }
        let plain = format!("x := \"{0}\" # {0}\ny := `{0}`\nz := \"\\\"{0}\"\n", "[".repeat(40));
        assert_eq!(check(&plain), Ok(()));
        assert_eq!(check(&"a := 1 + 2\n".repeat(600)), Ok(()), "each rule counts by itself");
        assert_eq!(check(super::super::source::SHIPPED), Ok(()));
    }
}
