//! Debug tokens: each makes the lines and breadcrumbs of individual requests more verbose.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Pipeline, pipeline};
use crate::debug_token::{DebugGrant, DebugTokens, RefusedTokens, TokenError, VerboseRequest};
use crate::level::Level;
use crate::report::Report;
use crate::request::RequestContext;

impl Pipeline {
    /// Whether debug tokens are enabled: `log.debug_key` is set.
    #[must_use]
    pub fn accepts_debug_tokens(&self) -> bool {
        self.debug_tokens.is_some()
    }

    /// Reads the values of a request's `x-debug-log` header. A token for its trace takes effect now, one for a route once the
    /// route is known. Invalid tokens are counted, and have no effect.
    pub fn read_debug_tokens<'a>(&self, request: &RequestContext, tokens: impl IntoIterator<Item = &'a [u8]>) {
        let Some(debug_tokens) = &self.debug_tokens else { return };
        let mut tokens = tokens.into_iter();
        let Some(token) = tokens.next() else { return };
        if tokens.next().is_some() {
            return refuse(debug_tokens, TokenError::Malformed);
        }
        match debug_tokens.key.verify(token, Timestamp::now()) {
            Ok(grant) if grant.applies_to("", None, request.identity().trace_id().into_uuid()) => {
                self.make_verbose(debug_tokens, request, &grant);
            }
            Ok(grant) => request.set_debug_grant(grant),
            Err(reason) => refuse(debug_tokens, reason),
        }
    }

    /// Applies a request's token for a route, once the request's route is known.
    pub fn apply_debug_token(&self, request: &RequestContext) {
        let Some(debug_tokens) = &self.debug_tokens else { return };
        let Some(grant) = request.take_debug_grant() else { return };
        let identity = request.identity();
        if grant.applies_to(identity.parts.method.as_str(), identity.route(), identity.trace_id().into_uuid()) {
            self.make_verbose(debug_tokens, request, &grant);
        } else {
            refuse(debug_tokens, TokenError::Foreign);
        }
    }

    fn make_verbose(&self, debug_tokens: &DebugTokens, request: &RequestContext, grant: &DebugGrant) {
        let level = grant.level();
        request.identity().set_debug_level(level);
        request.set_verbose(VerboseRequest::new(Arc::clone(&debug_tokens.key), self.filter.lower_to(level), level));
    }

    /// The number of debug tokens refused since the start.
    #[must_use]
    pub fn refused_debug_tokens(&self) -> u64 {
        self.debug_tokens.as_ref().map_or(0, |debug_tokens| debug_tokens.refusals.total())
    }

    /// Ends the current window of refused tokens, and reports them.
    pub(super) fn close_refused_tokens(&self) {
        if let Some(refused) = self.debug_tokens.as_ref().and_then(|debug_tokens| debug_tokens.refusals.close()) {
            self.report_refused_tokens(refused);
        }
    }

    fn report_refused_tokens(&self, refused: RefusedTokens) {
        let (message, data) = refused.into_report();
        self.report(Report { data, ..Report::service(Level::Warning, message) });
    }
}

