//! Canaries: a distinct value in each documented field, parameter and header of a blueprint, to find what its log shows.

use actix_web::http::Method;
use cyanotype_redact::is_header_allowed;
use cyanotype_telemetry::pipeline;
use serde_json::Value;

use super::{TestResponse, TestService};

/// Nested schemas are followed to this depth; a schema may contain itself.
const MAX_DEPTH: usize = 6;

/// The responses to requests with canaries.
#[derive(Debug)]
pub struct Canaries {
    sent: Vec<(Request, TestResponse)>,
}

impl Canaries {
    /// Asserts that no record and no event contains the canary of a sensitive field: a value that the redactor hides in
    /// the request's body or query, or in a header that is not recorded. Ordinary fields may be shown.
    ///
    /// # Panics
    /// If one is shown; the message has the operation, the field and the record.
    #[track_caller]
    pub fn assert_never_logged(&self) {
        for (request, response) in &self.sent {
            for Canary { field, value, .. } in request.canaries.iter().filter(|canary| canary.is_sensitive) {
                for shown in response.records().iter().chain(response.events()) {
                    let operation = format!("{} {}", request.method, request.path);
                    assert!(!shown.to_string().contains(value), "{field} of {operation} is in {shown:#}");
                }
            }
        }
    }

    /// The names of the fields, parameters and headers that had canaries, each with whether it is sensitive.
    #[must_use]
    pub fn fields(&self) -> Vec<(&str, bool)> {
        let canaries = self.sent.iter().flat_map(|(request, _)| &request.canaries);
        let mut fields: Vec<_> = canaries.map(|canary| (canary.field.as_str(), canary.is_sensitive)).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The responses, for further assertions.
    pub fn responses(&self) -> impl Iterator<Item = &TestResponse> {
        self.sent.iter().map(|(_, response)| response)
    }
}

#[derive(Debug, Clone)]
struct Canary {
    field: String,
    value: String,
    is_sensitive: bool,
}

#[derive(Debug, Clone)]
struct Request {
    method: Method,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    canaries: Vec<Canary>,
}

/// Where a canary is planted.
enum Place<'a> {
    /// A JSON pointer.
    Body(String),
    Query(&'a str),
    Header(&'a str),
}

impl TestService {
    /// Calls each documented operation with canaries: once with one in every property of the body, every query parameter
    /// and every header, and once for each of them with valid values elsewhere. `token` is the caller's bearer token, `id` stands for
    /// every parameter of a path. Operations without such places are not called.
    ///
    /// # Panics
    /// If the service has no API document.
    pub async fn plant_canaries(&self, token: Option<&str>, id: &str) -> Canaries {
        let document = self.get("/openapi.json").send().await.json();
        let mut sent = Vec::new();
        for request in Document(&document).requests(id) {
            let uri = match request.query.as_str() {
                "" => request.path.clone(),
                query => format!("{}?{query}", request.path),
            };
            let mut call = self.request(request.method.clone(), &uri);
            if let Some(token) = token {
                call = call.bearer(token);
            }
            call = request.headers.iter().fold(call, |call, (name, value)| call.header(name, value));
            if let Some(body) = &request.body {
                call = call.json(body);
            }
            let response = call.send().await;
            sent.push((request, response));
        }
        Canaries { sent }
    }
}

impl Request {
    /// Plants the canary of this number.
    fn plant(&mut self, place: &Place<'_>, number: usize) {
        let canary = format!("canary-{number}");
        let redactor = &pipeline().expect("a test service has a pipeline").redactor;
        let (field, value, is_sensitive) = match place {
            Place::Body(pointer) => {
                let body = self.body.as_mut().expect("the pointer is one of the body");
                let leaf = body.pointer_mut(pointer).expect("the pointer is one of the body");
                let value = if leaf.is_number() { number.to_string() } else { canary.clone() };
                *leaf = match leaf {
                    Value::Number(_) => number.into(),
                    Value::String(text) if text.contains('@') => format!("{canary}@example.org").into(),
                    _ => canary.into(),
                };
                let mut shown = body.clone();
                redactor.data(&mut shown);
                let is_sensitive = !shown.to_string().contains(&value);
                (pointer[1..].replace('/', "."), value, is_sensitive)
            }
            Place::Query(name) => {
                let pair = format!("{name}={canary}");
                let separator = if self.query.is_empty() { "" } else { "&" };
                self.query.extend([separator, &pair]);
                ((*name).to_owned(), canary.clone(), !redactor.query(&pair).contains(&canary))
            }
            Place::Header(name) => {
                self.headers.push(((*name).to_owned(), canary.clone()));
                ((*name).to_owned(), canary, !is_header_allowed(name))
            }
        };
        self.canaries.push(Canary { field, value, is_sensitive });
    }
}

#[derive(Clone, Copy)]
struct Document<'a>(&'a Value);

impl<'a> Document<'a> {
    fn requests(self, id: &str) -> Vec<Request> {
        /// Each canary has a number of its own, which fits into 32 bits, and is no time of today.
        const FIRST: usize = 2_100_017_000;
        let mut numbers = FIRST..;
        let mut number = || numbers.next().expect("a document has few fields");
        let mut requests = Vec::new();
        for (path, item) in self.0["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = method.to_uppercase().parse() else { continue };
                let (plain, places) = self.operation(method, path, id, operation);
                let mut all = plain.clone();
                for place in &places {
                    let mut one = plain.clone();
                    one.plant(place, number());
                    requests.push(one);
                    all.plant(place, number());
                }
                if !places.is_empty() {
                    requests.push(all);
                }
            }
        }
        requests
    }

