//! The settings of blueprints, each in a section of its own: `[blueprints.orders]`.
//!
//! Which blueprints there are is known once they have been handed to the service, so their sections are checked then, like
//! all other settings.

use std::collections::BTreeMap;

use garde::Validate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::layers::{self, Leaf, section};
use super::rate_limits::{self, RateLimitSet};
use super::spec::{self, OF_EVERY_BLUEPRINT, Setting};
use super::{Origin, ResponseLog, Settings, SettingsError, shown};
use crate::record::Level;

/// What can be set for one blueprint, below `blueprints.<its name>`: the list that is checked, printed and documented, and
/// the type that the values are read into.
///
/// ```
/// use cyanotype::settings::BlueprintSettings;
/// use cyanotype::settings::spec::{Setting, Takes, setting};
///
/// #[derive(serde::Deserialize, garde::Validate)]
/// struct StockSettings {
///     #[garde(range(min = 1, max = 1000))]
///     low: u64,
/// }
///
/// const SETTINGS: &[Setting] =
///     &[setting("low", Takes::Whole(1, 1000), Some("10"), "the count from which down an article is low")];
///
/// let settings = BlueprintSettings::of::<StockSettings>(SETTINGS);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BlueprintSettings {
    pub(crate) known: &'static [Setting],
    check: fn(&Value) -> Vec<(String, String)>,
}

impl BlueprintSettings {
    /// None of its own.
    pub const NONE: Self = Self { known: &[], check: |_| Vec::new() };

    /// These, read as a `T`. What their types alone do not tell, `T` checks: when it is read, or validated.
    #[must_use]
    pub fn of<T: DeserializeOwned + Validate<Context = ()>>(known: &'static [Setting]) -> Self {
        Self { known, check: wrong::<T> }
    }
}

/// What is wrong with which key.
fn wrong<T: DeserializeOwned + Validate<Context = ()>>(values: &Value) -> Vec<(String, String)> {
    match serde_path_to_error::deserialize::<_, T>(values) {
        Ok(read) => read.validate().err().map_or_else(Vec::new, |report| {
            report.iter().map(|(path, error)| (path.to_string(), error.message().to_owned())).collect()
        }),
        Err(error) => vec![(error.path().to_string(), error.inner().to_string())],
    }
}

/// A blueprint's settings in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    /// What its own type is read from.
    pub own: Value,
    pub log_level: Option<Level>,
    pub response_log: Option<ResponseLog>,
    pub rate_limit: RateLimitSet,
}

/// A blueprint as its settings see it.
pub(crate) struct Owner {
    pub name: &'static str,
    pub settings: BlueprintSettings,
    pub enabled: bool,
}

#[derive(Deserialize, Default)]
struct OfEvery {
    #[serde(default)]
    log: OfEveryLog,
    #[serde(default)]
    rate_limit: RateLimitSet,
}

#[derive(Deserialize, Default)]
struct OfEveryLog {
    level: Option<Level>,
    #[serde(default)]
    response: OfEveryResponse,
}

#[derive(Deserialize, Default)]
struct OfEveryResponse {
    body: Option<ResponseLog>,
}

