//! The settings of blueprints. Each blueprint has a section, such as `[blueprints.orders]`.
//!
//! The sections are checked once the blueprints are registered, because their settings are not known earlier.

use std::collections::BTreeMap;

use cyanotype_settings::{Deferred, DeferredValues, Origin, Schema, Section, Setting, SettingsProblem, section};
use cyanotype_telemetry::Level;
use serde_json::Value;

use super::rate_limits::BlueprintRateLimits;
use super::{ResponseLog, Settings, SettingsError};

section! {
    /// The blueprints that are served.
    pub struct Blueprints {
        /// names of the blueprints that this process serves; all when unset
        #[setting(List)]
        pub enabled: Option<Vec<String>>,
    }
    defer "<name>.<key>";
}

section! {
    /// Settings that every blueprint has.
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
        /// minimum level of the log lines of the blueprint's crate, as log.levels sets it for any crate; log.levels takes
        /// precedence
        #[setting(one_of::<Level>())]
        level: Option<Level>,
        #[setting(section)]
        response: CommonResponseSettings,
    }
}

section! {
    #[derive(Default)]
    struct CommonResponseSettings {
        /// maximum recorded detail of the blueprint's responses; log.response.body can only lower it
        #[setting(one_of::<ResponseLog>())]
        body: Option<ResponseLog>,
    }
}

/// The declaration of a blueprint's own settings, below `blueprints.<name>`.
///
/// ```
/// use cyanotype::settings::{BlueprintSettings, section};
///
/// section! {
///     /// Settings of the stock.
///     pub struct StockSettings {
///         /// quantity at or below which stock is low
///         #[setting(Integer(1, 1000), default = 10)]
///         pub low: u64,
///     }
/// }
///
/// let settings = BlueprintSettings::of::<StockSettings>();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BlueprintSettings {
    declare: fn(&mut Schema),
    /// Path of a value that the type rejects, and the reason.
    check: fn(&Value) -> Option<(String, String)>,
}

impl BlueprintSettings {
    /// No settings.
    pub const NONE: Self = Self { declare: |_| {}, check: |_| None };

    /// The settings of a section. Values are checked by the declaration, and then by deserialization.
    #[must_use]
    pub fn of<T: Section>() -> Self {
        let check = |values: &Value| match serde_path_to_error::deserialize::<_, T>(values) {
            Ok(_) => None,
            Err(error) => Some((error.path().to_string(), error.inner().to_string())),
        };
        Self { declare: T::declare, check }
    }
}

/// The settings that every blueprint has.
pub(crate) fn common_blueprint_settings() -> Vec<Setting> {
    Schema::below("blueprints.<name>", CommonSettings::declare).settings().to_vec()
}

/// The settings of this blueprint alone.
pub(crate) fn own_blueprint_settings(name: &str, settings: BlueprintSettings) -> Vec<Setting> {
    Schema::below(&key(name), settings.declare).settings().to_vec()
}

/// The section of a blueprint; hyphens become underscores, because names of environment variables cannot contain hyphens.
fn key(blueprint: &str) -> String {
    format!("blueprints.{}", blueprint.replace('-', "_"))
}

/// The values of a blueprint's settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlueprintValues {
    /// Deserialized into the blueprint's own type.
    pub own: Value,
    pub log_level: Option<Level>,
    pub response_log: Option<ResponseLog>,
    pub rate_limit: BlueprintRateLimits,
}

/// A blueprint, and the settings that it declares.
pub(crate) struct BlueprintDeclaration {
    pub name: &'static str,
    pub settings: BlueprintSettings,
    pub enabled: bool,
}

