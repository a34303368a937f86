//! Edits of the blueprint list in `crates/app/src/blueprints.rs`: two lines per blueprint.

use super::name::Name;

pub(super) const PATH: &str = "crates/app/src/blueprints.rs";

const HEADER: &str = "pub(crate) fn all(service: Service) -> Service {\n";
const FOOTER: &str = "    service\n}\n";

/// Whether the text is the source of the blueprint list.
pub(super) fn is_list(text: &str) -> bool {
    text.contains(HEADER) && text.ends_with(FOOTER)
}

fn lines(name: &Name) -> String {
    let (module, pascal) = (name.module(), name.pascal());
    format!("    #[cfg(feature = \"{name}\")]\n    let service = service.blueprint({module}::{pascal});\n")
}

/// Whether the list mentions the crate anywhere.
pub(super) fn mentions(text: &str, module: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).any(|word| word == module)
}

/// Appends a blueprint to the list.
pub(super) fn add(text: &str, name: &Name) -> Result<String, String> {
    let body = text.strip_suffix(FOOTER).ok_or_else(|| format!("{PATH} does not end with the blueprint list"))?;
    Ok(format!("{body}{}{FOOTER}", lines(name)))
}

/// Removes a blueprint from the list.
pub(super) fn remove(text: &str, name: &Name) -> Result<String, String> {
    let removed = text.replacen(&lines(name), "", 1);
    if mentions(&removed, &name.module()) {
        return Err(format!("{PATH} mentions {} outside the generated lines; remove that code first", name.module()));
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "pub(crate) fn all(service: Service) -> Service {
    #[cfg(feature = \"users\")]
    let service = service.blueprint(blueprint_users::Users);
    service
}
";

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_blueprint_can_be_added_and_removed_again() {
        assert!(is_list(TEXT));
        let added = add(TEXT, &name("stock-levels")).unwrap();
        let lines = "    #[cfg(feature = \"stock-levels\")]\n    \
                     let service = service.blueprint(blueprint_stock_levels::StockLevels);\n    service\n}\n";
        assert!(added.ends_with(lines), "{added}");
        assert!(mentions(&added, "blueprint_stock_levels") && !mentions(&added, "blueprint_stock"));
        assert_eq!(remove(&added, &name("stock-levels")).unwrap(), TEXT);
    }

    #[test]
    fn the_source_of_the_app_is_recognized() {
        let source = include_str!("../../../app/src/blueprints.rs");
        assert!(is_list(source) && source.contains(&lines(&name("users"))), "{source}");
    }

    #[test]
    fn lines_edited_by_hand_are_not_removed() {
        let edited = add(TEXT, &name("stock")).unwrap().replace("Stock)", "Stock::new())");
        assert!(remove(&edited, &name("stock")).unwrap_err().contains("outside the generated lines"));
        assert_eq!(remove(TEXT, &name("stock")).unwrap(), TEXT);
    }
}
