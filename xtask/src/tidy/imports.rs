//! Circles of imports between the modules of one crate.
//!
//! Cargo forbids circles between crates and permits them within one. Here, two modules of one parent, each with
//! everything below it, must not import each other, directly or by way of others of that parent. A parent that names
//! its children, and children that name their parent, are no circle: that is what a table and its entries do.
//!
//! The text is read as tokens, not compiled: paths that macros make up are not seen.

use std::collections::{BTreeMap, BTreeSet};

/// A module: its names from the root of the crate.
pub(super) type Module = Vec<String>;

/// One file of a crate.
pub(super) struct Source {
    pub(super) module: Module,
    pub(super) text: String,
}

/// A circle: modules of one parent, and an import for each step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    pub(super) parent: Module,
    pub(super) modules: BTreeSet<String>,
    pub(super) imports: Vec<String>,
}

/// The circles of a crate.
pub(super) fn circles(sources: &[Source]) -> Vec<Circle> {
    let parsed: Vec<(&Module, Parsed)> =
        sources.iter().map(|source| (&source.module, parse(&source.text))).collect();
    let tests: BTreeSet<Module> = parsed
        .iter()
        .flat_map(|(module, parsed)| parsed.test_modules.iter().map(|name| child(module, name)))
        .collect();
    let is_test = |module: &Module| (1..=module.len()).any(|length| tests.contains(&module[..length]));
    let crate_modules: BTreeMap<Module, &Parsed> = parsed
        .iter()
        .filter(|(module, _)| !is_test(module))
        .map(|(module, parsed)| ((*module).clone(), parsed))
        .collect();
    // For each parent: who imports whom among its children, with one import as the proof.
    let mut graphs: BTreeMap<Module, BTreeMap<(String, String), String>> = BTreeMap::new();
    for (module, parsed) in &crate_modules {
        for path in &parsed.paths {
            let Some(target) = resolve(&crate_modules, module, path, 0) else { continue };
            let common = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (module.get(common), target.get(common)) {
                let graph = graphs.entry(module[..common].to_vec()).or_default();
                graph
                    .entry((from.clone(), to.clone()))
                    .or_insert_with(|| format!("{} imports {}", module.join("::"), target.join("::")));
            }
        }
    }
    graphs.into_iter().flat_map(|(parent, graph)| circles_of(&parent, &graph)).collect()
}

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The groups of modules each of which reaches every other.
fn circles_of(parent: &Module, graph: &BTreeMap<(String, String), String>) -> Vec<Circle> {
    let reached_from = |start: &String| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(module) = open.pop() {
            for (_, to) in graph.keys().filter(|(from, _)| from == module) {
                if reached.insert(to.clone()) {
                    open.push(to);
                }
            }
        }
        reached
    };
    let reach: BTreeMap<&String, BTreeSet<String>> =
        graph.keys().map(|(from, _)| (from, reached_from(from))).collect();
    let mut groups: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (module, reached) in &reach {
        if reached.contains(*module) {
            let back =
                reached.iter().filter(|other| reach.get(other).is_some_and(|all| all.contains(*module)));
            groups.insert(back.cloned().collect());
        }
    }
    groups
        .into_iter()
        .map(|modules| {
            let within = |(from, to): &(String, String)| modules.contains(from) && modules.contains(to);
            let imports =
                graph.iter().filter(|(step, _)| within(step)).map(|(_, proof)| proof.clone()).collect();
            Circle { parent: parent.clone(), modules, imports }
        })
        .collect()
}

/// The module that a path leads into; `None` if it leads out of the crate.
fn resolve(
    modules: &BTreeMap<Module, &Parsed>,
    from: &Module,
    path: &UsedPath,
    depth: usize,
) -> Option<Module> {
    let mut at: Module = from.iter().chain(&path.inline).cloned().collect();
    let mut names = path.names.iter().peekable();
    match names.peek()?.as_str() {
        "crate" => {
            names.next();
            at = Module::new();
        }
        "self" => {
            names.next();
        }
        "super" => {
            while names.next_if(|name| *name == "super").is_some() {
                at.pop();
            }
        }
        first => {
            let is_child = modules.contains_key(&child(&at, first));
            if !is_child {
                // A name that the file has imported; of its paths, that one is the edge.
                let imported = modules.get(from)?.imports.get(first)?;
                if depth > 8 || imported.names.first().is_some_and(|name| name == first) {
                    return None;
                }
                let names = imported.names.iter().chain(path.names.iter().skip(1)).cloned().collect();
                let path = UsedPath { inline: imported.inline.clone(), names };
                return resolve(modules, from, &path, depth + 1);
            }
        }
    }
    while !at.is_empty() && !modules.contains_key(&at) {
        at.pop();
    }
    let names: Vec<&String> = names.collect();
    for (number, name) in names.iter().enumerate() {
        let below = child(&at, name);
        if modules.contains_key(&below) {
            at = below;
            continue;
        }
        // What a module re-exports belongs to the module that it comes from.
        if let Some(exported) = modules.get(&at).and_then(|parsed| parsed.exports.get(*name))
            && depth <= 8
        {
            let rest = names[number + 1..].iter().map(|name| (*name).clone());
            let path = UsedPath {
                inline: exported.inline.clone(),
                names: exported.names.iter().cloned().chain(rest).collect(),
            };
            return resolve(modules, &at, &path, depth + 1).or(Some(at));
        }
        break;
    }
    Some(at)
}

