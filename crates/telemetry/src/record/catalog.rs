//! The keys of every record, as `docs/RECORDS.md` lists them. Tests compare this catalog with the lines that are rendered.

use crate::policy::Kind;

/// A key of a record's JSON line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The literal key; dots do not nest.
    pub key: &'static str,
    /// The JSON type of its value.
    pub json_type: &'static str,
    /// When it is present.
    pub present: &'static str,
    /// The value's meaning.
    pub meaning: &'static str,
}

/// A record of the service itself: the records of kind `service` differ by their keys.
#[derive(Debug, Clone, Copy)]
pub struct ServiceRecord {
    /// Its name in this catalog; records do not show it.
    pub name: &'static str,
    /// The levels that it can have.
    pub levels: &'static str,
    /// Its `target`.
    pub target: &'static str,
    /// When it is written.
    pub written: &'static str,
    /// Its keys besides [`COMMON`].
    pub fields: &'static [Field],
}

const fn field(key: &'static str, json_type: &'static str, present: &'static str, meaning: &'static str) -> Field {
    Field { key, json_type, present, meaning }
}

/// The keys of every record.
pub const COMMON: &[Field] = &[
    field("timestamp", "string", "always", "RFC 3339, UTC, microseconds"),
    field("level", "string", "always", "`trace`, `debug`, `info`, `warning`, `error` or `critical`"),
    field("kind", "string", "always", "one of the kinds below; it selects the row of the destination table"),
    field("message", "string", "always", "what happened"),
    field("target", "string", "always", "the module that created the record; for a breadcrumb, its category"),
];

/// The key of any record of which something was cut.
pub const TRUNCATED: Field = field(
    "truncated",
    "list of strings",
    "when a text was cut",
    "the keys whose values were cut to `log.max_path_bytes`, `log.max_header_bytes` or `log.max_line_bytes`; a body's cut has \
     its own key",
);

/// The keys of every record that belongs to a request.
pub const REQUEST: &[Field] = &[
    field("request_id", "string", "in a request", "the caller's `x-request-id` if it is usable, else a new UUID"),
    field(
        "trace_id",
        "string",
        "in a request",
        "32 hexadecimal digits, from `traceparent`, else `sentry-trace`, else new",
    ),
    field("blueprint", "string or null", "in a request", "the blueprint that the request was routed to; null for none"),
    field(
        "debug",
        "true",
        "when a debug token or a flag lowered the minimum level",
        "the record may be below `log.level`",
    ),
    field(
        "tags",
        "object",
        "when `cyanotype::scope` or the capture has set some",
        "the tags, which are also those of events; a record outside of requests has only those of its own capture",
    ),
    field(
        "user",
        "object",
        "when `cyanotype::scope` or the capture has set one",
        "`id`, `email`, `username`, `ip_address` and further values, redacted",
    ),
];

const EXCEPTION: &[Field] = &[
    field("exception.type", "string", "always", "the error's type; `panic` for a panic"),
    field("exception.message", "string", "always", "the outermost error's message"),
    field("exception.chain", "list of strings", "always", "the messages of the error and its sources, outermost first"),
    field(
        "exception.stacktrace",
        "string",
        "when the table puts the stack on the line, and the error has one",
        "for each function a line with its name and a line with its location, innermost first",
    ),
    field(
        "sentry.event_id",
        "string",
        "when an event sink accepted the event",
        "32 hexadecimal digits, Sentry's event id",
    ),
];

/// As [`EXCEPTION`], with the place of a panic.
const UNCAUGHT: &[Field] = &[
    EXCEPTION[0],
    EXCEPTION[1],
    EXCEPTION[2],
    field("exception.location", "string", "for a panic", "where it panicked: `file:line:column`"),
    field("thread", "string", "for a panic on a thread with a name", "the thread's name"),
    EXCEPTION[3],
    EXCEPTION[4],
];

const RETROACTIVE: Field = field(
    "retroactive",
    "true",
    "when the line was below its level and its request failed (`log.on_failure.level`)",
    "the line was stored, and written before the failure's record",
);

const LINE: &[Field] = &[
    field("span", "string", "inside spans", "the names of the `tracing` spans, outermost first, joined by `:`"),
    field(
        "span_fields",
        "object",
        "when the spans have fields",
        "the fields of the spans, such as those of `#[instrument]`, redacted; of two with one name that of the inner span",
    ),
    RETROACTIVE,
    field(
        "exception.type",
        "string",
        "when a field holds an error and the level is `warning` or above, or reaches `sentry.event_level`",
        "the error's type",
    ),
    field("exception.message", "string", "with `exception.type`", "the outermost error's message"),
    field("exception.chain", "list of strings", "with `exception.type`", "the error and its sources, outermost first"),
    field(
        "sentry.event_id",
        "string",
        "when an event sink accepted the event",
        "32 hexadecimal digits, Sentry's event id",
    ),
    field("fields", "object", "when the line has fields", "the line's own fields"),
];

