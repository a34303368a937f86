//! The route of a request, found without an allocation: the router knows it, but returns it only as a new string.

use std::collections::BTreeMap;

use actix_router::{Path, ResourceDef, Url};
use actix_web::HttpRequest;
use arrayvec::ArrayString;
use cyanotype_telemetry::request::RequestIdentity;

use super::by_length::ByLength;

/// The maximum length of a path with the names of its parameters. Longer ones are looked up in the router.
const MAX_SHAPE_BYTES: usize = 128;

/// The index of a route pattern; 0 stands for none.
pub(crate) type RouteIndex = usize;

/// The route patterns of an app. They are known when it starts, so clients cannot add any.
#[derive(Debug)]
pub(crate) struct Routes {
    patterns: ByLength,
    /// The shapes that only one pattern has.
    shapes: ByLength,
    /// The position of the pattern of each shape.
    of_shapes: Vec<usize>,
    /// The patterns with the fewest parameters first, each with its position.
    definitions: Vec<(ResourceDef, usize)>,
}

impl Routes {
    pub(crate) fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        let patterns = ByLength::new(patterns);
        let texts = patterns.texts();
        let mut by_shape = BTreeMap::<String, Vec<usize>>::new();
        for (at, pattern) in texts.iter().enumerate() {
            by_shape.entry(shape_of_pattern(pattern)).or_default().push(at);
        }
        // Not those of patterns that differ only in the regular expression of a parameter.
        by_shape.retain(|_, positions| positions.len() == 1);
        let shapes = ByLength::new(by_shape.keys().cloned());
        let of_shapes = shapes.texts().iter().map(|shape| by_shape[&**shape][0]).collect();
        let mut definitions: Vec<(ResourceDef, usize)> =
            texts.iter().enumerate().map(|(at, pattern)| (ResourceDef::new(&**pattern), at)).collect();
        definitions.sort_by_key(|(_, at)| texts[*at].matches('{').count());
        Self { patterns, shapes, of_shapes, definitions }
    }

    /// The number of indices, with that for no route.
    pub(crate) fn len(&self) -> usize {
        self.patterns.texts().len() + 1
    }

    /// The pattern with this index; empty if there is none.
    pub(crate) fn pattern(&self, index: RouteIndex) -> &str {
        index.checked_sub(1).and_then(|at| self.patterns.texts().get(at)).map_or("", |pattern| pattern)
    }

    /// The route of a request that was answered. `request` is `None` if its handler panicked.
    pub(crate) fn of(&self, request: Option<&HttpRequest>, identity: &RequestIdentity) -> RouteIndex {
        // The response log has looked it up unless nothing is recorded.
        if let Some(route) = identity.looked_up_route() {
            return route.map_or(0, |pattern| self.index(pattern));
        }
        let Some(request) = request else { return self.matching(Url::new(identity.parts.uri.clone()).path()) };
        if let Some(at) = self.position_by_shape(request.match_info()) {
            return at + 1;
        }
        // No route matched, or a layer answered before the router.
        let matched = request.resource_map().match_pattern(request.match_info().as_str());
        matched.map_or(0, |pattern| self.index(&pattern))
    }

    fn index(&self, pattern: &str) -> RouteIndex {
        self.patterns.position(pattern).map_or(0, |at| at + 1)
    }

    /// The route of a path as it was sent, when the request with the router's result is gone. A handler has begun, so a slash at the
    /// end that no route has was removed before routing (`server.trailing_slash=equal`).
    fn matching(&self, path: &str) -> RouteIndex {
        let route = |path: &str| self.definitions.iter().find(|(definition, _)| definition.is_match(path));
        let found = route(path).or_else(|| route(path.strip_suffix('/')?));
        found.map_or(0, |(_, at)| at + 1)
    }

    /// `None` if the router has not consumed the whole path, unless a route has exactly this path.
    fn position_by_shape(&self, matched: &Path<Url>) -> Option<usize> {
        let at = if matched.is_empty() {
            self.shapes.position(matched.as_str())?
        } else if matched.unprocessed().is_empty() {
            self.shapes.position(&shape(matched)?)?
        } else {
            return None;
        };
        Some(self.of_shapes[at])
    }
}

/// The path of a routed request with the names of its parameters in place of their values: `/orders/{id}`.
fn shape(matched: &Path<Url>) -> Option<ArrayString<MAX_SHAPE_BYTES>> {
    let path = matched.as_str();
    let mut shape = ArrayString::new();
    let mut end = 0;
    for (name, value) in matched.iter() {
        // Values are slices of the path; anything else is out of its range.
        let start = (value.as_ptr() as usize).checked_sub(path.as_ptr() as usize)?;
        for part in [path.get(end..start)?, "{", name, "}"] {
            shape.try_push_str(part).ok()?;
        }
        end = start + value.len();
    }
    shape.try_push_str(path.get(end..)?).ok()?;
    Some(shape)
}

