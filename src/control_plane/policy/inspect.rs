//! What evaluation would find too late, or never: modules in other packages, calls of functions that do not exist, rules that call
//! themselves. The engine looks a function up when it reaches the call, and calls itself until the stack is full.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Engine;
use regorus::unstable::{BUILTINS, Expr, Literal, Module, Query, Rule, RuleAssign, RuleHead, Span};

/// The package of the operators' rules.
pub const PACKAGE: &str = "operator.template";
/// The package of their tests; a test may be in the rules' package too.
pub const TEST_PACKAGE: &str = "operator.template_test";
/// The deepest expression.
const DEPTH_MAX: usize = 96;
/// Functions that are not to be used: their answers can be of any length, or differ from call to call, or go to standard error.
const FORBIDDEN: [&str; 5] = ["bits.lsh", "numbers.range", "numbers.range_step", "print", "rand.intn"];

/// What the modules define.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The rules that are asked, and tests: by package and name, with the first place.
    pub(super) rules: BTreeMap<(String, String), String>,
}

impl Found {
    pub(super) fn has(&self, package: &str, rule: &str) -> bool {
        self.rules.contains_key(&(package.to_owned(), rule.to_owned()))
    }
}

/// Inspects the modules of an engine.
///
/// # Errors
/// All mistakes, each with file, line and column.
pub(super) fn inspect(engine: &mut Engine) -> Result<Found, Vec<String>> {
    let modules = engine.get_modules().to_vec();
    let mut found = Found::default();
    let mut mistakes = Vec::new();
    let mut functions = BTreeMap::new();
    for module in &modules {
        let package = path(&module.package.refr).unwrap_or_default();
        let file = module.package.span.source.file();
        let is_test = file.ends_with("_test.rego");
        if !(package == PACKAGE || is_test && package == TEST_PACKAGE) {
            let place = place(&module.package.span);
            mistakes.push(format!("{place}: package {package} is not looked at; rules belong to package {PACKAGE}"));
        }
        for rule in &module.policy {
            let (name, arguments, span) = head(rule);
            let _first = found.rules.entry((package.clone(), name.clone())).or_insert_with(|| place(span));
            if let Some(arguments) = arguments {
                let _same = functions.insert(format!("data.{package}.{name}"), arguments);
            }
        }
    }
    let mut uses = BTreeMap::new();
    for module in &modules {
        let package = path(&module.package.refr).unwrap_or_default();
        let mut walk = Walk {
            aliases: aliases(module),
            functions: &functions,
            found: &found,
            package: &package,
            is_test: module.package.span.source.file().ends_with("_test.rego"),
            mistakes: Vec::new(),
            mentions: BTreeSet::new(),
        };
        for rule in &module.policy {
            walk.rule(rule);
            let (name, _, span) = head(rule);
            let mentions = std::mem::take(&mut walk.mentions);
            let entry: &mut (String, BTreeSet<String>) =
                uses.entry(format!("data.{package}.{name}")).or_insert_with(|| (place(span), BTreeSet::new()));
            entry.1.extend(mentions);
        }
        mistakes.append(&mut walk.mistakes);
    }
    mistakes.extend(cycle(&uses));
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

/// `file:line:column`.
fn place(span: &Span) -> String {
    format!("{}:{}:{}", span.source.file(), span.line, span.col)
}

/// Where a name begins.
fn begin(expr: &Expr) -> Option<&Span> {
    if let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = expr {
        return begin(refr);
    }
    if let Expr::Var { span, .. } = expr { Some(span) } else { None }
}

/// The name that a rule defines, its arguments where it is a function, and where it begins.
fn head(rule: &Rule) -> (String, Option<usize>, &Span) {
    let first = |refr: &Expr| path(refr).unwrap_or_default().split('.').next().unwrap_or_default().to_owned();
    match rule {
        Rule::Spec { span, head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } => (first(refr), None, span),
            RuleHead::Func { refr, args, .. } => (path(refr).unwrap_or_default(), Some(args.len()), span),
        },
        Rule::Default { span, refr, args, .. } => (first(refr), (!args.is_empty()).then_some(args.len()), span),
    }
}

