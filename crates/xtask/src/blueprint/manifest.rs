//! Edits of `Cargo.toml` that preserve its formatting and can be reverted byte for byte.

use toml_edit::{Array, DocumentMut, Item, Key, Table, Value};

/// A parsed `Cargo.toml`.
#[derive(Debug)]
pub(super) struct Manifest {
    path: String,
    document: DocumentMut,
    /// Whether the text ended with a newline; `toml_edit` always writes one.
    ends_with_newline: bool,
}

impl Manifest {
    pub fn new(path: &str, text: &str) -> Result<Self, String> {
        let document = text.parse().map_err(|error| format!("cannot parse {path}: {error}"))?;
        Ok(Self { path: path.into(), document, ends_with_newline: text.is_empty() || text.ends_with('\n') })
    }

    pub fn text(&self) -> String {
        let text = self.document.to_string();
        if self.ends_with_newline { text } else { text.trim_end_matches('\n').to_owned() }
    }

    /// The item at a path of keys.
    pub fn get(&self, keys: &[&str]) -> Option<&Item> {
        keys.iter().try_fold(self.document.as_item(), |item, key| item.get(key))
    }

    pub fn array(&mut self, keys: &[&str]) -> Result<&mut Array, String> {
        let missing = format!("{} has no array {}", self.path, keys.join("."));
        self.item(keys).and_then(Item::as_array_mut).ok_or(missing)
    }

    pub fn table(&mut self, keys: &[&str]) -> Result<&mut Table, String> {
        let missing = format!("{} has no [{}]", self.path, keys.join("."));
        self.item(keys).and_then(Item::as_table_mut).ok_or(missing)
    }

    fn item(&mut self, keys: &[&str]) -> Option<&mut Item> {
        keys.iter().try_fold(self.document.as_item_mut(), |item, key| item.get_mut(key))
    }
}

/// The strings of an array.
pub(super) fn strings(array: &Array) -> impl Iterator<Item = &str> {
    array.iter().filter_map(Value::as_str)
}

/// Inserts a string after the last one that `is_sibling` accepts, or at the end.
pub(super) fn insert_string(array: &mut Array, text: &str, is_sibling: impl Fn(&str) -> bool) {
    let siblings = array.iter().enumerate().filter(|(_, value)| value.as_str().is_some_and(&is_sibling));
    let at = siblings.last().map_or(array.len(), |(at, _)| at + 1);
    let mut value = Value::from(text);
    if let Some(before) = at.checked_sub(1).and_then(|at| array.get_mut(at)) {
        let prefix = whitespace(before.decor().prefix());
        let prefix = match prefix.rfind('\n') {
            Some(line) => prefix[line..].to_owned(),
            None => " ".into(),
        };
        let suffix = whitespace(before.decor().suffix());
        if at == array.len() {
            // Whitespace before the closing bracket belongs to the last value.
            set_suffix(array, at - 1, "");
            value.decor_mut().set_suffix(suffix);
        } else {
            value.decor_mut().set_suffix("");
        }
        value.decor_mut().set_prefix(prefix);
    }
    array.insert_formatted(at, value);
}

/// Removes a string. Returns whether it was present.
pub(super) fn remove_string(array: &mut Array, text: &str) -> bool {
    let Some(at) = array.iter().position(|value| value.as_str() == Some(text)) else { return false };
    let was_last = at + 1 == array.len();
    let removed = array.remove(at);
    if at == 0 {
        if let Some(first) = array.get_mut(0) {
            first.decor_mut().set_prefix(whitespace(removed.decor().prefix()));
        }
    } else if was_last {
        set_suffix(array, at - 1, &whitespace(removed.decor().suffix()));
    }
    true
}

fn set_suffix(array: &mut Array, at: usize, suffix: &str) {
    if let Some(value) = array.get_mut(at) {
        value.decor_mut().set_suffix(suffix);
    }
}

fn whitespace(decor: Option<&toml_edit::RawString>) -> String {
    decor.and_then(toml_edit::RawString::as_str).unwrap_or_default().to_owned()
}

