//! The list of blueprints in `crates/app/src/blueprints.rs`, the one piece of Rust that is edited: two lines a blueprint.

use super::name::Name;

pub(super) const PATH: &str = "crates/app/src/blueprints.rs";

const HEAD: &str = "pub(crate) fn all(service: Service) -> Service {\n";
const TAIL: &str = "    service\n}\n";

/// Whether this is that list.
pub(super) fn is_list(text: &str) -> bool {
    text.contains(HEAD) && text.ends_with(TAIL)
}

fn lines(name: &Name) -> String {
    let (module, pascal) = (name.module(), name.pascal());
    format!("    #[cfg(feature = \"{name}\")]\n    let service = service.blueprint({module}::{pascal});\n")
}

/// Whether a blueprint of this crate is on it, in whatever words.
pub(super) fn names(text: &str, module: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).any(|word| word == module)
}

/// The list with this blueprint as its last.
pub(super) fn with(text: &str, name: &Name) -> Result<String, String> {
    let body = text.strip_suffix(TAIL).ok_or_else(|| format!("{PATH} does not end with the list of blueprints"))?;
    Ok(format!("{body}{}{TAIL}", lines(name)))
}

/// The list without this blueprint.
pub(super) fn without(text: &str, name: &Name) -> Result<String, String> {
    let without = text.replacen(&lines(name), "", 1);
    if names(&without, &name.module()) {
        return Err(format!("{PATH} has {} in other words than it was given: take it out there first", name.module()));
    }
    Ok(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../app/src/blueprints.rs");

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_blueprint_is_added_as_the_others_are_and_taken_out_again() {
        assert!(is_list(TEXT));
        let with = with(TEXT, &name("stock-levels")).unwrap();
        let lines = "    #[cfg(feature = \"stock-levels\")]\n    \
                     let service = service.blueprint(blueprint_stock_levels::StockLevels);\n    service\n}\n";
        assert!(with.ends_with(lines), "{with}");
        assert!(names(&with, "blueprint_stock_levels") && !names(&with, "blueprint_stock"));
        assert_eq!(without(&with, &name("stock-levels")).unwrap(), TEXT);
        let users = "    #[cfg(feature = \"users\")]\n    let service = service.blueprint(blueprint_users::Users);\n";
        assert!(TEXT.contains(users));
    }

    #[test]
    fn what_has_been_written_by_hand_is_left_to_hands() {
        let with = with(TEXT, &name("stock")).unwrap().replace("Stock)", "Stock::new())");
        assert!(without(&with, &name("stock")).unwrap_err().contains("in other words"));
        assert_eq!(without(TEXT, &name("stock")).unwrap(), TEXT);
    }
}
