//! Edits of `Cargo.toml` that leave everything else as it stands, and that can be taken back to the byte.

use toml_edit::{Array, DocumentMut, Item, Key, Table, Value};

/// A `Cargo.toml` that is being edited.
#[derive(Debug)]
pub(super) struct Manifest {
    path: String,
    document: DocumentMut,
    /// The printer gives a last line its end even when it had none.
    is_ended: bool,
}

impl Manifest {
    pub fn new(path: &str, text: &str) -> Result<Self, String> {
        let document = text.parse().map_err(|error| format!("{path} cannot be read: {error}"))?;
        Ok(Self { path: path.into(), document, is_ended: text.is_empty() || text.ends_with('\n') })
    }

    pub fn text(&self) -> String {
        let text = self.document.to_string();
        if self.is_ended { text } else { text.trim_end_matches('\n').to_owned() }
    }

    /// What stands at this place, each step a table's key.
    pub fn get(&self, place: &[&str]) -> Option<&Item> {
        place.iter().try_fold(self.document.as_item(), |item, key| item.get(key))
    }

    pub fn list(&mut self, place: &[&str]) -> Result<&mut Array, String> {
        let missing = format!("{} has no list at {}", self.path, place.join("."));
        self.item(place).and_then(Item::as_array_mut).ok_or(missing)
    }

    pub fn table(&mut self, place: &[&str]) -> Result<&mut Table, String> {
        let missing = format!("{} has no [{}]", self.path, place.join("."));
        self.item(place).and_then(Item::as_table_mut).ok_or(missing)
    }

    fn item(&mut self, place: &[&str]) -> Option<&mut Item> {
        place.iter().try_fold(self.document.as_item_mut(), |item, key| item.get_mut(key))
    }
}

/// The texts of a list.
pub(super) fn texts(list: &Array) -> impl Iterator<Item = &str> {
    list.iter().filter_map(Value::as_str)
}

/// Adds a text behind the last one of its like, or at the end.
pub(super) fn add_to(list: &mut Array, text: &str, is_alike: impl Fn(&str) -> bool) {
    let alike = list.iter().enumerate().filter(|(_, value)| value.as_str().is_some_and(&is_alike));
    let at = alike.last().map_or(list.len(), |(at, _)| at + 1);
    let mut value = Value::from(text);
    if let Some(before) = at.checked_sub(1).and_then(|at| list.get_mut(at)) {
        let prefix = space(before.decor().prefix());
        let prefix = match prefix.rfind('\n') {
            Some(line) => prefix[line..].to_owned(),
            None => " ".into(),
        };
        let suffix = space(before.decor().suffix());
        if at == list.len() {
            // What stands before the bracket stays there.
            set_suffix(list, at - 1, "");
            value.decor_mut().set_suffix(suffix);
        } else {
            value.decor_mut().set_suffix("");
        }
        value.decor_mut().set_prefix(prefix);
    }
    list.insert_formatted(at, value);
}

/// Takes a text out again. Whether it was there.
pub(super) fn take_from(list: &mut Array, text: &str) -> bool {
    let Some(at) = list.iter().position(|value| value.as_str() == Some(text)) else { return false };
    let was_last = at + 1 == list.len();
    let taken = list.remove(at);
    if at == 0 {
        if let Some(first) = list.get_mut(0) {
            first.decor_mut().set_prefix(space(taken.decor().prefix()));
        }
    } else if was_last {
        set_suffix(list, at - 1, &space(taken.decor().suffix()));
    }
    true
}

fn set_suffix(list: &mut Array, at: usize, suffix: &str) {
    if let Some(value) = list.get_mut(at) {
        value.decor_mut().set_suffix(suffix);
    }
}

fn space(decor: Option<&toml_edit::RawString>) -> String {
    decor.and_then(toml_edit::RawString::as_str).unwrap_or_default().to_owned()
}

/// Adds `key = value` behind the last key of its like, or at the end.
pub(super) fn add_key(table: &mut Table, key: &str, value: Value, is_alike: impl Fn(&str) -> bool) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let at = keys.iter().rposition(|key| is_alike(key)).map_or(keys.len(), |at| at + 1);
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
    fn goes_and_comes_back(before: &str, after: &str) {
        let mut edited = manifest(before);
        add_to(edited.list(&["list"]).unwrap(), "new", |text| text.starts_with('b'));
        assert_eq!(edited.text(), after);
        let mut edited = manifest(after);
        assert!(take_from(edited.list(&["list"]).unwrap(), "new"));
        assert_eq!(edited.text(), before);
    }

    #[test]
    fn a_text_is_added_to_a_list_and_taken_out_again_to_the_byte() {
        goes_and_comes_back("list = []\n", "list = [\"new\"]\n");
        goes_and_comes_back("list = [\"a\"]", "list = [\"a\", \"new\"]");
        goes_and_comes_back("list = [\"b\", \"c\"]\n", "list = [\"b\", \"new\", \"c\"]\n");
        goes_and_comes_back("list = [ \"a\", \"b\" ] # x\n", "list = [ \"a\", \"b\", \"new\" ] # x\n");
        goes_and_comes_back(
            "list = [\n    # first\n    \"a\",\n    \"b\",\n]\n",
            "list = [\n    # first\n    \"a\",\n    \"b\",\n    \"new\",\n]\n",
        );
        goes_and_comes_back(
            "list = [\n    # first\n    \"b\",\n    \"c\"\n]\n",
            "list = [\n    # first\n    \"b\",\n    \"new\",\n    \"c\"\n]\n",
        );
        goes_and_comes_back("list = [\n  \"a\"\n]\n", "list = [\n  \"a\",\n  \"new\"\n]\n");
    }

    #[test]
    fn the_first_of_a_list_leaves_no_gap() {
        let mut edited = manifest("list = [\"new\", \"a\"]\n");
        assert!(take_from(edited.list(&["list"]).unwrap(), "new"));
        assert_eq!(edited.text(), "list = [\"a\"]\n");
        assert!(!take_from(edited.list(&["list"]).unwrap(), "new"));
    }

    #[test]
    fn a_key_goes_behind_its_like() {
        let text = "[t]\n# of a\na.x = true\nb-1 = { x = 1 }\n\n# of c\nc = 2 # two\n\n[u]\nd = 1\n";
        let mut edited = manifest(text);
        let value: Value = "{ y = 2 }".parse().unwrap();
        add_key(edited.table(&["t"]).unwrap(), "b-2", value.clone(), |key| key.starts_with("b-"));
        assert_eq!(edited.text(), text.replace("{ x = 1 }", "{ x = 1 }\nb-2 = { y = 2 }"));
        edited.table(&["t"]).unwrap().remove("b-2");
        assert_eq!(edited.text(), text);
        add_key(edited.table(&["t"]).unwrap(), "z", value, |_| false);
        assert_eq!(edited.text(), text.replace("# two", "# two\nz = { y = 2 }"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let mut edited = manifest("[a]\nb = 1\n");
        assert_eq!(edited.table(&["a", "b"]).unwrap_err(), "Cargo.toml has no [a.b]");
        assert_eq!(edited.list(&["a", "b"]).unwrap_err(), "Cargo.toml has no list at a.b");
        assert!(Manifest::new("Cargo.toml", "[a").unwrap_err().starts_with("Cargo.toml cannot be read"));
    }
}
