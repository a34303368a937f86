//! Rules that match routes.

/// Whether a rule, `GET /users/{id}` or `/users/{id}` for all methods, matches a route. HEAD is routed as GET.
#[must_use]
pub fn rule_matches(rule: &str, method: &str, route: &str) -> bool {
    match rule.split_once(' ') {
        Some((rule_method, path)) => {
            (rule_method == method || rule_method == "GET" && method == "HEAD") && path == route
        }
        None => rule == route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_matches_one_method_or_all_methods_of_a_path() {
        for (rule, method, route, expected) in [
            ("GET /a", "GET", "/a", true),
            ("GET /a", "HEAD", "/a", true),
            ("GET /a", "POST", "/a", false),
            ("POST /a", "HEAD", "/a", false),
            ("HEAD /a", "GET", "/a", false),
            ("POST /a", "POST", "/a", true),
            ("GET /a", "GET", "/b", false),
            ("GET /a", "HEAD", "/b", false),
            ("/a", "PUT", "/a", true),
            ("/a", "PUT", "/b", false),
        ] {
            assert_eq!(rule_matches(rule, method, route), expected, "{rule} for {method} {route}");
        }
    }
}