fn refuse(debug_tokens: &DebugTokens, reason: TokenError) {
    debug_tokens.refusals.count(reason, |refused| {
        if let Some(pipeline) = pipeline() {
            pipeline.report_refused_tokens(refused);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::debug_token::DebugKey;
    use crate::pipeline::fixture::{Fixture, pipeline};
    use crate::policy::Kind;
    use crate::request::{DEBUG_LOG_HEADER, run_in_sync};

    const KEY: &str = "a key of a test, of 32 bytes or more";

    fn service(values: &[(&str, &str)]) -> Fixture {
        pipeline(&[&[("log.debug_key", KEY)], values].concat())
    }

    fn token(level: Level, route: &str) -> String {
        let expires_at = Timestamp::now() + Duration::from_secs(60);
        DebugKey::new(KEY)
            .expect("a valid key")
            .issue(&DebugGrant::for_route(route, level, expires_at).expect("a valid route"))
    }

    /// Logs at three levels in a request with these tokens; returns message and `debug` of each line written.
    fn lines(service: &Fixture, route: &str, tokens: &[&str]) -> Vec<(String, bool)> {
        let request = service.request("one");
        service.pipeline.read_debug_tokens(&request, tokens.iter().map(|token| token.as_bytes()));
        request.identity().set_route(Some(route.to_owned()));
        service.pipeline.apply_debug_token(&request);
        run_in_sync(&request, || {
            for (level, message) in [(Level::Debug, "debug"), (Level::Trace, "trace"), (Level::Error, "error")] {
                service.pipeline.report(Report::new(Kind::Line, level, "test", message.to_owned()));
            }
        });
        let lines = service.recorded().lines;
        lines.iter().map(|it| (it["message"].as_str().unwrap_or_default().to_owned(), it["debug"] == true)).collect()
    }

    #[test]
    fn a_token_lowers_the_level_on_its_route_only() {
        let service = service(&[]);
        let token = token(Level::Debug, "GET /orders/{id}");
        let verbose = [("debug".to_owned(), true), ("error".to_owned(), true)];
        assert_eq!(lines(&service, "/orders/{id}", &[&token]), verbose);
        assert_eq!(lines(&service, "/orders", &[&token]), [("error".to_owned(), false)]);
        assert_eq!(lines(&service, "/orders/{id}", &[]), [("error".to_owned(), false)]);
        assert_eq!(service.pipeline.refused_debug_tokens(), 1);
    }

    #[test]
    fn two_tokens_or_a_forged_token_are_refused() {
        let service = service(&[]);
        let token = token(Level::Debug, "GET /orders/{id}");
        assert_eq!(lines(&service, "/orders/{id}", &[&token, &token]), [("error".to_owned(), false)]);
        let forged = token.replace("v1.", "v1.A");
        assert_eq!(lines(&service, "/orders/{id}", &[&forged]), [("error".to_owned(), false)]);
        assert_eq!(service.pipeline.refused_debug_tokens(), 2);
        service.pipeline.close_refused_tokens();
        assert_eq!(service.recorded().lines[0]["refused"].as_object().map(serde_json::Map::len), Some(2));
        let without_a_key = pipeline(&[]);
        assert_eq!(lines(&without_a_key, "/orders/{id}", &[&token]), [("error".to_owned(), false)]);
        assert_eq!(without_a_key.pipeline.refused_debug_tokens(), 0);
    }

    #[test]
    fn a_token_never_adds_a_sink() {
        let token = token(Level::Trace, "GET /orders/{id}");
        for mode in ["off", "sentry"] {
            assert!(lines(&service(&[("log.mode", mode)]), "/orders/{id}", &[&token]).is_empty(), "{mode}");
        }
    }

    #[test]
    fn the_filter_follows_the_requests_in_flight() {
        let service = service(&[]);
        let request = service.request("one");
        let token = token(Level::Debug, "GET /orders/{id}");
        service.pipeline.read_debug_tokens(&request, [token.as_bytes()]);
        assert_eq!(service.pipeline.filter_level(), Level::Info, "the route is not known yet");
        request.identity().set_route(Some("/orders/{id}".into()));
        service.pipeline.apply_debug_token(&request);
        assert_eq!(service.pipeline.filter_level(), Level::Debug);
        drop(request);
        assert_eq!(service.pipeline.filter_level(), Level::Info);
    }

    #[test]
    fn an_outgoing_token_is_valid_for_the_same_trace_only() {
        let here = service(&[]);
        let request = here.request("one");
        let outgoing_token = |request: &RequestContext| {
            request.outgoing_headers().into_iter().find(|(name, _)| *name == DEBUG_LOG_HEADER).map(|(_, token)| token)
        };
        assert_eq!(outgoing_token(&request), None);
        let token = token(Level::Debug, "GET /orders/{id}");
        here.pipeline.read_debug_tokens(&request, [token.as_bytes()]);
        request.identity().set_route(Some("/orders/{id}".into()));
        here.pipeline.apply_debug_token(&request);
        let forwarded = outgoing_token(&request).expect("an outgoing token");
        assert_ne!(forwarded, token);

        let there = service(&[]);
        let trace = request.identity().trace_id().into_uuid();
        let same = there.pipeline.begin_request(None, trace.into(), Default::default());
        there.pipeline.read_debug_tokens(&same, [forwarded.as_bytes()]);
        assert_eq!(same.identity().debug_level(), Some(Level::Debug));
        let other = there.request("other");
        there.pipeline.read_debug_tokens(&other, [forwarded.as_bytes()]);
        there.pipeline.apply_debug_token(&other);
        assert_eq!(other.identity().debug_level(), None);
        assert_eq!(there.pipeline.refused_debug_tokens(), 1);
    }
}
