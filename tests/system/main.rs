//! The system tests: the real binary under a real supervisord, with a real Sentry server. Files are named by subject.

#![forbid(unsafe_code)]

mod accounts;
mod architecture;
mod blocking_work;
mod breadcrumbs;
mod command;
mod contract;
mod database;
mod debug_files;
mod deploy;
mod document_references;
mod documents;
mod error_reporting;
mod event_scope;
mod examples;
mod faults;
mod foreign_errors;
mod generator;
mod grouping;
mod http;
mod large_bodies;
mod lifecycle;
mod line_events;
mod live;
mod log_injection;
mod log_schemas;
mod login_throttling;
mod openapi;
mod orders;
mod passthrough;
mod password_hashing;
mod policy_table;
mod priority_prefix;
mod record_size;
mod redact_check;
mod redaction;
mod release_health;
mod request_limits;
mod response_log_rules;
mod response_records;
mod sentry_comparison;
mod sentry_connection;
mod sentry_event_size;
mod sentry_fallback;
mod sentry_logs;
mod sentry_scopes;
mod sentry_spotlight;
mod split_processes;
mod startup;
mod traces;
mod users;

mod api;
mod supervised;
mod support;
