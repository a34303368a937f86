//! Rules that match routes.

/// The method and the path of a rule: `GET /users/{id}`, or `/users/{id}` for all methods.
#[must_use]
pub fn split_rule(rule: &str) -> (Option<&str>, &str) {
    match rule.split_once(' ') {
        Some((method, path)) => (Some(method), path),
        None => (None, rule),
    }
}

/// Whether a path is this prefix, or below it.
#[must_use]
pub fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a rule, `GET /users/{id}` or `/users/{id}` for all methods, matches a route. HEAD is routed as GET.
#[must_use]
pub fn rule_matches(rule: &str, method: &str, route: &str) -> bool {
    let (rule_method, path) = split_rule(rule);
    path == route && rule_method.is_none_or(|it| it == method || it == "GET" && method == "HEAD")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        assert!(is_below("/users", "/users") && is_below("/users/7", "/users"));
        assert!(!is_below("/users2", "/users") && !is_below("/", "/users"));
    }

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
