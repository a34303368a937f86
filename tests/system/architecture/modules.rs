//! The imports between the files of one crate, read from its source text.
//!
//! An import of a re-exported name counts as an import of the defining file. Comments, `#[cfg(test)]` items and the modules
//! that they declare are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path within its crate; the crate's root is the empty path.
pub type Module = Vec<String>;
/// The imports of each module.
pub type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[derive(Default)]
struct File {
    /// Names imported or re-exported by `use`, with their origin.
    names: BTreeMap<String, Module>,
    /// Paths that the code uses: from `use` without re-exports, and written inline.
    needed: Vec<Module>,
}

/// Reads all files below a crate's `src`.
pub fn imports(source: &Path) -> Imports {
    let mut texts = BTreeMap::new();
    read(source, &mut vec![], &mut texts);
    let tokens: BTreeMap<_, _> = texts.iter().map(|(module, text)| (module.clone(), tokens(text))).collect();
    let only_tests: Vec<Module> = tokens
        .iter()
        .flat_map(|(module, tokens)| without_tests(tokens).1.into_iter().map(|name| child(module, name)))
        .collect();
    let remaining = tokens.iter().filter(|(module, _)| !only_tests.iter().any(|test| module.starts_with(test)));
    let modules: BTreeSet<Module> = remaining.clone().map(|(module, _)| module.clone()).collect();
    let files: BTreeMap<Module, File> =
        remaining.map(|(module, tokens)| (module.clone(), file(module, &without_tests(tokens).0, &modules))).collect();
    let needed = |module: &Module, file: &File| {
        let files = file.needed.iter().map(|path| resolve(path, &files, 0)).filter(|other| other != module);
        (module.clone(), files.collect())
    };
    files.iter().map(|(module, file)| needed(module, file)).collect()
}

/// The groups of modules that import each other, directly or indirectly.
pub fn cycles(imports: &Imports) -> Vec<Vec<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|from| (from, reach(from, imports))).collect();
    let mut groups = BTreeSet::new();
    for (module, all) in &reached {
        if all.contains(module) {
            groups.insert(all.iter().filter(|other| reached[*other].contains(module)).map(|&m| m.clone()).collect());
        }
    }
    groups.into_iter().collect()
}

/// The imports between top-level modules.
pub fn by_top_module(imports: &Imports) -> Imports {
    let mut tops = Imports::new();
    let top = |module: &Module| module[..module.len().min(1)].to_vec();
    for (module, others) in imports.iter().filter(|(module, _)| !module.is_empty()) {
        let others = others.iter().map(top).filter(|other| !other.is_empty() && *other != top(module));
        tops.entry(top(module)).or_default().extend(others);
    }
    tops
}

fn reach<'a>(from: &Module, imports: &'a Imports) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = imports[from].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(imports.get(module).into_iter().flatten());
        }
    }
    reached
}

