//! The system tests: the real binary under real supervisord, with a real Sentry server. The tree mirrors the subject.

mod deploy;
mod failures;
mod notes;
mod orders;
mod requests;
mod table;
mod users;

mod supervised;
mod support;
