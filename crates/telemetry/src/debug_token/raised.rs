//! A request that is raised.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{DebugGrant, DebugKey};
use crate::filter::RaisedLevel;
use crate::identity::RequestIdentity;
use crate::level::Level;

/// How long a token for another process is valid.
const FORWARDED_TOKEN_TTL: Duration = Duration::from_secs(60);

/// What is raised for a request, for as long as work for it goes on.
#[derive(Debug)]
pub(crate) struct RaisedRequest {
    key: Arc<DebugKey>,
    level: Level,
    _filter: RaisedLevel,
}

impl RaisedRequest {
    pub(crate) fn new(key: Arc<DebugKey>, filter: RaisedLevel, level: Level) -> Self {
        Self { key, level, _filter: filter }
    }

    /// A token for the same request in another process: for any route, and this trace alone.
    pub(crate) fn forwarded_token(&self, request: &RequestIdentity) -> String {
        let trace = request.trace_id().into_uuid();
        self.key.issue(&DebugGrant::for_trace(trace, self.level, Timestamp::now() + FORWARDED_TOKEN_TTL))
    }
}