fn read(directory: &Path, module: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(directory).expect("a crate has a directory `src`") {
        let path = entry.expect("a directory can be listed").path();
        let name =
            path.file_stem().and_then(|name| name.to_str()).expect("source files have names in ASCII").to_owned();
        if path.is_dir() {
            module.push(name);
            read(&path, module, texts);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "main" {
            let module = if matches!(&*name, "lib" | "mod") { module.clone() } else { child(module, name) };
            texts.insert(module, fs::read_to_string(&path).expect("source files are UTF-8"));
        }
    }
}

fn child(module: &Module, name: String) -> Module {
    module.iter().cloned().chain([name]).collect()
}

/// Splits source text into words, `::` and single characters, without comment lines.
fn tokens(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut tokens: Vec<String> = vec![];
    let mut in_word = false;
    for character in code.chars() {
        let is_word = character.is_alphanumeric() || character == '_';
        match tokens.last_mut() {
            Some(word) if is_word && in_word => word.push(character),
            Some(colon) if character == ':' && colon == ":" => colon.push(':'),
            _ if character.is_whitespace() => {}
            _ => tokens.push(character.to_string()),
        }
        in_word = is_word;
    }
    tokens
}

/// The tokens without `#[cfg(test)]` items, and the names of the modules that those declare.
fn without_tests(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut remaining, mut modules, mut at) = (vec![], vec![], 0);
    while at < tokens.len() {
        if !tokens[at..].iter().take(MARK.len()).eq(MARK.iter()) {
            remaining.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        let item = at;
        let mut depth = 0;
        while at < tokens.len() {
            match &*tokens[at] {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        at += 1;
        let item = &tokens[item..at.min(tokens.len())];
        if let Some(declared) = item.iter().take(12).position(|token| token == "mod") {
            modules.extend(item.get(declared + 1).cloned());
        }
    }
    (remaining, modules)
}

fn file(module: &Module, tokens: &[String], modules: &BTreeSet<Module>) -> File {
    let mut file = File::default();
    let mut at = 0;
    while at < tokens.len() {
        let before = |back: usize| at.checked_sub(back).map_or("", |before| &*tokens[before]);
        if tokens[at] == "use" {
            let is_exported = matches!(before(1), "pub" | ")");
            at += 1;
            for (name, path) in tree(tokens, &mut at, &[]) {
                let Some(path) = absolute(module, &path, modules) else { continue };
                if !is_exported {
                    file.needed.push(path.clone());
                }
                file.names.insert(name, path);
            }
        } else if tokens.get(at + 1).is_some_and(|next| next == "::") && !matches!(before(1), "::" | "in" | "$") {
            let end = (at..tokens.len()).step_by(2).find(|&word| tokens.get(word + 1).is_none_or(|next| next != "::"));
            let end = end.unwrap_or(at);
            let path: Vec<String> = tokens[at..=end].iter().step_by(2).cloned().collect();
            file.needed.extend(absolute(module, &path, modules));
            at = end;
        }
        at += 1;
    }
    file
}

/// The leaves of a `use` tree: the local name and the path of each.
fn tree(tokens: &[String], at: &mut usize, before: &[String]) -> Vec<(String, Vec<String>)> {
    let mut path = before.to_vec();
    let mut leaves = vec![];
    loop {
        match tokens.get(*at).map(String::as_str) {
            Some("{") => {
                while tokens[*at] != "}" {
                    *at += 1;
                    if tokens[*at] != "}" {
                        leaves.extend(tree(tokens, at, &path));
                    }
                }
                *at += 1;
                return leaves;
            }
            Some("::") => *at += 1,
            Some("as") => {
                let name = tokens[*at + 1].clone();
                *at += 2;
                return vec![(name, path)];
            }
            Some(";" | "," | "}") | None => {
                let name = path.last().cloned().unwrap_or_default();
                if name == "self" {
                    path.pop();
                }
                return vec![(path.last().cloned().unwrap_or_default(), path)];
            }
            Some(word) => {
                path.push(word.to_owned());
                *at += 1;
            }
        }
    }
}

/// The path from the crate's root; `None` for a path into another crate.
fn absolute(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let supers = path.iter().take_while(|word| *word == "super").count();
    match &**path.first()? {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => Some([module.get(..module.len().checked_sub(supers)?)?, &path[supers..]].concat()),
        first => modules.contains(&child(module, first.to_owned())).then(|| [module, path].concat()),
    }
}

/// The module that defines the item at a path.
fn resolve(path: &[String], files: &BTreeMap<Module, File>, depth: usize) -> Module {
    let mut module = vec![];
    for (index, word) in path.iter().enumerate() {
        let inner = child(&module, word.clone());
        if files.contains_key(&inner) {
            module = inner;
            continue;
        }
        return match files.get(&module).and_then(|file| file.names.get(word)) {
            Some(source) if depth < 8 => resolve(&[source, &path[index + 1..]].concat(), files, depth + 1),
            _ => module,
        };
    }
    module
}
