//! Routes as rules name them.

/// Whether a rule, `GET /users/{id}` or `/users/{id}`, is for a route. HEAD is routed as GET.
#[must_use]
pub fn is_for(rule: &str, method: &str, route: &str) -> bool {
    match rule.split_once(' ') {
        Some((of, path)) => (of == method || of == "GET" && method == "HEAD") && path == route,
        None => rule == route,
    }
}
