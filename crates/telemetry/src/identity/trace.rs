//! The trace that a request belongs to: read from the caller's headers, written to the headers of requests to other processes.

use std::fmt;
use std::num::NonZeroU64;

use http::header::{HeaderName, HeaderValue};
use uuid::Uuid;

use super::RequestIdentity;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const SENTRY_TRACE: HeaderName = HeaderName::from_static("sentry-trace");

/// The flags of `traceparent`: the trace is sampled, and its id is random.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;

/// W3C's limits. Every tracing system must pass on at least as much, so longer lists are cut.
const MAX_STATE: ListLimit = ListLimit { bytes: 512, entries: 32 };
const MAX_BAGGAGE: ListLimit = ListLimit { bytes: 8192, entries: 64 };

/// The id of a span, displayed as 16 hexadecimal digits. It is never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    pub(super) fn random() -> Self {
        // The variant bits are in this half, so it is not zero.
        Self(NonZeroU64::new(Uuid::new_v4().as_u64_pair().1).unwrap_or(NonZeroU64::MAX))
    }

    /// The id, in the order of its digits.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// Reads 16 hexadecimal digits in lower case, not all zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = u64::from_str_radix(hex(text, 16)?, 16).ok()?;
        NonZeroU64::new(id).map(Self)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A span that an event sink records for a request.
#[derive(Debug, Clone, Copy)]
pub struct ActiveSpan {
    /// The id of its trace.
    pub trace_id: Uuid,
    /// Its id.
    pub id: SpanId,
    /// Whether the sink sends it.
    pub sampled: bool,
}

impl ActiveSpan {
    /// Reads the value of a `sentry-trace` header. Without a decision, the span is not sampled.
    #[must_use]
    pub fn from_sentry_trace(value: &str) -> Option<Self> {
        let trace = sentry_trace(value)?;
        Some(Self { trace_id: trace.trace_id?, id: trace.span_id?, sampled: trace.sampled == Some(true) })
    }
}

/// What a caller sent of the trace that its request belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerTrace {
    /// The id of the trace, from W3C `traceparent`, or else from `sentry-trace`.
    pub trace_id: Option<Uuid>,
    /// The caller's span.
    pub span_id: Option<SpanId>,
    /// Whether the caller decided that the trace is sampled; `None` if it left that decision to others.
    pub sampled: Option<bool>,
    has_random_id: bool,
    state: Option<Box<str>>,
    baggage: Option<Box<str>>,
}

impl CallerTrace {
    /// Reads the headers of a request. `all` returns the headers with a name. Malformed ones are ignored.
    pub fn from_headers<'a, I>(all: impl Fn(HeaderName) -> I) -> Self
    where
        I: Iterator<Item = &'a HeaderValue>,
    {
        let w3c = single(all(TRACEPARENT)).and_then(traceparent);
        let sentry = single(all(SENTRY_TRACE)).and_then(sentry_trace);
        let is_w3c = w3c.is_some();
        let mut trace = match (w3c, sentry) {
            (Some(w3c), Some(sentry)) if w3c.trace_id == sentry.trace_id => {
                // Only Sentry's header can leave the decision to others.
                let sampled = sentry.sampled.or(w3c.sampled.filter(|sampled| *sampled));
                Self { sampled, ..w3c }
            }
            (Some(w3c), _) => w3c,
            (None, Some(sentry)) => sentry,
            (None, None) => Self::default(),
        };
        if is_w3c {
            trace.state = list(all(TRACESTATE), MAX_STATE);
        }
        trace.baggage = trace.baggage_of(all(BAGGAGE));
        trace
    }

    /// The value of a `sentry-trace` header that continues this trace; `None` if the caller sent no trace.
    #[must_use]
    pub fn to_sentry_trace(&self) -> Option<String> {
        let (trace_id, span_id) = (self.trace_id?.simple(), self.span_id?);
        Some(format!("{trace_id}-{span_id}{}", decision(self.sampled)))
    }

    /// Sentry's entries describe one trace. They are omitted when that is not the trace of the request.
    fn baggage_of<'a>(&self, lines: impl Iterator<Item = &'a HeaderValue>) -> Option<Box<str>> {
        let all = list(lines, MAX_BAGGAGE)?;
        let is_sentry = |entry: &str| entry.trim_start().starts_with("sentry-");
        let described = all.split(',').find_map(|entry| entry.trim().strip_prefix("sentry-trace_id="));
        let is_this = self.trace_id.is_some_and(|own| described.is_none_or(|id| id == own.simple().to_string()));
        if is_this || !all.split(',').any(is_sentry) {
            return Some(all);
        }
        let others: Vec<&str> = all.split(',').filter(|entry| !is_sentry(entry)).collect();
        (!others.is_empty()).then(|| others.join(",").trim().into())
    }
}

impl From<Uuid> for CallerTrace {
    /// A trace of which only the id is known.
    fn from(trace_id: Uuid) -> Self {
        Self { trace_id: Some(trace_id), ..Self::default() }
    }
}