/// Inserts `key = value` after the last key that `is_sibling` accepts, or at the end.
pub(super) fn insert_key(table: &mut Table, key: &str, value: Value, is_sibling: impl Fn(&str) -> bool) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let at = keys.iter().rposition(|key| is_sibling(key)).map_or(keys.len(), |at| at + 1);
    let later: Vec<(Key, Item)> = keys[at..].iter().filter_map(|key| table.remove_entry(key)).collect();
    table.insert(key, Item::Value(value));
    for (key, item) in later {
        table.insert_formatted(&key, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest::new("Cargo.toml", text).unwrap()
    }

    #[track_caller]
    fn assert_insert_and_remove(before: &str, after: &str) {
        let mut edited = manifest(before);
        insert_string(edited.array(&["list"]).unwrap(), "new", |text| text.starts_with('b'));
        assert_eq!(edited.text(), after);
        let mut edited = manifest(after);
        assert!(remove_string(edited.array(&["list"]).unwrap(), "new"));
        assert_eq!(edited.text(), before);
    }

    #[test]
    fn inserting_and_removing_a_string_restores_every_byte() {
        assert_insert_and_remove("list = []\n", "list = [\"new\"]\n");
        assert_insert_and_remove("list = [\"a\"]", "list = [\"a\", \"new\"]");
        assert_insert_and_remove("list = [\"b\", \"c\"]\n", "list = [\"b\", \"new\", \"c\"]\n");
        assert_insert_and_remove("list = [ \"a\", \"b\" ] # x\n", "list = [ \"a\", \"b\", \"new\" ] # x\n");
        assert_insert_and_remove(
            "list = [\n    # first\n    \"a\",\n    \"b\",\n]\n",
            "list = [\n    # first\n    \"a\",\n    \"b\",\n    \"new\",\n]\n",
        );
        assert_insert_and_remove(
            "list = [\n    # first\n    \"b\",\n    \"c\"\n]\n",
            "list = [\n    # first\n    \"b\",\n    \"new\",\n    \"c\"\n]\n",
        );
        assert_insert_and_remove("list = [\n  \"a\"\n]\n", "list = [\n  \"a\",\n  \"new\"\n]\n");
    }

    #[test]
    fn removing_the_first_string_leaves_no_gap() {
        let mut edited = manifest("list = [\"new\", \"a\"]\n");
        assert!(remove_string(edited.array(&["list"]).unwrap(), "new"));
        assert_eq!(edited.text(), "list = [\"a\"]\n");
        assert!(!remove_string(edited.array(&["list"]).unwrap(), "new"));
    }

    #[test]
    fn a_key_is_inserted_after_its_siblings() {
        let text = "[t]\n# of a\na.x = true\nb-1 = { x = 1 }\n\n# of c\nc = 2 # two\n\n[u]\nd = 1\n";
        let mut edited = manifest(text);
        let value: Value = "{ y = 2 }".parse().unwrap();
        insert_key(edited.table(&["t"]).unwrap(), "b-2", value.clone(), |key| key.starts_with("b-"));
        assert_eq!(edited.text(), text.replace("{ x = 1 }", "{ x = 1 }\nb-2 = { y = 2 }"));
        edited.table(&["t"]).unwrap().remove("b-2");
        assert_eq!(edited.text(), text);
        insert_key(edited.table(&["t"]).unwrap(), "z", value, |_| false);
        assert_eq!(edited.text(), text.replace("# two", "# two\nz = { y = 2 }"));
    }

    #[test]
    fn a_missing_item_is_named() {
        let mut edited = manifest("[a]\nb = 1\n");
        assert_eq!(edited.table(&["a", "b"]).unwrap_err(), "Cargo.toml has no [a.b]");
        assert_eq!(edited.array(&["a", "b"]).unwrap_err(), "Cargo.toml has no array a.b");
        assert!(Manifest::new("Cargo.toml", "[a").unwrap_err().starts_with("cannot parse Cargo.toml"));
    }
}
