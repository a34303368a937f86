//! What flags are evaluated for.

use open_feature::EvaluationContext;

/// The process, as targeting rules know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessContext {
    /// The service's name: `service`.
    pub service: String,
    /// Which of its processes it is: `instance`.
    pub instance: String,
    /// `environment`, as Sentry has it.
    pub environment: String,
    /// `release`, as Sentry has it.
    pub release: String,
}

impl ProcessContext {
    pub(crate) fn context(&self) -> EvaluationContext {
        EvaluationContext::default()
            .with_custom_field("service", self.service.as_str())
            .with_custom_field("instance", self.instance.as_str())
            .with_custom_field("environment", self.environment.as_str())
            .with_custom_field("release", self.release.as_str())
    }
}

/// A request, as targeting rules know it, as far as it is known yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The blueprint that it was routed to: `blueprint`.
    pub blueprint: Option<&'a str>,
    /// The method and the pattern that its path fits: `route`.
    pub route: Option<&'a str>,
    /// The id of who is calling: `caller`, and OpenFeature's targeting key.
    pub caller: Option<&'a str>,
}

impl Subject<'_> {
    pub(crate) fn context(&self) -> EvaluationContext {
        let mut context = EvaluationContext::default();
        let fields = [("blueprint", self.blueprint), ("route", self.route), ("caller", self.caller)];
        for (name, value) in fields {
            if let Some(value) = value {
                context.add_custom_field(name, value);
            }
        }
        context.targeting_key = self.caller.map(str::to_owned);
        context
    }
}