/// A path as it is written, and the modules within the file that it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct UsedPath {
    inline: Vec<String>,
    names: Vec<String>,
}

/// What matters of a file.
#[derive(Debug, Default)]
struct Parsed {
    paths: Vec<UsedPath>,
    /// Names that `use` brings into the file.
    imports: BTreeMap<String, UsedPath>,
    /// Those of them that others may use from here.
    exports: BTreeMap<String, UsedPath>,
    /// Modules in files of their own that only tests have.
    test_modules: Vec<String>,
}

fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let tokens = without_tests(tokens(text), &mut parsed.test_modules);
    // Modules within the file that are open, and at which depth of braces each began.
    let (mut inline, mut depth): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let text = |offset: usize| tokens.get(at + offset).map(String::as_str);
        match token.as_str() {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inline.pop_if(|(_, began)| *began == depth);
            }
            "mod" if text(2) == Some("{") => {
                inline.push((tokens[at + 1].clone(), depth));
                depth += 1;
                at += 2;
            }
            "use" => {
                let exported = at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str());
                let names: Vec<String> = inline.iter().map(|(name, _)| name.clone()).collect();
                let mut found = Vec::new();
                at = use_tree(&tokens, at + 1, &[], &mut found);
                for (path, name) in found {
                    let path = UsedPath { inline: names.clone(), names: path };
                    if let Some(name) = name {
                        parsed.imports.insert(name.clone(), path.clone());
                        if exported && names.is_empty() {
                            parsed.exports.insert(name, path.clone());
                        }
                    }
                    parsed.paths.push(path);
                }
            }
            name if is_name(name) && text(1) == Some("::") => {
                let mut names = vec![name.to_owned()];
                while tokens.get(at + 1).is_some_and(|token| token == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_name(token))
                {
                    names.push(tokens[at + 2].clone());
                    at += 2;
                }
                let inline = inline.iter().map(|(name, _)| name.clone()).collect();
                parsed.paths.push(UsedPath { inline, names });
            }
            _ => {}
        }
        at += 1;
    }
    parsed
}

/// Reads a tree of `use` from a token on: paths, each with the name that it is used by. Returns where the tree ends.
fn use_tree(
    tokens: &[String],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(Vec<String>, Option<String>)>,
) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    let end = use_tree(tokens, at, &path, found);
                    let separator = tokens.get(end).is_some_and(|token| token == ",");
                    // Something unknown is passed over, or this would not end.
                    at = if separator || end == at { end + 1 } else { end };
                }
                return at + 1;
            }
            "::" => at += 1,
            "*" => {
                found.push((path, None));
                return at + 1;
            }
            name if is_name(name) => {
                at += 1;
                // `a::{self}` is `a`.
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
                if tokens.get(at).is_none_or(|token| token != "::") {
                    let mut used_by = path.last().cloned();
                    if tokens.get(at).is_some_and(|token| token == "as") {
                        used_by = tokens.get(at + 1).cloned();
                        at += 2;
                    }
                    found.push((path, used_by));
                    return at;
                }
            }
            _ => return at,
        }
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Leaves out what only tests have: each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>, test_modules: &mut Vec<String>) -> Vec<String> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(CFG_TEST.len()).eq(CFG_TEST.iter()) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += CFG_TEST.len();
        let (begin, mut depth) = (at, 0_usize);
        while let Some(token) = tokens.get(at) {
            match token.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" if depth == 0 => break,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            at += 1;
            // An item ends with `;` or with its block; `use a::{b};` has both.
            let ends =
                token == ";" || token == "," || token == "}" && tokens.get(at).is_none_or(|next| next != ";");
            if depth == 0 && ends {
                break;
            }
        }
        if let [.., key, name, end] = &tokens[begin..at]
            && (key.as_str(), end.as_str()) == ("mod", ";")
        {
            test_modules.push(name.clone());
        }
    }
    kept
}