/// The names that imports give, with what they stand for.
fn aliases(module: &Module) -> BTreeMap<String, String> {
    let alias = |import: &regorus::unstable::Import| {
        let whole = path(&import.refr)?;
        let last = whole.rsplit('.').next()?.to_owned();
        Some((import.r#as.as_ref().map_or(last, |name| name.text().to_owned()), whole))
    };
    module.imports.iter().filter_map(alias).collect()
}

/// `a.b.c`, as far as it is written with fixed names.
fn path(expr: &Expr) -> Option<String> {
    if let Expr::Var { span, .. } = expr {
        return Some(span.text().to_owned());
    }
    if let Expr::RefDot { refr, field, .. } = expr {
        return Some(format!("{}.{}", path(refr)?, field.0.text()));
    }
    let Expr::RefBrack { refr, index, .. } = expr else { return None };
    if let Expr::String { value, .. } | Expr::RawString { value, .. } = &**index {
        return Some(format!("{}.{}", path(refr)?, value.as_string().ok()?));
    }
    path(refr)
}

/// One way round, where rules need themselves.
fn cycle(uses: &BTreeMap<String, (String, BTreeSet<String>)>) -> Option<String> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in uses.keys() {
        let mut way: Vec<(&str, Vec<&str>)> = Vec::new();
        let next = |name: &str| -> Vec<&str> {
            uses.get_key_value(name).map(|(_, (_, uses))| uses.iter().map(String::as_str).collect()).unwrap_or_default()
        };
        if done.contains(start.as_str()) {
            continue;
        }
        way.push((start, next(start)));
        while let Some((name, open)) = way.last_mut() {
            let name = *name;
            let Some(to) = open.pop() else {
                let _new = done.insert(name);
                let _done = way.pop();
                continue;
            };
            if let Some(from) = way.iter().position(|(name, _)| *name == to) {
                let round: Vec<&str> = way.iter().skip(from).map(|(name, _)| *name).chain([to]).collect();
                let place = uses.get(to).map(|(place, _)| place.as_str()).unwrap_or_default();
                return Some(format!(
                    "{place}: rules must not need themselves: {} (local names must differ from rules' names)",
                    round.join(" -> ")
                ));
            }
            if !done.contains(to) && uses.contains_key(to) {
                way.push((to, next(to)));
            }
        }
    }
    None
}

struct Walk<'a> {
    aliases: BTreeMap<String, String>,
    functions: &'a BTreeMap<String, usize>,
    found: &'a Found,
    package: &'a str,
    is_test: bool,
    mistakes: Vec<String>,
    /// The rules that the rule under the eye mentions.
    mentions: BTreeSet<String>,
}