impl RequestIdentity {
    /// The headers that continue the trace in another process: the caller's decision, or else that of the sink with this span.
    pub(crate) fn trace_headers(
        &self,
        active: Option<ActiveSpan>,
    ) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let (caller, trace_id) = (self.caller_trace(), self.trace_id());
        let span = active.map_or_else(|| self.span_id(), |span| span.id);
        // Without a decision the other process makes its own, which `traceparent` cannot express.
        let sampled = caller.sampled.or(active.map(|span| span.sampled));
        let random = if caller.has_random_id { RANDOM } else { 0 };
        let flags = random | if sampled == Some(true) { SAMPLED } else { 0 };
        let ids = [
            ("traceparent", format!("00-{trace_id}-{span}-{flags:02x}")),
            ("sentry-trace", format!("{trace_id}-{span}{}", decision(sampled))),
        ];
        let lists = [("tracestate", &caller.state), ("baggage", &caller.baggage)];
        let lists = lists.map(|(name, list)| Some((name, list.as_deref()?.to_owned())));
        ids.into_iter().chain(lists.into_iter().flatten())
    }
}

/// The end of a `sentry-trace` header.
fn decision(sampled: Option<bool>) -> &'static str {
    sampled.map_or("", |sampled| if sampled { "-1" } else { "-0" })
}

/// The value of a header that is sent once.
fn single<'a>(mut lines: impl Iterator<Item = &'a HeaderValue>) -> Option<&'a str> {
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}

/// `VERSION-TRACE-SPAN-FLAGS`. Later versions may append fields.
fn traceparent(text: &str) -> Option<CallerTrace> {
    let mut parts = text.trim().split('-');
    let version = hex(parts.next()?, 2).filter(|version| *version != "ff")?;
    let (trace_id, span_id) = (trace_id(parts.next()?)?, SpanId::parse(parts.next()?)?);
    let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
    (version != "00" || parts.next().is_none()).then(|| CallerTrace {
        trace_id: Some(trace_id),
        span_id: Some(span_id),
        sampled: Some(flags & SAMPLED != 0),
        has_random_id: flags & RANDOM != 0,
        ..CallerTrace::default()
    })
}

/// `TRACE-SPAN-SAMPLED` or `TRACE-SPAN`.
fn sentry_trace(text: &str) -> Option<CallerTrace> {
    let mut parts = text.trim().splitn(3, '-');
    let (trace_id, span_id) = (trace_id(parts.next()?)?, SpanId::parse(parts.next()?)?);
    let sampled = match parts.next() {
        None => None,
        Some("0") => Some(false),
        Some("1") => Some(true),
        Some(_) => return None,
    };
    Some(CallerTrace { trace_id: Some(trace_id), span_id: Some(span_id), sampled, ..CallerTrace::default() })
}

fn trace_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(hex(text, 32)?).ok().filter(|id| !id.is_nil())
}

/// The text, if it is this number of hexadecimal digits in lower case.
fn hex(text: &str, digits: usize) -> Option<&str> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then_some(text)
}

#[derive(Clone, Copy)]
struct ListLimit {
    bytes: usize,
    entries: usize,
}

/// The valid entries of a list, as they were sent, up to its limit. `None` if there are none.
fn list<'a>(lines: impl Iterator<Item = &'a HeaderValue>, limit: ListLimit) -> Option<Box<str>> {
    let mut list = String::new();
    let entries = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    for entry in entries.filter(|entry| is_entry(entry)).take(limit.entries) {
        let separator = if list.is_empty() { "" } else { "," };
        if list.len() + separator.len() + entry.len() > limit.bytes {
            break;
        }
        list.push_str(separator);
        list.push_str(entry);
    }
    let list = list.trim();
    (!list.is_empty()).then(|| list.into())
}

