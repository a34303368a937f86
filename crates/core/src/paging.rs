//! Lists, newest first and a page at a time: by the last id that was seen, so that what comes or goes meanwhile neither
//! repeats nor hides anything. Ids are UUIDs of version 7, which sort by the time they were made.

use actix_web::http::header::{HeaderValue, LINK};
use actix_web::{HttpRequest, HttpResponse};
use form_urlencoded::Serializer;
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which page of a list: `?limit=20&after=ID`, asked for as [`Query<Paging>`](crate::extract::Query).
#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Maximum number of items on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    #[serde(default = "usual_limit")]
    #[garde(range(min = 1, max = 100))]
    pub limit: u16,
    /// The id of the last item of the page before: its `next`.
    #[garde(skip)]
    pub after: Option<Uuid>,
    /// Whether to count all items of the list, whatever the page.
    #[param(default = false)]
    #[serde(default)]
    #[garde(skip)]
    pub total: bool,
}

const fn usual_limit() -> u16 {
    20
}

impl Paging {
    /// The id that those of the page come before: `WHERE id < $1 ORDER BY id DESC`.
    #[must_use]
    pub fn before(&self) -> Uuid {
        self.after.unwrap_or(Uuid::max())
    }

    /// How many items to read: one more than asked for tells whether there is a next page.
    #[must_use]
    pub fn to_read(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// How many items the list has, if the client requests it; the future is not polled otherwise.
    ///
    /// # Errors
    /// Those of the count.
    pub async fn count<E>(&self, count: impl Future<Output = Result<i64, E>>) -> Result<Option<i64>, E> {
        if self.total { count.await.map(Some) } else { Ok(None) }
    }

    /// The page that these items make, of as many as [`to_read`](Self::to_read) says.
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
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(id);
        Page { items, next, total }
    }

    /// 200 with the page that these items make, and a `Link` header (RFC 8288) to the first page and to the next, if there
    /// is one; what else the query asks for is asked for there too.
    ///
    /// ```
    /// use actix_web::{HttpRequest, HttpResponse};
    /// use cyanotype::extract::Query;
    /// use cyanotype::paging::Paging;
    /// use uuid::Uuid;
    ///
    /// async fn list(request: HttpRequest, Query(paging): Query<Paging>) -> HttpResponse {
    ///     let ids: Vec<Uuid> = Vec::new(); // of the store: the newest `paging.to_read()` before `paging.before()`
    ///     let total = None; // or `paging.count(store.count()).await?`
    ///     paging.answer(&request, ids, total, |id| *id)
    /// }
    /// ```
    pub fn answer<T: Serialize>(
        &self,
        request: &HttpRequest,
        items: Vec<T>,
        total: Option<i64>,
        id: impl Fn(&T) -> Uuid,
    ) -> HttpResponse {
        let page = self.page(items, total, id);
        let mut answer = HttpResponse::Ok();
        // A path can hold what a header cannot; the body says the same.
        if let Ok(links) = HeaderValue::from_str(&links(request, page.next)) {
            answer.insert_header((LINK, links));
        }
        answer.json(page)
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
    // Written anew: what a client wrote could end the link.
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
    pub items: Vec<T>,
    /// The `after` of the next page; null on the last page.
    #[schema(required)]
    pub next: Option<Uuid>,
    /// How many items the list has, where the query has `total=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// When the items of a list were created: `?created_from=TIME&created_before=TIME`, taken as
/// [`Query<Created>`](crate::extract::Query); the times are RFC 3339's, the first included and the second not.
#[derive(Debug, Clone, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Created {
    /// The first instant of the range.
    #[param(value_type = Option<String>, format = "date-time")]
    #[garde(skip)]
    pub created_from: Option<Timestamp>,
    /// The first instant after the range.
    #[param(value_type = Option<String>, format = "date-time")]
    #[garde(skip)]
    pub created_before: Option<Timestamp>,
}

impl Created {
    /// The range for `created_at >= $1 AND created_at < $2`. Nothing was created before 1970, and the databases do not hold
    /// every time before it.
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
    use actix_web::test::TestRequest;

    fn linked(uri: &str, next: Option<Uuid>) -> String {
        let request = TestRequest::with_uri(uri).to_http_request();
        links(&request, next)
    }

    #[test]
    fn the_next_page_is_asked_for_as_this_one_was() {
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
    fn the_last_page_has_no_next() {
        assert_eq!(linked("/users?limit=3&after=x", None), "</users?limit=3>; rel=\"first\"");
    }

    #[test]
    fn no_query_ends_a_link() {
        assert_eq!(
            linked("/users?a=%3E;%20rel=%22next&b=%0d%0ax&c=%c3%a4", None),
            "</users?a=%3E%3B+rel%3D%22next&b=%0D%0Ax&c=%C3%A4>; rel=\"first\""
        );
    }
}
