//! Keyset pagination, newest first: each page continues after the last id of the previous one, so that items that are added
//! or deleted in between cause neither duplicates nor gaps. Ids are UUIDs of version 7, which sort by creation time.

use actix_web::http::header::{HeaderValue, LINK};
use actix_web::{HttpRequest, HttpResponse};
use form_urlencoded::Serializer;
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The query parameters of a page, `?limit=20&after=ID&total=true`; extract them with
/// [`Query<Paging>`](crate::handler::extract::Query).
#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Maximum number of items on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    #[serde(default = "default_limit")]
    #[garde(range(min = 1, max = 100))]
    pub limit: u16,
    /// The id of the last item of the previous page: its `next`.
    #[garde(skip)]
    pub after: Option<Uuid>,
    /// Whether to return the total number of items in the list.
    #[param(default = false)]
    #[serde(default)]
    #[garde(skip)]
    pub total: bool,
}

const fn default_limit() -> u16 {
    20
}

impl Paging {
    /// The exclusive upper bound of the ids on the page: `WHERE id < $1 ORDER BY id DESC`.
    #[must_use]
    pub fn before(&self) -> Uuid {
        self.after.unwrap_or(Uuid::max())
    }

    /// The number of items to query: one more than `limit`, to detect whether there is a next page.
    #[must_use]
    pub fn fetch_limit(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The total number of items, if the client requests it; otherwise `count` is not polled.
    ///
    /// # Errors
    /// If `count` fails.
    pub async fn count<E>(&self, count: impl Future<Output = Result<i64, E>>) -> Result<Option<i64>, E> {
        if self.total { count.await.map(Some) } else { Ok(None) }
    }

    /// Builds the page from up to [`fetch_limit`](Self::fetch_limit) items; `id` returns the id of an item.
    ///
    /// ```
    /// use cyanotype::paging::Paging;
    /// use uuid::Uuid;
    ///
    /// let ids: Vec<Uuid> = (1..=3).rev().map(Uuid::from_u128).collect();
    /// let page = Paging { limit: 2, after: None, total: false }.page(ids.clone(), None, |id| *id);
    /// assert_eq!((page.items.len(), page.next), (2, Some(ids[1])));
    /// ```
    #[must_use]
    pub fn page<T>(&self, mut items: Vec<T>, total: Option<i64>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        let limit = usize::from(self.limit);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(id);
        Page { items, next, total }
    }

    /// Responds with 200, the [`page`](Self::page) as JSON, and a `Link` header (RFC 8288) with the URLs of the first page
    /// and of the next page, if there is one. The URLs repeat all other query parameters of the request.
    ///
    /// ```
    /// use actix_web::{HttpRequest, HttpResponse};
    /// use cyanotype::extract::Query;
    /// use cyanotype::paging::Paging;
    /// use uuid::Uuid;
    ///
    /// async fn list(request: HttpRequest, Query(paging): Query<Paging>) -> HttpResponse {
    ///     let ids: Vec<Uuid> = Vec::new(); // from the store: up to `paging.fetch_limit()` ids before `paging.before()`
    ///     let total = None; // or `paging.count(store.count()).await?`
    ///     paging.respond(&request, ids, total, |id| *id)
    /// }
    /// ```
    pub fn respond<T: Serialize>(
        &self,
        request: &HttpRequest,
        items: Vec<T>,
        total: Option<i64>,
        id: impl Fn(&T) -> Uuid,
    ) -> HttpResponse {
        let page = self.page(items, total, id);
        let mut response = HttpResponse::Ok();
        // A path can contain characters that a header cannot; the body has `next` as well.
        if let Ok(links) = HeaderValue::from_str(&links(request, page.next)) {
            response.insert_header((LINK, links));
        }
        response.json(page)
    }
}

fn links(request: &HttpRequest, next: Option<Uuid>) -> String {
    let first = link(request, None, "first");
    match next {
        Some(next) => format!("{}, {first}", link(request, Some(next), "next")),
        None => first,
    }
}

fn link(request: &HttpRequest, after: Option<Uuid>, rel: &str) -> String {
    // Serialized again: raw client input could end the link.
    let mut query = Serializer::new(String::new());
    query.extend_pairs(form_urlencoded::parse(request.query_string().as_bytes()).filter(|(name, _)| name != "after"));
    if let Some(after) = after {
        query.append_pair("after", &after.to_string());
    }
    let query = query.finish();
    let query = if query.is_empty() { query } else { format!("?{query}") };
    format!("<{}{query}>; rel=\"{rel}\"", request.path())
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page, in the order of the list.
    pub items: Vec<T>,
    /// The `after` of the next page; null on the last page.
    #[schema(required)]
    pub next: Option<Uuid>,
    /// The total number of items in the list; present only with `total=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A range of creation times, `?created_from=TIME&created_before=TIME`; extract it with
/// [`Query<CreatedRange>`](crate::handler::extract::Query). Times are RFC 3339; the start is inclusive, the end exclusive.
#[derive(Debug, Clone, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CreatedRange {
    /// Start of the range, inclusive.
    #[param(value_type = Option<String>, format = "date-time")]
    #[garde(skip)]
    pub created_from: Option<Timestamp>,
    /// End of the range, exclusive.
    #[param(value_type = Option<String>, format = "date-time")]
    #[garde(skip)]
    pub created_before: Option<Timestamp>,
}

impl CreatedRange {
    /// The bounds for `created_at >= $1 AND created_at < $2`. A missing start is 1970, and earlier times are raised to it:
    /// nothing is older, and the databases do not store every earlier time.
    #[must_use]
    pub fn range(&self) -> (Timestamp, Timestamp) {
        let since_1970 = |time: Timestamp| time.max(Timestamp::UNIX_EPOCH);
        let from = self.created_from.map_or(Timestamp::UNIX_EPOCH, since_1970);
        (from, self.created_before.map_or(Timestamp::MAX, since_1970))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;
    use actix_web::test::TestRequest;

    fn paging(query: &str) -> Paging {
        serde_urlencoded::from_str(query).expect("a valid query")
    }

    fn ids(newest: u128) -> Vec<Uuid> {
        (1..=newest).rev().map(Uuid::from_u128).collect()
    }

    #[test]
    fn the_default_limit_is_20_and_after_sets_the_bound() {
        let first = paging("");
        assert_eq!((first.limit, first.fetch_limit(), first.total), (20, 21, false));
        assert_eq!(first.before(), Uuid::max());
        let next = paging("limit=3&after=00000000-0000-0000-0000-000000000007&total=true");
        assert_eq!((next.limit, next.fetch_limit(), next.total), (3, 4, true));
        assert_eq!(next.before(), Uuid::from_u128(7));
    }

    #[test]
    fn the_limit_ranges_from_1_to_100() {
        for (limit, is_valid) in [(0, false), (1, true), (100, true), (101, false)] {
            assert_eq!(paging(&format!("limit={limit}")).validate().is_ok(), is_valid, "{limit}");
        }
    }

    #[actix_web::test]
    async fn items_are_counted_on_request() {
        let counted = async || Ok::<_, String>(7);
        let refused = async || Err::<i64, _>("no");
        assert_eq!(paging("total=true").count(counted()).await, Ok(Some(7)));
        assert_eq!(paging("total=true").count(refused()).await, Err("no"));
        assert_eq!(paging("").count(refused()).await, Ok(None));
    }

    #[test]
    fn an_extra_item_indicates_a_next_page() {
        for (read, items, next) in [(0, 0, None), (1, 1, None), (2, 2, None), (3, 2, Some(2))] {
            let page = paging("limit=2").page(ids(read), Some(9), |id| *id);
            assert_eq!((page.items, page.total), (ids(read)[..items].to_vec(), Some(9)));
            assert_eq!(page.next, next.map(Uuid::from_u128));
        }
    }

    #[test]
    fn the_response_contains_the_page_and_its_links() {
        let request = TestRequest::with_uri("/users?limit=1").to_http_request();
        let response = paging("limit=1").respond(&request, ids(2), Some(2), |id| *id);
        assert_eq!(response.status(), 200);
        let next = Uuid::from_u128(2);
        let links = format!("</users?limit=1&after={next}>; rel=\"next\", </users?limit=1>; rel=\"first\"");
        assert_eq!(response.headers().get(LINK).and_then(|links| links.to_str().ok()), Some(&*links));
        let body = response.into_body().try_into_bytes().expect("a complete body");
        assert_eq!(body, format!("{{\"items\":[\"{next}\"],\"next\":\"{next}\",\"total\":2}}"));
    }

    #[test]
    fn an_absent_bound_is_open_and_the_range_starts_in_1970() {
        let range = |from: Option<i64>, before: Option<i64>| {
            let time = |seconds| Timestamp::from_second(seconds).expect("a valid timestamp");
            CreatedRange { created_from: from.map(time), created_before: before.map(time) }.range()
        };
        assert_eq!(range(None, None), (Timestamp::UNIX_EPOCH, Timestamp::MAX));
        assert_eq!(range(Some(-5), Some(-1)), (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH));
        let (from, before) = range(Some(5), Some(7));
        assert_eq!((from.as_second(), before.as_second()), (5, 7));
    }

    fn linked(uri: &str, next: Option<Uuid>) -> String {
        let request = TestRequest::with_uri(uri).to_http_request();
        links(&request, next)
    }

    #[test]
    fn links_repeat_the_other_query_parameters() {
        let next = Uuid::from_u128(7);
        assert_eq!(
            linked("/orders?status=paid&after=00000000-0000-0000-0000-000000000001&limit=3", Some(next)),
            format!(
                "</orders?status=paid&limit=3&after={next}>; rel=\"next\", </orders?status=paid&limit=3>; rel=\"first\""
            )
        );
        assert_eq!(
            linked("/users", Some(next)),
            format!("</users?after={next}>; rel=\"next\", </users>; rel=\"first\"")
        );
    }

    #[test]
    fn the_last_page_has_no_next_link() {
        assert_eq!(linked("/users?limit=3&after=x", None), "</users?limit=3>; rel=\"first\"");
    }

    #[test]
    fn query_parameters_are_escaped_in_links() {
        assert_eq!(
            linked("/users?a=%3E;%20rel=%22next&b=%0d%0ax&c=%c3%a4", None),
            "</users?a=%3E%3B+rel%3D%22next&b=%0D%0Ax&c=%C3%A4>; rel=\"first\""
        );
    }
}