impl Walk<'_> {
    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Default { value, .. } => self.expr(value, 0),
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        self.indices(refr, 0);
                        self.assign(assign.as_ref());
                    }
                    RuleHead::Set { key, .. } => key.iter().for_each(|key| self.expr(key, 0)),
                    RuleHead::Func { assign, .. } => self.assign(assign.as_ref()),
                }
                for body in bodies {
                    self.assign(body.assign.as_ref());
                    self.query(&body.query, 0);
                }
            }
        }
    }

    fn assign(&mut self, assign: Option<&RuleAssign>) {
        assign.into_iter().for_each(|assign| self.expr(&assign.value, 0));
    }

    fn query(&mut self, query: &Query, depth: usize) {
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().chain([value, collection]).for_each(|part| self.expr(part, depth));
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr, depth),
                Literal::Every { domain, query, .. } => {
                    self.expr(domain, depth);
                    self.query(query, depth.saturating_add(1));
                }
            }
            for with in &statement.with_mods {
                self.expr(&with.r#as, depth);
            }
        }
    }

    fn expr(&mut self, expr: &Expr, depth: usize) {
        if depth > DEPTH_MAX {
            self.mistakes.push(format!("{}: the expression is too deep; give its parts names", place(expr.span())));
            return;
        }
        let depth = depth.saturating_add(1);
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } => self.mention(expr),
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| self.expr(item, depth)),
            Expr::Object { fields, .. } => {
                fields.iter().flat_map(|(_, key, value)| [key, value]).for_each(|part| self.expr(part, depth));
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term, depth);
                self.query(query, depth);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                [key, value].into_iter().for_each(|part| self.expr(part, depth));
                self.query(query, depth);
            }
            Expr::Call { span, fcn, params, .. } => {
                self.call(begin(fcn).unwrap_or(span), fcn, params.len());
                params.iter().for_each(|part| self.expr(part, depth));
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr, depth),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.mention(expr);
                self.indices(expr, depth);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => [lhs, rhs].into_iter().for_each(|part| self.expr(part, depth)),
            Expr::Membership { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| self.expr(part, depth));
            }
        }
    }

    /// What is asked for by a value that is worked out.
    fn indices(&mut self, expr: &Expr, depth: usize) {
        let depth = depth.saturating_add(1);
        if let Expr::RefDot { refr, .. } = expr {
            self.indices(refr, depth);
        } else if let Expr::RefBrack { refr, index, .. } = expr {
            self.indices(refr, depth);
            self.expr(index, depth);
        } else if !matches!(expr, Expr::Var { .. }) {
            self.expr(expr, depth);
        }
    }

    /// The whole name, with imports replaced by what they stand for; a rule of the package where it is one.
    fn whole(&self, written: &str) -> String {
        let (first, rest) = written.split_once('.').map_or((written, None), |(first, rest)| (first, Some(rest)));
        let local = format!("data.{}.{written}", self.package);
        match (self.aliases.get(first), rest) {
            (Some(alias), Some(rest)) => format!("{alias}.{rest}"),
            (Some(alias), None) => alias.clone(),
            (None, _) if first == "data" => written.to_owned(),
            (None, _) if self.functions.contains_key(&local) || self.found.has(self.package, first) => local,
            (None, _) => written.to_owned(),
        }
    }

    fn mention(&mut self, expr: &Expr) {
        let Some(written) = path(expr) else { return };
        let whole = self.whole(&written);
        let Some(within) = whole.strip_prefix("data.").and_then(|whole| whole.strip_prefix(PACKAGE)) else {
            if let Some(rest) = whole.strip_prefix(&format!("data.{}.", self.package)) {
                let name = rest.split('.').next().unwrap_or(rest);
                let _new = self.mentions.insert(format!("data.{}.{name}", self.package));
            }
            return;
        };
        if let Some(name) = within.strip_prefix('.').and_then(|within| within.split('.').next()) {
            let _new = self.mentions.insert(format!("data.{PACKAGE}.{name}"));
        }
    }

    fn call(&mut self, span: &Span, function: &Expr, arguments: usize) {
        let Some(written) = path(function) else {
            self.mistakes.push(format!("{}: a function must be called by its name", place(span)));
            return;
        };
        let whole = self.whole(&written);
        // A call may name one more argument, for its result.
        let fits = |wanted: usize| arguments == wanted || arguments == wanted.saturating_add(1);
        if let Some(wanted) = self.functions.get(&whole) {
            if !fits(*wanted) {
                self.mistakes.push(format!("{}: {written} takes {wanted} arguments", place(span)));
            }
            let _new = self.mentions.insert(whole);
            return;
        }
        let allowed_in_tests = self.is_test && written == "print";
        if FORBIDDEN.contains(&written.as_str()) && !allowed_in_tests {
            self.mistakes.push(format!("{}: {written} is not allowed in a policy", place(span)));
            return;
        }
        match BUILTINS.get(written.as_str()) {
            Some((_, 0)) => {}
            Some((_, wanted)) if fits(usize::from(*wanted)) => {}
            Some((_, wanted)) => {
                self.mistakes.push(format!("{}: {written} takes {wanted} arguments", place(span)));
            }
            None if allowed_in_tests => {}
            None => self.mistakes.push(format!("{}: there is no function {written}", place(span))),
        }
    }
}
