//! The database beyond what the blueprints do with it: where it is, who may read it, and what becomes of it over time.

mod carried_over;
mod descriptors;
mod files;
mod round_trips;
mod schema_version;
mod sqlite_urls;
mod statement_values;
mod sweeping;
