//! Flags from a flag provider, for the process or for individual requests.

use super::Pipeline;
use crate::flag_values::FlagValues;
use crate::request::RequestContext;

impl Pipeline {
    /// Sets the flags of the process, and records the change, if any. After the first call, new requests may have
    /// [their own flags](Self::set_request_flags). `by` names the flag provider.
    pub fn set_flags(&self, values: FlagValues, by: &str) {
        let change = self.apply_change(|effective| effective.set_flags(values, by));
        change.iter().for_each(|change| self.record_change(change));
    }

    /// Replaces the flags of a request. They apply to later records only. A request that began before the first call of
    /// [`Self::set_flags`] has only the sink scopes that it needed without flags.
    pub fn set_request_flags(&self, request: &RequestContext, values: FlagValues) {
        if !self.snapshot_for(request).supports(values) {
            self.apply_change(|effective| effective.add_support(values));
        }
        request.identity().set_flags(values);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::level::Level;
    use crate::pipeline::Report;
    use crate::pipeline::fixture::{Fixture, pipeline};
    use crate::policy::Kind;
    use crate::request::{RequestContext, run_in_sync};
    use crate::settings::Mode;

    fn with_flags(values: &[(&str, &str)]) -> Fixture {
        let fixture = pipeline(values);
        fixture.pipeline.set_flags(FlagValues::default(), "flagd");
        fixture
    }

    fn mode(mode: Mode) -> FlagValues {
        FlagValues { mode: Some(mode), ..FlagValues::default() }
    }

    fn log_line(fixture: &Fixture, request: &std::sync::Arc<RequestContext>, level: Level, message: &str) {
        let report = Report::new(Kind::Line, level, "shop", message.to_owned());
        run_in_sync(request, || fixture.pipeline.report(report));
    }

    fn messages(lines: &[Value]) -> Vec<&str> {
        lines.iter().filter_map(|line| line["message"].as_str()).collect()
    }

    #[test]
    fn a_flag_enables_one_request_in_mode_off() {
        let fixture = with_flags(&[("log.mode", "off")]);
        let [flagged, other] = ["flagged", "other"].map(|id| fixture.request(id));
        assert!(flagged.is_recorded(), "its flags are not known yet");
        fixture.pipeline.set_request_flags(&flagged, mode(Mode::Both));
        for request in [&flagged, &other] {
            log_line(&fixture, request, Level::Info, "a step");
            log_line(&fixture, request, Level::Error, "a failure");
        }
        let recorded = fixture.recorded();
        assert_eq!(messages(&recorded.lines), ["a step", "a failure"]);
        assert!(recorded.lines.iter().all(|line| line["request_id"] == "flagged"));
        let [event] = &recorded.events[..] else { panic!("{:?}", recorded.events) };
        assert_eq!(event.request_id.as_deref(), Some("flagged"));
        assert_eq!(event.crumbs.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>(), ["a step"]);
        // The flags are evaluated again when the caller is known.
        fixture.pipeline.set_request_flags(&flagged, FlagValues::default());
        log_line(&fixture, &flagged, Level::Error, "a failure");
        assert_eq!(fixture.recorded().lines, [] as [Value; 0]);
    }

    #[test]
    fn a_flag_lowers_the_level_of_one_request_to_debug() {
        let fixture = with_flags(&[]);
        let [flagged, other] = ["flagged", "other"].map(|id| fixture.request(id));
        assert_eq!(fixture.pipeline.filter_level(), Level::Info);
        let debug = FlagValues { debug: Some(Level::Debug), ..FlagValues::default() };
        fixture.pipeline.set_request_flags(&flagged, debug);
        assert_eq!(fixture.pipeline.filter_level(), Level::Debug);
        for request in [&flagged, &other] {
            log_line(&fixture, request, Level::Debug, "a step");
            log_line(&fixture, request, Level::Trace, "a detail");
        }
        let lines = fixture.recorded().lines;
        assert_eq!(lines.iter().map(|line| line["request_id"].as_str()).collect::<Vec<_>>(), [Some("flagged")]);
    }

    #[test]
    fn a_change_of_process_flags_is_recorded_at_any_level() {
        let fixture = with_flags(&[("log.level", "critical")]);
        assert_eq!(fixture.written(), [] as [Value; 0]);
        let flags = FlagValues { level: Some(Level::Error), ..FlagValues::default() };
        fixture.pipeline.set_flags(flags, "flagd");
        fixture.pipeline.set_flags(flags, "flagd");
        let lines = fixture.written();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&line["kind"], &line["level"]), (&json!("service"), &json!("info")));
        assert_eq!(line["message"], "log flags changed: log.level error");
        assert_eq!(
            line["change"],
            json!({
                "action": "flag", "before": {"log.level": "critical"}, "after": {"log.level": "error"},
                "by": "flagd", "source": "flag", "reason": "",
            })
        );
        fixture.pipeline.set_flags(FlagValues::default(), "flagd");
        assert_eq!(fixture.written()[0]["change"]["after"], json!({"log.level": "critical"}));
    }
}