impl Settings {
    /// Checks the sections of these blueprints, and tells their settings in force by the blueprints' names.
    ///
    /// # Errors
    /// A section of no blueprint, an unknown key, or a value that its setting does not take.
    pub(crate) fn settle(&mut self, owners: &[Owner]) -> Result<BTreeMap<&'static str, Section>, SettingsError> {
        let mut problems = Vec::new();
        for leaf in self.sections.iter().flatten() {
            if !owners.iter().any(|owner| leaf.key.starts_with(&format!("blueprints.{}.", section(owner.name)))) {
                let names: Vec<&str> = owners.iter().map(|owner| owner.name).collect();
                let said = format!("no blueprint of this program has that setting; it has {}", names.join(", "));
                problems.push(format!("{} (set by {}): {said}", leaf.key, leaf.origin));
            }
        }
        let mut sections = BTreeMap::new();
        let mut origins = Vec::new();
        for owner in owners {
            let (section, of_section, wrong) = self.section_of(owner);
            origins.extend(of_section);
            problems.extend(wrong);
            sections.insert(owner.name, section);
        }
        if !problems.is_empty() {
            return Err(SettingsError(problems));
        }
        self.sections.clear();
        self.origins.extend(origins);
        Ok(sections)
    }

    fn section_of(&self, owner: &Owner) -> (Section, Vec<Origin>, Vec<String>) {
        let prefix = format!("blueprints.{}.", section(owner.name));
        let known = || owner.settings.known.iter().chain(OF_EVERY_BLUEPRINT);
        let of_owner = |leaf: &Leaf| {
            let key = leaf.key.strip_prefix(&prefix)?;
            Some(Leaf { key: key.to_owned(), ..leaf.clone() })
        };
        let set = self.sections.iter().map(|layer| layer.iter().filter_map(of_owner).collect());
        let layers = [layers::defaults(owner.settings.known)].into_iter().chain(set);
        let (in_force, unknown) = layers::merged(layers, |key| known().find(|setting| setting.key == key));

        let (mut own, mut of_every) = (Value::Object(Map::new()), Value::Object(Map::new()));
        let (mut origins, mut problems) = (Vec::new(), Vec::new());
        let said = |key: &str, origin: &str, problem: &str| format!("{prefix}{key} (set by {origin}): {problem}");
        for leaf in unknown {
            let near = spec::nearest(&leaf.key, known()).map(|near| format!("{prefix}{near}"));
            problems.push(said(&leaf.key, &leaf.origin, &layers::unknown(near)));
        }
        for (leaf, setting) in &in_force {
            let key = &leaf.key;
            match layers::checked(leaf, setting).and_then(|value| rate_limits::checked(key, value)) {
                Ok(value) => {
                    let is_own = owner.settings.known.iter().any(|own| own.key == key);
                    let (value_shown, set_by) = (shown(setting, &value), leaf.origin.clone());
                    origins.push(Origin { key: format!("{prefix}{key}"), value: value_shown, set_by });
                    super::place(if is_own { &mut own } else { &mut of_every }, key, value);
                }
                Err(problem) => problems.push(said(key, &leaf.origin, &problem)),
            }
        }
        if problems.is_empty() && owner.enabled {
            problems.extend((owner.settings.check)(&own).into_iter().map(|(path, problem)| {
                let set = in_force.iter().find(|(leaf, _)| leaf.key == path);
                let origin = set.map_or("nobody", |(leaf, _)| &leaf.origin);
                said(&path, origin, &problem)
            }));
        }
        // What is wrong with it has been found already.
        let of_every: OfEvery = serde_json::from_value(of_every).unwrap_or_default();
        let OfEvery { log, rate_limit } = of_every;
        let section = Section { own, log_level: log.level, response_log: log.response.body, rate_limit };
        (section, origins, problems)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Loader;
    use super::super::spec::{Takes, setting};
    use super::*;

    #[derive(Deserialize, Validate)]
    struct Stock {
        #[garde(range(min = 1, max = 100))]
        low: u64,
        #[garde(skip)]
        warehouse_url: Option<String>,
    }

    const KNOWN: &[Setting] = &[
        setting("low", Takes::Whole(1, 1000), Some("10"), "how few are few"),
        setting("warehouse_url", Takes::Url, None, "where the warehouse is"),
    ];

    fn settle(variables: &[(&str, &str)]) -> Result<(Settings, Section), String> {
        let loaded = Loader::new("/nonexistent").variables(variables.iter().copied()).load();
        let mut settings = loaded.map_err(|error| error.to_string())?;
        let owner = Owner { name: "dry-stock", settings: BlueprintSettings::of::<Stock>(KNOWN), enabled: true };
        let mut sections = settings.settle(&[owner]).map_err(|error| error.to_string())?;
        Ok((settings, sections.remove("dry-stock").expect("it has a section")))
    }

    #[test]
    fn a_blueprints_settings_are_typed_and_their_layers_known() {
        let set = [
            ("APP__BLUEPRINTS__DRY_STOCK__WAREHOUSE_URL", "http://user:hunter2@warehouse.example"),
            ("APP__BLUEPRINTS__DRY_STOCK__LOG__LEVEL", "debug"),
            ("APP__BLUEPRINTS__DRY_STOCK__LOG__RESPONSE__BODY", "metadata"),
        ];
        let (settings, section) = settle(&set).expect("they are good");
        let stock: Stock = serde_json::from_value(section.own).expect("it is as its type has it");
        assert_eq!((stock.low, stock.warehouse_url.is_some()), (10, true));
        assert_eq!((section.log_level, section.response_log), (Some(Level::Debug), Some(ResponseLog::Metadata)));
        let origin =
            |key: &str| settings.origins.iter().find(|origin| origin.key == key).expect("it is listed").clone();
        assert_eq!(origin("blueprints.dry_stock.low").set_by, "default");
        assert_eq!(origin("blueprints.dry_stock.warehouse_url").value, "http://[redacted]@warehouse.example");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_layer_and_the_mend() {
        for (variable, value, expected) in [
            (
                "APP__BLUEPRINTS__DRY_STOCK__LOW",
                "none",
                "blueprints.dry_stock.low (set by APP__BLUEPRINTS__DRY_STOCK__LOW): `none` is not allowed; allowed is a whole \
                 number from 1 to 1000",
            ),
            (
                "APP__BLUEPRINTS__DRY_STOCK__LOW",
                "500",
                "blueprints.dry_stock.low (set by APP__BLUEPRINTS__DRY_STOCK__LOW): greater than 100",
            ),
            (
                "APP__BLUEPRINTS__DRY_STOCK__LOWS",
                "5",
                "blueprints.dry_stock.lows (set by APP__BLUEPRINTS__DRY_STOCK__LOWS): there is no such setting; did you mean \
                 blueprints.dry_stock.low?",
            ),
            (
                "APP__BLUEPRINTS__STOCK__LOW",
                "5",
                "blueprints.stock.low (set by APP__BLUEPRINTS__STOCK__LOW): no blueprint of this program has that setting; it \
                 has dry-stock",
            ),
        ] {
            assert_eq!(settle(&[(variable, value)]).map(|_| ()).expect_err("is refused"), expected);
        }
    }
}
