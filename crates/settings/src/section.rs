//! The declaration of a section.

/// Declares a section: a struct, its deserialization, and its settings.
///
/// The doc comment of a field is the documentation of its setting, without a full stop. `#[setting(…)]` contains the
/// [type](crate::ValueType), followed by these options in this order: `default = ` a literal, `env = "NAME"` for an
/// environment variable in addition to `APP__…`, and `check = ` a [`Check`](crate::Check).
///
/// - `#[setting(section)]`: a nested section under the field's name, or with `#[serde(flatten)]` at the same level.
/// - `#[setting(each "<module>", …)]`: a map with arbitrary keys.
/// - A list requires `#[serde(default)]`, because an empty list counts as unset.
///
/// After the struct, these options in this order:
///
/// - `validate_combination = ` a [`Combination`](crate::Combination) `;`
/// - `variable "NAME" = ` a function that parses an environment variable with its own syntax `;`
/// - `defer "<name>";`: sections with such names are declared [after loading](crate::Deferred).
///
/// The struct derives `Debug`, `Clone` and `Deserialize`, so the declaring crate must depend on serde.
///
/// ```
/// use cyanotype_settings::{Conflict, Loader, Values, section};
///
/// section! {
///     /// The connection pool.
///     pub struct Pool {
///         /// minimum number of open connections; at most pool.max
///         #[setting(Integer(0, 100), default = 1)]
///         pub min: u32,
///         /// maximum number of connections
///         #[setting(Integer(1, 100), default = 8, env = "POOL_SIZE")]
///         pub max: u32,
///     }
///     validate_combination = min_is_below_max;
/// }
///
/// section! {
///     /// All settings.
///     pub struct Settings {
///         #[setting(section)]
///         pub pool: Pool,
///         /// hosts that may connect; if unset, any
///         #[serde(default)]
///         #[setting(List, check = is_host)]
///         pub hosts: Vec<String>,
///     }
/// }
///
/// fn min_is_below_max(values: &Values<'_>) -> Option<Conflict> {
///     let (min, max) = (values.get("min")?.as_u64()?, values.get("max")?.as_u64()?);
///     (min > max).then(|| ("min", format!("`{min}` is more than {}, which is {max}", values.key("max"))))
/// }
///
/// fn is_host(host: &str) -> Result<(), String> {
///     if host.contains('/') { Err(format!("`{host}` is not a host")) } else { Ok(()) }
/// }
///
/// let load = |set: &[(&str, &str)]| Loader::<Settings>::new("/no/such/directory").variables(set.iter().copied()).load();
///
/// let settings = load(&[("POOL_SIZE", "4"), ("APP__HOSTS", "a.example, b.example")])?;
/// assert_eq!((settings.pool.min, settings.pool.max, settings.hosts.len()), (1, 4, 2));
///
/// let error = load(&[("APP__POOL__MIN", "9"), ("APP__HOSTS", "a/b")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "hosts (set by APP__HOSTS): `a/b` is not a host\n\
///      pool.min (set by APP__POOL__MIN): `9` is more than pool.max, which is 8"
/// );
/// # Ok::<(), cyanotype_settings::SettingsError>(())
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $about:literal])*
                $(#[serde($serde:ident)])?
                #[setting($($spec:tt)*)]
                $field_vis:vis $field:ident: $type:ty
            ),* $(,)?
        }
        $(validate_combination = $combination:path;)?
        $(variable $variable:literal = $read:path;)?
        $(defer $deferred:literal;)?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, $crate::Deserialize)]
        #[allow(rustdoc::bare_urls)]
        $vis struct $name {
            $(
                $(#[doc = $about])*
                $(#[serde($serde)])?
                $field_vis $field: $type,
            )*
        }

        impl $crate::Section for $name {
            fn declare(schema: &mut $crate::Schema) {
                $($crate::__field!(schema, $field: $type, concat!("" $(, $about)*), [$($serde)?] $($spec)*);)*
                $(schema.validate_combination($combination);)?
                $(schema.variable($variable, $read);)?
                $(schema.defer($deferred);)?
            }
        }
    };
}

/// Declares a field of [`section!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    ($schema:ident, $field:ident: $type:ty, $about:expr, [flatten] section) => {
        $schema.flatten::<$type>()
    };
    ($schema:ident, $field:ident: $type:ty, $about:expr, [] section) => {
        $schema.section::<$type>(stringify!($field))
    };
    ($schema:ident, $field:ident: $type:ty, $about:expr, [] each $name:literal, $($spec:tt)+) => {
        $crate::__field!($schema, concat!(stringify!($field), ".", $name), $about, $($spec)+)
    };
    ($schema:ident, $field:ident: $type:ty, $about:expr, [$(default)?] $($spec:tt)+) => {
        $crate::__field!($schema, stringify!($field), $about, $($spec)+)
    };
    (
        $schema:ident, $key:expr, $about:expr,
        $value_type:expr $(, default = $default:literal)? $(, env = $env:literal)? $(, check = $check:path)?
    ) => {{
        #[allow(unused_imports)]
        use $crate::{ValueType::*, one_of};
        #[allow(unused_mut)]
        let mut setting = $crate::Setting {
            key: $key.to_owned(),
            value_type: $value_type,
            default: None,
            about: $about.trim_ascii(),
            env_alias: None,
            check: None,
        };
        $(setting.default = Some(concat!($default));)?
        $(setting.env_alias = Some($env);)?
        $(setting.check = Some($check);)?
        $schema.setting(setting);
    }};
}