const RESPONSE: &[Field] = &[
    field("http.request.method", "string", "always", "the method as the client sent it"),
    field("http.route", "string", "when a route matched", "the route's pattern, such as `/orders/{id}`"),
    field("url.path", "string", "always", "the path, without the query"),
    field("url.query", "string", "when the URL has a query", "the redacted query"),
    field(
        "http.response.status_code",
        "number",
        "when there was a response",
        "the status; absent if the handler was aborted",
    ),
    field("duration_ms", "number", "always", "from the start of the request to the end of the response's body"),
    field("http.response.header.content-type", "list of one string", "when the response has it", "its media type"),
    field(
        "http.response.header.content-encoding",
        "list of one string",
        "when the handler encoded the body",
        "its content coding; compression by the service itself is not shown",
    ),
    field("http.response.body.size", "number", "always", "bytes of the body that were passed on, before compression"),
    field(
        "http.response.body.content",
        "string",
        "for text bodies, where the settings and the blueprint allow it",
        "the redacted body, truncated to `log.response.max_bytes`",
    ),
    field("http.response.body.truncated", "boolean", "with the content", "whether the content was truncated"),
    field(
        "http.request.header.content-type",
        "list of one string",
        "when `log.request.body` is not `off`, and the request has it",
        "the media type of the request's body",
    ),
    field(
        "http.request.header.content-encoding",
        "list of one string",
        "when `log.request.body` is not `off`, and the request has it",
        "the content coding of the request's body",
    ),
    field(
        "http.request.body.size",
        "number",
        "when `log.request.body` is not `off`, and the request has a body",
        "bytes of the request's body that the handler read",
    ),
    field(
        "http.request.body.content",
        "string",
        "when `log.request.body` is `redacted`, for text bodies",
        "the redacted body, truncated to `log.request.max_bytes`",
    ),
    field(
        "http.request.body.truncated",
        "boolean",
        "with the content",
        "whether the content was truncated, or the handler did not read all of the body",
    ),
    field(
        "outcome",
        "string",
        "always",
        "`complete`; `aborted`: the client disconnected before the end; `error`: the body stream failed",
    ),
    field("client.address", "string", "when it is known", "the client's IP address"),
    field("user_agent.original", "string", "when the request has it", "the header `user-agent`"),
];

const DATA: Field = field("data", "object", "when there is any", "the values that the code passed");

const BREADCRUMB: &[Field] = &[DATA];

const MESSAGE: &[Field] = &[
    field(
        "sentry.event_id",
        "string",
        "when an event sink accepted the event",
        "32 hexadecimal digits, Sentry's event id",
    ),
    DATA,
];

const DROPPED: Field = field("dropped", "object", "always", "the number of lost records or events, by kind");

/// The keys of one kind besides [`COMMON`] and [`REQUEST`]; of `service`, see [`SERVICE`].
#[must_use]
pub const fn fields_of_kind(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Line => LINE,
        Kind::Response => RESPONSE,
        Kind::Breadcrumb => BREADCRUMB,
        Kind::Exception => EXCEPTION,
        Kind::Uncaught => UNCAUGHT,
        Kind::Message => MESSAGE,
        Kind::Service => &[],
    }
}