/// A pattern without the regular expressions of its parameters: `/docs/{file}` for `/docs/{file:.*}` and `/docs/{file}*`.
fn shape_of_pattern(pattern: &str) -> String {
    let mut shape = String::with_capacity(pattern.len());
    let (mut depth, mut is_expression) = (0_u32, false);
    let mut last = '/';
    for character in pattern.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 1 => is_expression = true,
            _ => {}
        }
        is_expression &= depth > 0;
        let is_tail = character == '*' && last == '}' && depth == 0;
        if !is_expression && !is_tail {
            shape.push(character);
        }
        last = character;
    }
    shape
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use actix_web::dev::Service;
    use actix_web::test::TestRequest;
    use actix_web::{App, HttpResponse, web};
    use cyanotype_telemetry::request::{CallerTrace, RequestParts};

    use super::*;

    const PATTERNS: [&str; 9] = [
        "/orders",
        "/orders/{id}",
        "/orders/{id}/lines/{line}",
        "/files/{tail:.*}",
        "/odd/{n:\\d{1,3}}",
        "/odd/{n:[a-z]+}",
        "/users/login",
        "/users/{id}",
        "/rest/{rest}*",
    ];

    fn identity(path: &str) -> RequestIdentity {
        let uri = path.parse().expect("a path");
        RequestIdentity::new(None, CallerTrace::default(), RequestParts { uri, ..RequestParts::default() })
    }

    /// The route of each path, by the router that answers.
    async fn routes_of(paths: &[&str], is_looked_up: bool) -> Vec<String> {
        let found = Mutex::new(Vec::new());
        let routes = Routes::new(PATTERNS.map(str::to_owned));
        let app = App::new().configure(|config| {
            let get = || web::get().to(HttpResponse::Ok);
            config.service(
                web::scope("/orders").route("", get()).route("/{id}", get()).route("/{id}/lines/{line}", get()),
            );
            for pattern in &PATTERNS[3..] {
                config.route(pattern, get());
            }
        });
        let app = actix_web::test::init_service(app).await;
        for path in paths {
            let request = TestRequest::get().uri(path).to_request();
            let response = app.call(request).await.expect("every path has a response");
            let identity = identity(path);
            if is_looked_up {
                let request = response.request();
                identity.set_route(request.resource_map().match_pattern(request.match_info().as_str()));
            }
            let index = routes.of(Some(response.request()), &identity);
            assert_eq!(routes.of(None, &identity), index, "{path}");
            found.lock().expect("no test panics").push(routes.pattern(index).to_owned());
        }
        found.into_inner().expect("no test panics")
    }

    #[actix_web::test]
    async fn a_route_is_found_as_the_router_matches_it() {
        let paths = [
            ("/orders", "/orders"),
            ("/orders/7", "/orders/{id}"),
            ("/orders/%7Bid%7D", "/orders/{id}"),
            ("/orders/7/lines/7", "/orders/{id}/lines/{line}"),
            ("/orders/7/lines", ""),
            ("/files/a/b/c.txt", "/files/{tail:.*}"),
            ("/files/", "/files/{tail:.*}"),
            ("/odd/12", "/odd/{n:\\d{1,3}}"),
            ("/odd/ab", "/odd/{n:[a-z]+}"),
            ("/odd/%", ""),
            ("/users/login", "/users/login"),
            ("/users/%6Cogin", "/users/login"),
            ("/users/x", "/users/{id}"),
            ("/rest/a/b", "/rest/{rest}*"),
            ("/", ""),
            ("/nothing/{id}", ""),
        ];
        let (sent, expected): (Vec<_>, Vec<_>) = paths.into_iter().unzip();
        assert_eq!(routes_of(&sent, false).await, expected);
        assert_eq!(routes_of(&sent, true).await, expected);
    }

    #[actix_web::test]
    async fn a_value_of_any_length_has_its_route() {
        let path = format!("/orders/{}", "x".repeat(3 * MAX_SHAPE_BYTES));
        assert_eq!(routes_of(&[&path], false).await, ["/orders/{id}"]);
    }

    #[test]
    fn a_slash_that_was_removed_before_routing_does_not_hide_the_route() {
        let routes = Routes::new(PATTERNS.map(str::to_owned));
        for (path, expected) in [
            ("/orders/", "/orders"),
            ("/orders/7/", "/orders/{id}"),
            ("/files/", "/files/{tail:.*}"),
            ("/orders//", ""),
            ("/", ""),
        ] {
            assert_eq!(routes.pattern(routes.of(None, &identity(path))), expected, "{path}");
        }
    }

    #[test]
    fn shapes_have_no_expressions() {
        for (pattern, shape) in [
            ("/a/{b}/c", "/a/{b}/c"),
            ("/a/{b:\\d{2}:x}/c/{d}", "/a/{b}/c/{d}"),
            ("/a/{b}*", "/a/{b}"),
            ("/a*/b:c", "/a*/b:c"),
        ] {
            assert_eq!(shape_of_pattern(pattern), shape);
        }
    }

    #[test]
    fn an_unknown_pattern_is_no_route() {
        let routes = Routes::new(["/a".to_owned(), "/a".to_owned()]);
        assert_eq!((routes.len(), routes.index("/a"), routes.index("/b"), routes.pattern(9)), (2, 1, 0, ""));
    }
}
