//! Misspelled environment variables: names similar to those that are read.

use crate::layers::Leaf;
use crate::setting::variable;
use crate::value::validate_value;
use crate::{Schema, Setting};

/// A variable that is read.
struct KnownVariable<'a> {
    name: String,
    /// The words to compare with.
    words: Vec<String>,
    setting: Option<&'a Setting>,
}

impl Schema {
    /// The variable that was probably meant by an unknown one.
    #[must_use]
    pub fn near_miss(&self, name: &str, value: &str) -> Option<String> {
        self.suggestion(name, value, &self.known())
    }

    /// A warning for each near miss, sorted by name and without the value.
    pub(crate) fn near_misses(&self, environment: &[(String, String)]) -> Vec<String> {
        let known = self.known();
        let suggestion = |(name, value): &(String, String)| {
            let suggestion = self.suggestion(name, value, &known)?;
            Some(format!("{name} is ignored; did you mean {suggestion}?"))
        };
        let mut warnings: Vec<String> = environment.iter().filter_map(suggestion).collect();
        warnings.sort();
        warnings
    }

    fn known(&self) -> Vec<KnownVariable<'_>> {
        let of_settings = self.settings.iter().filter(|setting| !setting.has_placeholder()).flat_map(|setting| {
            let own = [(Some(setting.key.clone()), setting.env_alias.map(str::to_owned))];
            let all = own.into_iter().chain([(setting.file_key(), setting.file_alias())]);
            all.filter_map(|(key, alias)| Some((key?, alias))).flat_map(move |(key, alias)| {
                let names = alias.map(|name| (name.clone(), name)).into_iter().chain([(variable(&key), key.clone())]);
                // With a misspelled prefix, and without a prefix.
                names.flat_map(move |(name, spelled)| {
                    let prefixed = ["APP".to_owned()].into_iter().chain(words(&spelled)).collect();
                    let with_prefix = KnownVariable { name: variable(&key), words: prefixed, setting: Some(setting) };
                    [KnownVariable { name, words: words(&spelled), setting: Some(setting) }, with_prefix]
                })
            })
        });
        let own = self.variables.iter().map(|it| KnownVariable {
            name: it.name.to_owned(),
            words: words(it.name),
            setting: None,
        });
        of_settings.chain(own).collect()
    }

    fn suggestion(&self, name: &str, value: &str, known: &[KnownVariable<'_>]) -> Option<String> {
        // Names with this prefix are either settings or errors.
        let is_read = name.starts_with("APP__") || known.iter().any(|known| known.name == name);
        // Container platforms set NAME_PORT=tcp://10.0.0.1:80 for a service of any name.
        let is_a_link = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
        if is_read || is_a_link || value.trim().is_empty() {
            return None;
        }
        let given = words(name);
        let distances = known.iter().filter_map(|known| {
            // A single word such as `ENV` is common, so its value must also be valid for the setting.
            let is_meant = known.words.len() > 1 || known.setting.is_some_and(|setting| accepts(setting, value));
            Some((distance(&given, &known.words).filter(|_| is_meant)?, known))
        });
        if let Some((_, nearest)) = distances.min_by_key(|(distance, _)| *distance) {
            return Some(nearest.name.clone());
        }
        // Keys with placeholders are matched by their prefixes only.
        let spelled = given.join("_");
        if name.to_uppercase().starts_with("APP__") {
            return Some(name.to_uppercase());
        }
        let has_prefix = |stem: &str, spelled: &str| {
            spelled.starts_with(&words(stem).iter().map(|word| format!("{word}_")).collect::<String>())
        };
        let deferred = self.deferred.iter().find(|names| has_prefix(&format!("app.{}", before_name(names)), &spelled));
        let unprefixed = spelled.strip_prefix("APP_").unwrap_or(&spelled);
        let mut with_placeholder =
            self.settings.iter().filter(|setting| setting.has_placeholder()).map(|setting| &setting.key);
        deferred
            .or_else(|| with_placeholder.find(|key| has_prefix(before_name(key), unprefixed)))
            .map(|key| variable(key))
    }
}

/// A key up to its placeholder.
fn before_name(key: &str) -> &str {
    key.split('<').next().unwrap_or_default()
}

fn words(name: &str) -> Vec<String> {
    name.split(['_', '-', '.']).filter(|word| !word.is_empty()).map(str::to_uppercase).collect()
}

fn accepts(setting: &Setting, value: &str) -> bool {
    validate_value(&Leaf::new(&setting.key, value, ""), setting).is_ok()
}

/// The distance between two names: 0 for the same letters with other separators, 1 for an abbreviated last word, else
/// the number of words with a typo. `None` if the names are unrelated.
fn distance(given: &[String], suggestion: &[String]) -> Option<usize> {
    if given.concat() == suggestion.concat() {
        return Some(0);
    }
    // A single word, even with the prefix, is too short to tell a typo from another name.
    let is_short = suggestion.len() == 1 || (suggestion.len() == 2 && suggestion[0] == "APP");
    let differing_keys: Vec<(&String, &String)> = given.iter().zip(suggestion).filter(|(a, b)| a != b).collect();
    let is_abbreviated = |(short, long): &(&String, &String)| {
        given.last() == Some(*short) && short.len() >= 3 && long.starts_with(short.as_str())
    };
    let max_typos = (suggestion.concat().len() / 5).min(2);
    let are_typos = || differing_keys.iter().all(|(a, b)| strsim::osa_distance(a, b) == 1);
    let is_near = match &differing_keys[..] {
        [one] if is_abbreviated(one) => true,
        several => several.len() <= max_typos && are_typos(),
    };
    (given.len() == suggestion.len() && !is_short && is_near).then_some(differing_keys.len())
}