/// Checks the sections of these blueprints, and returns their values by blueprint name.
///
/// # Errors
/// A section without a blueprint, an unknown key, or an invalid value.
pub(crate) fn resolve(
    settings: &mut Settings,
    declarations: &[BlueprintDeclaration],
) -> Result<BTreeMap<&'static str, BlueprintValues>, SettingsError> {
    let mut problems = Vec::new();
    for (set, layer) in settings.deferred.keys() {
        if !declarations.iter().any(|declaration| set.starts_with(&format!("{}.", key(declaration.name)))) {
            let names: Vec<&str> = declarations.iter().map(|declaration| declaration.name).collect();
            let reason = format!("no blueprint has this setting; compiled-in blueprints are {}", names.join(", "));
            problems.push(SettingsProblem::InvalidValue { key: set.to_owned(), set_by: layer.to_owned(), reason });
        }
    }
    let mut sections = BTreeMap::new();
    let mut origins = Vec::new();
    for declaration in declarations {
        let (section, section_origins, errors) = values_of(settings, declaration);
        origins.extend(section_origins);
        problems.extend(errors);
        sections.insert(declaration.name, section);
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    settings.deferred = Deferred::default();
    settings.origins.extend(origins);
    Ok(sections)
}

fn values_of(
    settings: &Settings,
    declaration: &BlueprintDeclaration,
) -> (BlueprintValues, Vec<Origin>, Vec<SettingsProblem>) {
    let key = key(declaration.name);
    let DeferredValues { values, origins, mut problems } = settings.deferred.read(&key, |schema| {
        (declaration.settings.declare)(schema);
        CommonSettings::declare(schema);
    });
    if problems.is_empty() && declaration.enabled {
        problems.extend((declaration.settings.check)(&values).map(|(path, reason)| {
            let key = format!("{key}.{path}");
            let set_by = origins.iter().find(|origin| origin.key == key).map_or("default", |origin| &origin.set_by);
            SettingsProblem::InvalidValue { set_by: set_by.to_owned(), key, reason }
        }));
    }
    // Errors have been collected above.
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
            /// quantity below which stock is low
            #[setting(Integer(1, 1000), default = 10, check = is_few)]
            low: u64,
            /// URL of the warehouse
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
        let declaration =
            BlueprintDeclaration { name: "dry-stock", settings: BlueprintSettings::of::<Stock>(), enabled: true };
        let mut sections = resolve(&mut settings, &[declaration]).map_err(|error| error.to_string())?;
        Ok((settings, sections.remove("dry-stock").expect("it has a section")))
    }

    #[test]
    fn a_blueprints_settings_are_typed_and_have_origins() {
        let set = [
            ("APP__BLUEPRINTS__DRY_STOCK__WAREHOUSE_URL", "http://user:hunter2@warehouse.example"),
            ("APP__BLUEPRINTS__DRY_STOCK__LOG__LEVEL", "debug"),
            ("APP__BLUEPRINTS__DRY_STOCK__LOG__RESPONSE__BODY", "metadata"),
        ];
        let (settings, section) = load(&set).expect("valid settings");
        let stock: Stock = serde_json::from_value(section.own).expect("matches its type");
        assert_eq!((stock.low, stock.warehouse_url.is_some()), (10, true));
        assert_eq!((section.log_level, section.response_log), (Some(Level::Debug), Some(ResponseLog::Metadata)));
        let origin =
            |key: &str| settings.origins.iter().find(|origin| origin.key == key).expect("it is listed").clone();
        assert_eq!(origin("blueprints.dry_stock.low").set_by, "default");
        assert_eq!(origin("blueprints.dry_stock.warehouse_url").value, "http://[redacted]@warehouse.example");
    }

    #[test]
    fn an_error_names_the_key_the_layer_and_the_allowed_values() {
        for (variable, value, expected) in [
            (
                "APP__BLUEPRINTS__DRY_STOCK__LOW",
                "none",
                "blueprints.dry_stock.low (set by APP__BLUEPRINTS__DRY_STOCK__LOW): `none` is not allowed; expected a whole \
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
                "blueprints.dry_stock.lows (set by APP__BLUEPRINTS__DRY_STOCK__LOWS): unknown setting; did you mean \
                 blueprints.dry_stock.low?",
            ),
            (
                "APP__BLUEPRINTS__STOCK__LOW",
                "5",
                "blueprints.stock.low (set by APP__BLUEPRINTS__STOCK__LOW): no blueprint has this setting; compiled-in \
                 blueprints are dry-stock",
            ),
        ] {
            assert_eq!(load(&[(variable, value)]).map(|_| ()).expect_err("is refused"), expected);
        }
    }
}
