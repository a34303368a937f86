//! Rate limits of a blueprint: `blueprints.<name>.rate_limit`.

use std::time::Duration;

use cyanotype_settings::section;
use serde::Deserialize;

use crate::limits::Rate;

section! {
    /// Rate limits of a blueprint, as far as the settings specify them.
    #[derive(Default)]
    pub(crate) struct BlueprintRateLimits {
        /// maximum average number of requests per client to all of the blueprint's routes together in rate_limit.window_s, in
        /// addition to server.rate_limit; 0 disables the limit; the blueprint's own limit when unset
        #[setting(Integer(0, 1_000_000))]
        requests: Option<u32>,
        /// length in seconds of the window of rate_limit.requests; the blueprint's own window, or 60, when unset
        #[setting(Integer(1, 86400))]
        window_s: Option<u64>,
        /// maximum number of requests that a client may send to the blueprint at once; rate_limit.requests when unset
        #[setting(Integer(1, 100_000))]
        burst: Option<u32>,
        /// limits of individual routes, in addition to the others: the route as `app routes` lists it, the requests and the
        /// seconds, as in `POST /users/login 10/60`; without a method the limit covers all methods together; 0 requests
        /// disable the limit
        #[serde(default)]
        #[setting(List, check = RouteRate::check)]
        pub routes: Vec<RouteRate>,
    }
}

/// The limit of one route: `POST /users/login 10/60`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RouteRate {
    pub route: String,
    pub rate: Rate,
}

impl BlueprintRateLimits {
    /// The limit for all routes together: the blueprint's own, with the settings applied.
    pub(crate) fn apply_to(&self, own: Option<Rate>) -> Option<Rate> {
        const DEFAULT: Rate = Rate::new(0, Duration::from_secs(60));
        let own = own.unwrap_or(DEFAULT);
        let requests = self.requests.unwrap_or(own.requests);
        let window = self.window_s.map_or(own.window, Duration::from_secs);
        let burst = self.burst.or(own.burst.filter(|_| self.requests.is_none()));
        (requests > 0).then_some(Rate { requests, window, burst })
    }
}

impl TryFrom<String> for RouteRate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = || {
            let (route, rate) = text.trim().rsplit_once(' ')?;
            let (requests, window_s) = rate.split_once('/')?;
            let (requests, window_s) = (requests.parse().ok()?, window_s.parse().ok()?);
            let fits = route.contains('/') && requests <= 1_000_000 && (1..=86_400).contains(&window_s);
            fits.then(|| Self {
                route: route.trim().to_owned(),
                rate: Rate::new(requests, Duration::from_secs(window_s)),
            })
        };
        read().ok_or_else(|| {
            format!("`{text}` is not a route limit; expected ROUTE REQUESTS/SECONDS, such as `POST /users/login 10/60`")
        })
    }
}

impl RouteRate {
    fn check(text: &str) -> Result<(), String> {
        Self::try_from(text.to_owned()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_route_limit_is_parsed_or_refused() {
        let read = |text: &str| RouteRate::try_from(text.to_owned());
        let login = RouteRate { route: "POST /users/login".into(), rate: Rate::new(10, Duration::from_secs(60)) };
        assert_eq!(read("POST /users/login 10/60"), Ok(login));
        assert_eq!(read("/users/{id} 0/1").expect("valid").route, "/users/{id}");
        for wrong in
            ["POST /users/login", "POST /users/login 10", "/users x/60", "/users 1/0", "10/60", "POST 10/60", ""]
        {
            assert!(read(wrong).expect_err("invalid").contains("REQUESTS/SECONDS"), "{wrong}");
        }
    }

    #[test]
    fn settings_override_the_blueprints_own_limit() {
        let set = |json: Value| serde_json::from_value::<BlueprintRateLimits>(json).expect("is read");
        let own = Some(Rate::new(5, Duration::from_secs(1)).burst(2));
        assert_eq!(set(serde_json::json!({})).apply_to(own), own);
        assert_eq!(set(serde_json::json!({})).apply_to(None), None);
        assert_eq!(set(serde_json::json!({"requests": 0})).apply_to(own), None);
        let minute = Duration::from_secs(60);
        assert_eq!(set(serde_json::json!({"requests": 7})).apply_to(None), Some(Rate::new(7, minute)));
        assert_eq!(set(serde_json::json!({"requests": 7})).apply_to(own), Some(Rate::new(7, Duration::from_secs(1))));
        assert_eq!(set(serde_json::json!({"window_s": 60})).apply_to(own), Some(Rate::new(5, minute).burst(2)));
    }
}
