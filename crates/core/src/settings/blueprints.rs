//! The settings of blueprints, each in a section of its own: `[blueprints.orders]`.
//!
//! Which blueprints there are is known once they have been handed to the service, so their sections are checked then, like
//! all other settings.

use std::collections::BTreeMap;

use cyanotype_settings::{Deferred, DeferredValues, Origin, Problem, Schema, Section, Setting, section};
use cyanotype_telemetry::Level;
use serde_json::Value;

use super::rate_limits::BlueprintRateLimits;
use super::{ResponseLog, Settings, SettingsError};

section! {
    /// Which blueprints are served.
    pub struct Blueprints {
        /// the blueprints that this process serves; all when not set
        #[setting(List)]
        pub enabled: Option<Vec<String>>,
    }
    defer "<name>.<key>";
}

section! {
    /// What can be set for every blueprint.
    #[derive(Default)]
    struct CommonSettings {
        #[setting(section)]
        log: CommonLogSettings,
        #[setting(section)]
        rate_limit: BlueprintRateLimits,
    }
}

section! {
    #[derive(Default)]
    struct CommonLogSettings {
        /// the level of its crate's logger lines, as log.levels has it for any crate; that of log.levels wins
        #[setting(one_of::<Level>())]
        level: Option<Level>,
        #[setting(section)]
        response: CommonResponseSettings,
    }
}

section! {
    #[derive(Default)]
    struct CommonResponseSettings {
        /// the most that is recorded of its responses; log.response.body can only be for less
        #[setting(one_of::<ResponseLog>())]
        body: Option<ResponseLog>,
    }
}

/// What can be set for one blueprint, below `blueprints.<its name>`.
///
/// ```
/// use cyanotype::settings::{BlueprintSettings, section};
///
/// section! {
///     /// What can be set of the stock.
///     pub struct StockSettings {
///         /// the count from which down an article is low
///         #[setting(Whole(1, 1000), default = 10)]
///         pub low: u64,
///     }
/// }
///
/// let settings = BlueprintSettings::of::<StockSettings>();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BlueprintSettings {
    declare: fn(&mut Schema),
    /// Where its type cannot be read, and why.
    check: fn(&Value) -> Option<(String, String)>,
}

impl BlueprintSettings {
    /// None of its own.
    pub const NONE: Self = Self { declare: |_| {}, check: |_| None };

    /// Those of a section. What a declaration does not check, its types may when they are read.
    #[must_use]
    pub fn of<T: Section>() -> Self {
        let check = |values: &Value| match serde_path_to_error::deserialize::<_, T>(values) {
            Ok(_) => None,
            Err(error) => Some((error.path().to_string(), error.inner().to_string())),
        };
        Self { declare: T::declare, check }
    }
}

/// What can be set for every blueprint.
pub(crate) fn common_blueprint_settings() -> Vec<Setting> {
    Schema::below("blueprints.<name>", CommonSettings::declare).settings().to_vec()
}

/// What can be set for this blueprint alone.
pub(crate) fn own_blueprint_settings(name: &str, settings: BlueprintSettings) -> Vec<Setting> {
    Schema::below(&key(name), settings.declare).settings().to_vec()
}

/// Where a blueprint's settings are: a variable's name has no hyphens.
fn key(blueprint: &str) -> String {
    format!("blueprints.{}", blueprint.replace('-', "_"))
}

/// A blueprint's settings in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlueprintValues {
    /// What its own type is read from.
    pub own: Value,
    pub log_level: Option<Level>,
    pub response_log: Option<ResponseLog>,
    pub rate_limit: BlueprintRateLimits,
}

/// A blueprint as its settings see it.
pub(crate) struct BlueprintDeclaration {
    pub name: &'static str,
    pub settings: BlueprintSettings,
    pub enabled: bool,
}

