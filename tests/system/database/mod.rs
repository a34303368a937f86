//! The database apart from the blueprints: its location, permissions, upgrades, and maintenance.

mod backups;
mod file_descriptors;
mod file_permissions;
mod postgres;
mod round_trips;
mod schema_version;
mod separate_migrations;
mod sqlite_urls;
mod statement_values;
mod sweeping;
mod upgrade_from_0_1;