    /// A valid request, as far as the document shows one, with the places of canaries in it.
    fn operation(self, method: Method, path: &str, id: &str, operation: &'a Value) -> (Request, Vec<Place<'a>>) {
        let mut path = path.to_owned();
        let mut places = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = self.resolved(parameter);
            match (parameter["in"].as_str(), parameter["name"].as_str()) {
                (Some("path"), Some(name)) => path = path.replace(&format!("{{{name}}}"), id),
                (Some("query"), Some(name)) => places.push(Place::Query(name)),
                (Some("header"), Some(name)) => places.push(Place::Header(name)),
                _ => {}
            }
        }
        let content = &self.resolved(&operation["requestBody"])["content"]["application/json"];
        let body = (!content.is_null()).then(|| self.sample(&content["schema"], &content["example"], MAX_DEPTH));
        let leaves = body.as_ref().map(|body| leaves(body, String::new())).unwrap_or_default();
        places.extend(leaves.into_iter().filter(|pointer| !pointer.is_empty()).map(Place::Body));
        (Request { method, path, query: String::new(), headers: Vec::new(), body, canaries: Vec::new() }, places)
    }

    fn resolved(self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.0.pointer(pointer)).unwrap_or(value)
    }

    /// A value of a schema with every property, which are those of the example where it has them.
    fn sample(self, schema: &'a Value, example: &'a Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        let example = if example.is_null() { &schema["example"] } else { example };
        if depth == 0 {
            return example.clone();
        }
        if let Some(properties) = schema["properties"].as_object() {
            let of =
                |(name, schema): (&String, &'a Value)| (name.clone(), self.sample(schema, &example[name], depth - 1));
            return Value::Object(properties.iter().map(of).collect());
        }
        let parts = ["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema[key].as_array()).flatten();
        if let Some(part) = parts.into_iter().find(|part| part["type"] != "null") {
            return self.sample(part, example, depth - 1);
        }
        if !schema["items"].is_null() {
            return Value::Array(vec![self.sample(&schema["items"], &example[0], depth - 1)]);
        }
        if !example.is_null() {
            return example.clone();
        }
        let has_type = |name: &str| match &schema["type"] {
            Value::Array(types) => types.iter().any(|one| one == name),
            one => one == name,
        };
        match schema["enum"].get(0) {
            Some(first) => first.clone(),
            None if has_type("integer") || has_type("number") => 1.into(),
            None if has_type("boolean") => true.into(),
            None => "text".into(),
        }
    }
}

/// The pointers of all values that are no containers.
fn leaves(value: &Value, pointer: String) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let of = |(name, value): (&String, &Value)| {
                leaves(value, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")))
            };
            members.iter().flat_map(of).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| leaves(item, format!("{pointer}/{at}"))).collect()
        }
        _ => vec![pointer],
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::web::{self, ServiceConfig};
    use serde::Deserialize;
    use utoipa::{OpenApi, ToSchema};

    use super::super::serve;
    use crate::Blueprint;
    use crate::extract::Json;

    #[derive(Deserialize, ToSchema, garde::Validate)]
    #[garde(allow_unvalidated)]
    #[schema(as = DoorCode)]
    struct Code {
        door: String,
        pin: String,
    }

    /// A door whose handler logs the code, in its message.
    #[utoipa::path(post, path = "/doors", request_body = Code, params(("x-building" = String, Header), ("floor" = i32, Query)),
        responses((status = 204, description = "The door is open")))]
    async fn open(Json(code): Json<Code>) -> crate::Result {
        tracing::info!("door {} opened with {}", code.door, code.pin);
        Ok(HttpResponse::NoContent().finish())
    }

    /// The same without the code.
    #[utoipa::path(post, path = "/doors", request_body = Code, params(("x-building" = String, Header), ("floor" = i32, Query)),
        responses((status = 204, description = "The door is open")))]
    async fn open_quietly(Json(code): Json<Code>) -> crate::Result {
        tracing::info!(pin = code.pin, "door {} opened", code.door);
        Ok(HttpResponse::NoContent().finish())
    }

    #[derive(OpenApi)]
    #[openapi(paths(open))]
    struct Api;

    struct Doors {
        is_quiet: bool,
    }

    impl Blueprint for Doors {
        fn name(&self) -> &'static str {
            "doors"
        }
        fn prefix(&self) -> &str {
            "/doors"
        }
        fn routes(&self, scope: &mut ServiceConfig) {
            let route = if self.is_quiet { web::post().to(open_quietly) } else { web::post().to(open) };
            scope.service(web::resource("").route(route));
        }
        fn api(&self) -> utoipa::openapi::OpenApi {
            Api::openapi()
        }
    }

    #[actix_web::test]
    async fn canaries_reach_every_documented_field() {
        let service = serve(Doors { is_quiet: true }).start().await;
        let canaries = service.plant_canaries(None, "7").await;
        assert_eq!(canaries.fields(), [("door", false), ("floor", false), ("pin", true), ("x-building", true)]);
        assert!(canaries.responses().any(|response| response.status == 204));
        canaries.assert_never_logged();
    }

    #[actix_web::test]
    #[should_panic(expected = "pin of POST /doors is in")]
    async fn a_logged_secret_is_found() {
        let service = serve(Doors { is_quiet: false }).start().await;
        service.plant_canaries(None, "7").await.assert_never_logged();
    }
}