/// Checks what is set for these blueprints: their settings in force by their names.
///
/// # Errors
/// A section of no blueprint, an unknown key, or a value that its setting does not take.
pub(crate) fn resolve(
    settings: &mut Settings,
    owners: &[BlueprintDeclaration],
) -> Result<BTreeMap<&'static str, BlueprintValues>, SettingsError> {
    let mut problems = Vec::new();
    for (set, layer) in settings.deferred.keys() {
        if !owners.iter().any(|owner| set.starts_with(&format!("{}.", key(owner.name)))) {
            let names: Vec<&str> = owners.iter().map(|owner| owner.name).collect();
            let reason = format!("no blueprint of this program has that setting; it has {}", names.join(", "));
            problems.push(Problem::InvalidValue { key: set.to_owned(), set_by: layer.to_owned(), reason });
        }
    }
    let mut sections = BTreeMap::new();
    let mut origins = Vec::new();
    for owner in owners {
        let (section, of_section, wrong) = in_force(settings, owner);
        origins.extend(of_section);
        problems.extend(wrong);
        sections.insert(owner.name, section);
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    settings.deferred = Deferred::default();
    settings.origins.extend(origins);
    Ok(sections)
}

fn in_force(settings: &Settings, owner: &BlueprintDeclaration) -> (BlueprintValues, Vec<Origin>, Vec<Problem>) {
    let key = key(owner.name);
    let DeferredValues { values, origins, mut problems } = settings.deferred.read(&key, |schema| {
        (owner.settings.declare)(schema);
        CommonSettings::declare(schema);
    });
    if problems.is_empty() && owner.enabled {
        problems.extend((owner.settings.check)(&values).map(|(path, reason)| {
            let key = format!("{key}.{path}");
            let set_by = origins.iter().find(|origin| origin.key == key).map_or("nobody", |origin| &origin.set_by);
            Problem::InvalidValue { set_by: set_by.to_owned(), key, reason }
        }));
    }
    // What is wrong with it has been found already.
    let CommonSettings { log, rate_limit } = serde_json::from_value(values.clone()).unwrap_or_default();
    let section = BlueprintValues { own: values, log_level: log.level, response_log: log.response.body, rate_limit };
    (section, origins, problems)
}

#[cfg(test)]
mod tests {
    use super::super::Loader;
    use super::*;

    section! {
        struct Stock {
            /// how few are few
            #[setting(Whole(1, 1000), default = 10, check = is_few)]
            low: u64,
            /// where the warehouse is
            #[setting(Url)]
            warehouse_url: Option<String>,
        }
    }

    fn is_few(low: &str) -> Result<(), String> {
        if low.len() > 2 { Err("greater than 100".to_owned()) } else { Ok(()) }
    }

    fn load(variables: &[(&str, &str)]) -> Result<(Settings, BlueprintValues), String> {
        let loaded = Loader::new("/nonexistent").variables(variables.iter().copied()).load();
        let mut settings = loaded.map_err(|error| error.to_string())?;
        let owner =
            BlueprintDeclaration { name: "dry-stock", settings: BlueprintSettings::of::<Stock>(), enabled: true };
        let mut sections = resolve(&mut settings, &[owner]).map_err(|error| error.to_string())?;
        Ok((settings, sections.remove("dry-stock").expect("it has a section")))
    }

    #[test]
    fn a_blueprints_settings_are_typed_and_their_layers_known() {
        let set = [
            ("APP__BLUEPRINTS__DRY_STOCK__WAREHOUSE_URL", "http://user:hunter2@warehouse.example"),
            ("APP__BLUEPRINTS__DRY_STOCK__LOG__LEVEL", "debug"),
            ("APP__BLUEPRINTS__DRY_STOCK__LOG__RESPONSE__BODY", "metadata"),
        ];
        let (settings, section) = load(&set).expect("they are good");
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
            assert_eq!(load(&[(variable, value)]).map(|_| ()).expect_err("is refused"), expected);
        }
    }
}
