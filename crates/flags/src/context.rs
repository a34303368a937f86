//! Evaluation contexts: the attributes that targeting rules can use.

use open_feature::EvaluationContext;

/// Attributes of the process for targeting rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessContext {
    /// `service`: the name of the service.
    pub service: String,
    /// `instance`: the name of this process among those of the service.
    pub instance: String,
    /// `environment`: the same value as in Sentry.
    pub environment: String,
    /// `release`: the same value as in Sentry.
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

/// Attributes of a request for targeting rules, as far as they are known when its flags are evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `blueprint`: the blueprint that the request was routed to.
    pub blueprint: Option<&'a str>,
    /// `route`: the method and the matched route pattern.
    pub route: Option<&'a str>,
    /// `caller`: the id of the authenticated caller, also used as OpenFeature's targeting key.
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
