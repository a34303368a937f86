//! A verbose request: a debug token makes it more verbose than the policy does.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{DebugGrant, DebugKey};
use crate::filter::VerbosityGuard;
use crate::identity::RequestIdentity;
use crate::level::Level;

/// Lifetime of a token that is sent to another process.
const FORWARDED_TOKEN_TTL: Duration = Duration::from_secs(60);

/// Keeps a request more verbose until all work for the request has ended.
#[derive(Debug)]
pub(crate) struct VerboseRequest {
    key: Arc<DebugKey>,
    level: Level,
    _filter: VerbosityGuard,
}

impl VerboseRequest {
    pub(crate) fn new(key: Arc<DebugKey>, filter: VerbosityGuard, level: Level) -> Self {
        Self { key, level, _filter: filter }
    }

    /// Issues a token for the same trace in another process, on any route.
    pub(crate) fn forwarded_token(&self, request: &RequestIdentity) -> String {
        let trace = request.trace_id().into_uuid();
        self.key.issue(&DebugGrant::for_trace(trace, self.level, Timestamp::now() + FORWARDED_TOKEN_TTL))
    }
}
