//! The system tests: the real binary under real supervisord, with a real Sentry server. The tree mirrors the subject.

#![forbid(unsafe_code)]

mod accounts;
mod architecture;
mod choices;
mod command;
mod database;
mod databases;
mod deploy;
mod document;
mod document_references;
mod documents;
mod examples;
mod failures;
mod faults;
mod forgery;
mod generator;
mod http;
mod hubs;
mod lifecycle;
mod limits;
mod live;
mod logins;
mod notes;
mod orders;
mod password_hashing;
mod requests;
mod responses;
mod secrets;
mod silence;
mod startup;
mod table;
mod untouched;
mod users;
mod volume;

mod api;
mod split;
mod supervised;
mod support;
