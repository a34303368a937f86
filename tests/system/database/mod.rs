//! The database beyond what the blueprints do with it: where it is, who may read it, and what becomes of it over time.

mod file_descriptors;
mod file_permissions;
mod postgres;
mod round_trips;
mod schema_version;
mod sqlite_urls;
mod statement_values;
mod sweeping;
mod upgrade_from_0_1;