/// Names, `::`, and all other characters one by one; without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest) {
            length
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// How long the comment is that a text begins with.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// How long the string or character is that a text begins with; `None` if it begins with neither.
fn string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('b').unwrap_or(text);
    let prefix = text.len() - after.len();
    if let Some(raw) = after.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(body) = raw[hashes..].strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let length = body.find(&end).map_or(body.len(), |at| at + end.len());
            return Some(prefix + 1 + hashes + 1 + length);
        }
    }
    if let Some(character) = after.strip_prefix('\'') {
        let mut inner = character.char_indices();
        let length = match inner.next() {
            // The character after the backslash may be a quote; the one that ends it comes later.
            Some((_, '\\')) => inner.skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
            Some(_) => inner.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
            None => None,
        };
        // A lifetime has no second quote; the name after it is a token like any other.
        return Some(prefix + 1 + length.unwrap_or(0));
    }
    let body = after.strip_prefix('"')?;
    let mut characters = body.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some(prefix + 1 + at + 1),
            '\\' => drop(characters.next()),
            _ => {}
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files as `a::b: text`, one a line; then the circles, as `parent: modules`.
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let sources: Vec<Source> = files
            .iter()
            .map(|(module, text)| Source {
                module: module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect(),
                text: (*text).to_owned(),
            })
            .collect();
        let found: Vec<String> = circles(&sources)
            .iter()
            .map(|circle| {
                let modules: Vec<&str> = circle.modules.iter().map(String::as_str).collect();
                format!("{}: {}", circle.parent.join("::"), modules.join(" "))
            })
            .collect();
        assert_eq!(found, expected, "{files:?}");
    }

    #[test]
    fn modules_that_import_each_other_are_a_circle() {
        check(&[("a", "use crate::b::X;"), ("b", "use super::a::Y;")], &[": a b"]);
        check(
            &[("a", "use crate::b::X;"), ("b", "use crate::c::Y;"), ("c", "fn f() { crate::a::g() }")],
            &[": a b c"],
        );
        check(
            &[("a", "use crate::b::X;"), ("b", "use crate::c::Y;"), ("c", "use crate::d;"), ("d", "")],
            &[],
        );
        // Two circles that have nothing to do with each other.
        check(
            &[
                ("a", "use crate::b::X;"),
                ("b", "use crate::a::Y;"),
                ("c", "use crate::d::X;"),
                ("d", "use crate::c::Y;"),
            ],
            &[": a b", ": c d"],
        );
    }

    #[test]
    fn a_module_stands_for_everything_below_it() {
        check(&[("a", ""), ("a::x", "use crate::b::Z;"), ("b", "use crate::a::Y;")], &[": a b"]);
        check(
            &[("p", ""), ("p::a", "use super::b::X;"), ("p::b", ""), ("p::b::x", "use crate::p::a::Y;")],
            &["p: a b"],
        );
    }

    #[test]
    fn parent_and_child_may_name_each_other() {
        check(&[("", "mod a; use a::X;"), ("a", "use super::Row; use crate::Table;")], &[]);
        check(
            &[("r", "use self::a::X; use b::Y;"), ("r::a", "use super::Row;"), ("r::b", "use super::Row;")],
            &[],
        );
    }

    #[test]
    fn trees_aliases_and_names_of_modules_are_followed() {
        check(
            &[("a", "use crate::{c::{self, D}, b::{X as Y, Z}};"), ("b", "use crate::a::*;"), ("c", "")],
            &[": a b"],
        );
        check(&[("a", "use crate::b as other; fn f() { other::g() }"), ("b", "use crate::a;")], &[": a b"]);
        // Imported is the folder; used is a file in it.
        check(
            &[("s", ""), ("s::a", "use crate::s; fn f() { s::b::g() }"), ("s::b", "use super::a::h;")],
            &["s: a b"],
        );
        // Within a module of the file.
        check(&[("a", "mod inner { use super::super::b::X; }"), ("b", "use crate::a::Y;")], &[": a b"]);
    }

    #[test]
    fn a_re_export_belongs_to_the_module_it_comes_from() {
        check(
            &[
                ("", "pub use b::X; pub(crate) use a::Y as Z;"),
                ("a", "use crate::X;"),
                ("b", "use crate::Z;"),
            ],
            &[": a b"],
        );
    }

    #[test]
    fn tests_comments_and_strings_are_no_imports() {
        let back = "use crate::a::Y;";
        for text in [
            "#[cfg(test)] mod tests { use crate::b::X; }",
            "#[cfg(test)] use crate::{b::X};",
            "#[cfg(test)]\n#[expect(x, reason = \"y\")]\nfn f() -> [u8; 3] { crate::b::g() }",
            "// use crate::b::X;\n/* use crate::b::X; /* */ */ /// [`crate::b::X`]",
            "const A: &str = \"use crate::b::X\";",
            "const A: &str = r#\" \" crate::b::X \"#; const B: char = '\"'; const C: u8 = b'\\'';",
            "fn f<'a>(x: &'a str) -> &'a str { std::b::g(); x }",
        ] {
            check(&[("a", text), ("b", back)], &[]);
        }
        // What follows is code again.
        check(&[("a", "#[cfg(test)] mod tests { fn f() {} }\nuse crate::b::X;"), ("b", back)], &[": a b"]);
        check(&[("a", "fn f<'a>(c: char) -> bool { c == '\\'' && crate::b::g() }"), ("b", back)], &[": a b"]);
        // A file that only tests have.
        check(&[("a", "#[cfg(test)] mod testing;"), ("a::testing", "use crate::b::X;"), ("b", back)], &[]);
    }
}