/// The records of the service itself.
pub const SERVICE: &[ServiceRecord] = &[
    ServiceRecord {
        name: "start",
        levels: "info; warning with `warnings`",
        target: "cyanotype",
        written: "when the service has bound its addresses",
        fields: &[
            field("version", "string", "always", "the program's version"),
            field("address", "string", "always", "the addresses of the API, separated by commas"),
            field("management_address", "string", "always", "the addresses of the management listener"),
            field("env", "string", "always", "`env`"),
            field("mode", "string", "always", "`log.mode`"),
            field("log_level", "string", "always", "`log.level`"),
            field("sinks", "list of strings", "always", "the sinks in use: `stderr`, `sentry`"),
            field("blueprints", "list of strings", "always", "the enabled blueprints"),
            field("database", "string", "always", "`sqlite` or `postgres`"),
            field("database_file", "string", "for SQLite in a file", "the path of the file"),
            field("sentry", "string", "when the mode has Sentry and there is no Sentry sink", "the reason"),
            field("warnings", "list of strings", "when there are any", "variables that look like misspelt settings"),
        ],
    },
    ServiceRecord {
        name: "failed start",
        levels: "critical",
        target: "cyanotype",
        written: "when the service cannot start after its settings were read, or ends without a signal; `message` has the \
                  reason",
        fields: &[],
    },
    ServiceRecord {
        name: "unstored breadcrumb",
        levels: "warning",
        target: "cyanotype",
        written: "once, when a breadcrumb outside requests is not stored for Sentry",
        fields: &[],
    },
    ServiceRecord {
        name: "low open file limit",
        levels: "warning",
        target: "cyanotype",
        written: "after the start, when the limit leaves room for few connections",
        fields: &[],
    },
    ServiceRecord {
        name: "stop",
        levels: "info",
        target: "cyanotype",
        written: "when a signal starts the shutdown, and as the last record",
        fields: &[],
    },
    ServiceRecord {
        name: "signal",
        levels: "info when the signal is ignored; warning when it ends the process",
        target: "cyanotype",
        written: "for SIGUSR1 and SIGUSR2, which have no effect, and for a second stop signal, which ends the process at once",
        fields: &[field("signal", "string", "always", "the name, such as `SIGUSR1`")],
    },
    ServiceRecord {
        name: "rolled-back transactions",
        levels: "warning",
        target: "cyanotype",
        written: "during the shutdown, when database transactions outlast their share of the time",
        fields: &[field("rolled_back", "number", "always", "the number of transactions")],
    },
    ServiceRecord {
        name: "blocked workers",
        levels: "warning",
        target: "cyanotype",
        written: "during the shutdown, when a worker thread is blocked, by a lock or a slow call outside `block`, and does not stop",
        fields: &[field("blocked_workers", "number", "always", "the number of workers")],
    },
    ServiceRecord {
        name: "policy change",
        levels: "info; warning when refused; error when settings cannot be reloaded",
        target: "cyanotype",
        written: "for each change of what is recorded, whatever the level, unless the mode is `off` before and after",
        fields: &[field("change", "object", "always", "the change; its keys are listed below")],
    },
    ServiceRecord {
        name: "lost records",
        levels: "warning",
        target: "cyanotype::stderr",
        written: "as soon as stderr is read again, whatever the level",
        fields: &[DROPPED],
    },
    ServiceRecord {
        name: "suppressed repeats",
        levels: "warning",
        target: "cyanotype::stderr",
        written: "at the end of a window (`log.flood.window_s`) in which reports of one failure were suppressed, whatever \
                  the level",
        fields: &[
            field("exception.type", "string", "always", "the failure's type; for a log line, its target"),
            field(
                "exception.message",
                "string",
                "always",
                "the failure's message, with `%s` for numbers, ids and quoted texts",
            ),
            field(
                "transaction",
                "string",
                "when the failure occurred on a route",
                "method and pattern, such as `GET /orders/{id}`",
            ),
            DROPPED,
        ],
    },
    ServiceRecord {
        name: "dropped stored lines",
        levels: "warning",
        target: "cyanotype::stderr",
        written: "before the retroactive lines of a failed request, when `log.on_failure.max_bytes` was exceeded; it has \
                  the request's keys",
        fields: &[field("retroactive", "true", "always", "as for lines"), DROPPED],
    },
    ServiceRecord {
        name: "lost events",
        levels: "warning",
        target: "cyanotype::sentry",
        written: "when the spool is full or its events are too old, whatever the level",
        fields: &[DROPPED],
    },
    ServiceRecord {
        name: "dropped envelopes",
        levels: "warning",
        target: "cyanotype::sentry",
        written: "when transactions, sessions, logs or metrics cannot be sent, at most once a minute, whatever the level; \
                  `message` has the category and the reason",
        fields: &[DROPPED],
    },
    ServiceRecord {
        name: "dropped items",
        levels: "warning",
        target: "cyanotype::sentry",
        written: "when code has passed items to the Sentry SDK that cannot be redacted, such as attachments; at most once a minute, \
                  whatever the level",
        fields: &[DROPPED],
    },
    ServiceRecord {
        name: "undelivered event",
        levels: "error",
        target: "cyanotype::sentry",
        written: "for each event that can be neither sent nor spooled, whatever the level",
        fields: &[
            field("reason", "string", "always", "why Sentry did not accept the event"),
            field("event", "object", "always", "the event, in Sentry's format"),
        ],
    },
    ServiceRecord {
        name: "part of an undelivered event",
        levels: "error",
        target: "cyanotype::sentry",
        written: "instead of the record of an undelivered event, when that is longer than `log.max_line_bytes`: one for each \
                  part, in order",
        fields: &[
            field("reason", "string", "always", "why Sentry did not accept the event"),
            field("event_id", "string", "always", "32 hexadecimal digits, Sentry's event id"),
            field("part", "number", "always", "the number of the part, from 1"),
            field("parts", "number", "always", "the number of parts"),
            field("event_part", "string", "always", "joined in order: the event's JSON, in Sentry's format"),
        ],
    },
    ServiceRecord {
        name: "connection settings for Sentry",
        levels: "warning",
        target: "cyanotype::sentry",
        written: "at startup, when a proxy of the environment or certificates of the system cannot be used, and when Spotlight \
                  cannot be reached, once; `message` names them",
        fields: &[],
    },
    ServiceRecord {
        name: "Sentry unavailable",
        levels: "warning",
        target: "cyanotype::sentry",
        written: "when the service starts to spool events; only with `sentry.spool_dir`",
        fields: &[field("reason", "string", "always", "why Sentry accepts no events")],
    },
    ServiceRecord {
        name: "Sentry available again",
        levels: "info",
        target: "cyanotype::sentry",
        written: "when Sentry accepts an event again",
        fields: &[],
    },
    ServiceRecord {
        name: "spool error",
        levels: "warning",
        target: "cyanotype::sentry",
        written: "when a file of the spool is quarantined, or the spool cannot be read; `message` names the file or the error",
        fields: &[],
    },
    ServiceRecord {
        name: "refused requests",
        levels: "warning",
        target: "cyanotype",
        written: "at the end of a window (`log.flood.window_s`) in which a rate limit or overload refused requests",
        fields: &[
            field("refused", "object", "always", "the number of refused requests, by status"),
            field(
                "routes",
                "object",
                "always",
                "the number of refused requests by route, for the 20 routes with the most",
            ),
        ],
    },
    ServiceRecord {
        name: "refused debug tokens",
        levels: "warning",
        target: "cyanotype",
        written: "at the end of a window (`log.flood.window_s`) in which tokens were refused",
        fields: &[field(
            "refused",
            "object",
            "always",
            "the number of refused tokens by reason: `malformed`, `forged`, `expired`, `foreign`",
        )],
    },
    ServiceRecord {
        name: "flag provider",
        levels: "warning; info when it is available again",
        target: "cyanotype",
        written: "when the flag provider becomes unavailable or available, or a flag has an invalid value",
        fields: &[field("provider", "string", "always", "`flags.provider`")],
    },
];