/// `KEY=VALUE`.
fn is_entry(entry: &str) -> bool {
    let Some((key, _)) = entry.split_once('=') else { return false };
    let key = key.trim();
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),:;<=>?[\\]{}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::RequestParts;
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(headers: &[(&str, &str)]) -> CallerTrace {
        let headers: Vec<(String, HeaderValue)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), HeaderValue::from_str(value).expect("a header's value")))
            .collect();
        CallerTrace::from_headers(|name| {
            headers.iter().filter(move |(own, _)| name == own.as_str()).map(|(_, value)| value)
        })
    }

    fn sent(caller: CallerTrace, active: Option<ActiveSpan>) -> Vec<(&'static str, String)> {
        let request = RequestIdentity::new(None, caller, RequestParts::default());
        let span = request.span_id().to_string();
        let headers = request.trace_headers(active);
        headers.map(|(name, value)| (name, value.replace(&span, "SPAN").replace(TRACE, "TRACE"))).collect()
    }

    #[test]
    fn the_decision_is_that_of_the_caller() {
        let w3c = |flags: &str| format!("00-{TRACE}-{SPAN}-{flags}");
        let sentry = |suffix: &str| format!("{TRACE}-{SPAN}{suffix}");
        for (traceparent, sentry_trace, sampled) in [
            (Some(w3c("01")), None, Some(true)),
            (Some(w3c("00")), None, Some(false)),
            (None, Some(sentry("")), None),
            (None, Some(sentry("-0")), Some(false)),
            (None, Some(sentry("-1")), Some(true)),
            (Some(w3c("00")), Some(sentry("")), None),
            (Some(w3c("01")), Some(sentry("")), Some(true)),
            (Some(w3c("00")), Some(sentry("-1")), Some(true)),
            (Some(w3c("01")), Some(sentry("-0")), Some(false)),
            (Some(w3c("01")), Some(sentry("-0").replace('4', "5")), Some(true)),
            (Some("00-x".into()), Some(sentry("-1")), Some(true)),
        ] {
            let headers = [("traceparent", &traceparent), ("sentry-trace", &sentry_trace)];
            let headers: Vec<_> = headers.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
            let caller = read(&headers);
            assert_eq!(caller.sampled, sampled, "{headers:?}");
            assert_eq!(caller.trace_id.map(|id| id.simple().to_string()).as_deref(), Some(TRACE), "{headers:?}");
            assert_eq!(caller.span_id.map(|id| id.to_string()).as_deref(), Some(SPAN), "{headers:?}");
        }
    }

    #[test]
    fn malformed_traces_are_ignored() {
        let zeros = "0".repeat(32);
        let good = format!("00-{TRACE}-{SPAN}-01");
        for bad in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-x"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0"),
            "-".repeat(60_000),
        ] {
            assert_eq!(read(&[("traceparent", &bad), ("tracestate", "a=1")]), CallerTrace::default(), "{bad}");
        }
        assert_eq!(read(&[("traceparent", &good), ("traceparent", &good)]), CallerTrace::default());
        for bad in [TRACE.to_owned(), format!("{TRACE}-{SPAN}-2"), format!("{TRACE}-x"), format!("{zeros}-{SPAN}-1")] {
            assert_eq!(read(&[("sentry-trace", &bad)]), CallerTrace::default(), "{bad}");
        }
        let later = read(&[("traceparent", &format!("cc-{TRACE}-{SPAN}-03-what-else"))]);
        assert_eq!(sent(later, None)[0].1, "00-TRACE-SPAN-03");
    }

    #[test]
    fn lists_are_cut_to_their_limits() {
        let traceparent = format!("00-{TRACE}-{SPAN}-01");
        let of = |name, value: &str| {
            let headers = sent(read(&[("traceparent", &traceparent), (name, value)]), None);
            headers.into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
        };
        for (name, bytes, entries) in [("tracestate", 512, 32), ("baggage", 8192, 64)] {
            let list = |n: usize, length: usize| vec!["x".repeat(length - 2) + "=1"; n].join(",");
            assert_eq!(of(name, &list(entries, 3)), Some(list(entries, 3)), "{name}");
            assert_eq!(of(name, &list(entries + 1, 3)), Some(list(entries, 3)), "{name}");
            assert_eq!(of(name, &list(1, bytes)).map(|text| text.len()), Some(bytes), "{name}");
            assert_eq!(of(name, &list(1, bytes + 1)), None, "{name}");
            assert_eq!(of(name, &list(3, bytes / 2)), Some(list(1, bytes / 2)), "{name}");
            assert_eq!(of(name, "a=1,,b,=2,c d=3, e=4").as_deref(), Some("a=1, e=4"), "{name}");
        }
    }

    #[test]
    fn baggage_of_another_trace_is_omitted() {
        let other = "sentry-trace_id=0af7651916cd43dd8448eb211c80319c,a=1, sentry-sampled=true";
        let own = format!("a=1,sentry-trace_id={TRACE}");
        let trace = format!("{TRACE}-{SPAN}");
        let baggage = |headers: &[(&str, &str)]| read(headers).baggage.map(String::from);
        assert_eq!(baggage(&[("sentry-trace", &trace), ("baggage", other)]).as_deref(), Some("a=1"));
        assert_eq!(baggage(&[("baggage", &own)]).as_deref(), Some("a=1"));
        assert_eq!(baggage(&[("baggage", "sentry-sampled=true")]), None);
        assert_eq!(baggage(&[("sentry-trace", &trace), ("baggage", &own)]), Some(own));
    }

    #[test]
    fn without_a_decision_of_the_caller_the_sink_decides() {
        let decided = |active| -> Vec<String> {
            let headers = sent(read(&[("sentry-trace", &format!("{TRACE}-{SPAN}"))]), active);
            headers.into_iter().map(|(_, value)| value).collect()
        };
        assert_eq!(decided(None), ["00-TRACE-SPAN-00", "TRACE-SPAN"]);
        let span = ActiveSpan::from_sentry_trace(&format!("{TRACE}-0101010101010101")).expect("it is valid");
        let with = |sampled| decided(Some(ActiveSpan { sampled, ..span }));
        assert_eq!(with(true), ["00-TRACE-0101010101010101-01", "TRACE-0101010101010101-1"]);
        assert_eq!(with(false), ["00-TRACE-0101010101010101-00", "TRACE-0101010101010101-0"]);
    }
}
