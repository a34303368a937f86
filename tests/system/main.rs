//! The system tests: the real binary under real supervisord, with a real Sentry server. The tree mirrors the subject.

mod failures;
mod orders;
mod requests;
mod table;
mod users;

mod support;