/// The keys of `change`, the object in the record of a policy change.
pub const CHANGE: &[Field] = &[
    field("action", "string", "always", "`set`, `extended`, `expired`, `cleared`, `refused`, `reloaded` or `flag`"),
    field("id", "string", "for an override", "the override's id"),
    field("before", "object", "always", "the changed values before, by setting"),
    field("after", "object", "always", "the changed values after"),
    field("until", "string", "for `set` and `extended`", "when the override expires"),
    field("by", "string", "always", "who made the change: a name, an address, `SIGHUP`, `config.watch_s`"),
    field("source", "string", "always", "`http`, `command`, `fleet`, `signal`, `file` or `flag`"),
    field("reason", "string", "always", "why it was made or refused; may be empty"),
    field("blueprint", "string", "for an override of a blueprint", "the blueprint"),
    field("module", "string", "for an override of a module", "the crate or module"),
    field("route", "string", "for an override of a route", "the route"),
    field("fleet", "true", "for an override of the fleet", "all processes share it"),
    field(
        "needs_restart",
        "list of strings",
        "for `reloaded`",
        "the keys of changed settings that take effect only after a restart",
    ),
    field(
        "hidden",
        "list of objects",
        "for `reloaded`, when there are any",
        "`{key, set_by}`: settings that changed in a file, and the variable or command-line flag that takes precedence",
    ),
    field("file", "string or null", "for a refused reload", "the file that cannot be used"),
    field("key", "string or null", "for a refused reload", "the invalid setting in it"),
];

/// Whether a record of this kind can have this key. Kinds are given by name, as records show them.
#[must_use]
pub fn has_key(kind: &str, key: &str) -> bool {
    let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) else { return false };
    let service = SERVICE.iter().filter(|_| kind == Kind::Service).flat_map(|record| record.fields);
    COMMON
        .iter()
        .chain([&TRUNCATED])
        .chain(REQUEST)
        .chain(fields_of_kind(kind))
        .chain(service)
        .any(|field| field.key == key)
}
