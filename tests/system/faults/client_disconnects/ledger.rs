//! Compares the responses that clients observed with the content of the database.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use system_tests::sql::DirectConnection;

use crate::api::text;

/// The responses that the clients of one service observed.
#[derive(Default)]
pub struct Observed {
    /// The id of each order with a 201 response, by its tag, and whether its payment had a 200 response.
    pub orders: BTreeMap<String, (String, bool)>,
    /// The name and the id of each user with a 201 response.
    pub users: Vec<(String, String)>,
    /// The tags of orders whose clients disconnected without a response.
    pub disconnected: Vec<String>,
}

impl Observed {
    /// The number of acknowledged writes.
    pub fn acknowledged(&self) -> usize {
        let paid = self.orders.values().filter(|(_, paid)| *paid).count();
        self.orders.len() + paid + self.users.len()
    }
}

/// The body of an order with this tag: three lines whose SKUs contain the tag.
pub fn order(tag: &str) -> Value {
    let line = |n: u64| json!({"sku": format!("{tag}.{n}"), "quantity": n, "unit_price_cents": 100 + n});
    json!({"lines": [line(1), line(2), line(3)]})
}

const TOTAL: u64 = 101 + 2 * 102 + 3 * 103;

/// An order: its id, status, total and lines.
type OrderRow = (String, String, u64, Vec<String>);

/// The content of a database, with each order by its tag.
#[derive(Default)]
pub struct Stored {
    orders: BTreeMap<String, Vec<OrderRow>>,
    users: BTreeSet<String>,
    /// The tag and the order id of each response stored for an idempotency key.
    keys: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Stored {
    /// Reads the database.
    pub fn read(url: &str) -> Self {
        let mut database = DirectConnection::open(url);
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let sql = format!(
            "SELECT {} || ' ' || sku || ' ' || quantity || ' ' || unit_price_cents FROM order_lines
             ORDER BY order_id, position",
            database.id("order_id")
        );
        for line in database.texts(&sql) {
            let (order, line) = line.split_once(' ').expect("it has columns");
            lines.entry(order.to_owned()).or_default().push(line.to_owned());
        }
        let mut stored = Self::default();
        let id = database.id("id");
        for order in database.texts(&format!("SELECT {id} || ' ' || status || ' ' || total_cents FROM orders")) {
            let columns: Vec<&str> = order.split(' ').collect();
            let total = columns[2].parse().expect("a total is a number");
            let lines = lines.remove(columns[0]).unwrap_or_default();
            stored.add((columns[0].to_owned(), columns[1].to_owned(), total, lines));
        }
        stored.errors.extend(lines.keys().map(|order| format!("lines of order {order}, which does not exist")));
        stored.users = database.texts(&format!("SELECT {id} || ' ' || email FROM users")).into_iter().collect();
        for answer in database.texts("SELECT status || ' ' || body FROM idempotency_keys") {
            match answer.split_once(' ') {
                Some(("201", body)) => {
                    let order: Value = serde_json::from_str(body).expect("a stored response is JSON");
                    let tag = tag_of(order["lines"][0]["sku"].as_str());
                    stored.keys.insert(tag, text(&order, "id"));
                }
                Some(("409", _)) => {}
                _ => stored.errors.push(format!("a key with the response {answer}")),
            }
        }
        stored
    }

    /// The orders that the API lists, without users and keys.
    pub fn from_api(orders: &[Value]) -> Self {
        let mut stored = Self::default();
        for order in orders {
            let lines = order["lines"].as_array().into_iter().flatten();
            let line =
                |line: &Value| format!("{} {} {}", text(line, "sku"), line["quantity"], line["unit_price_cents"]);
            let total = order["total_cents"].as_u64().unwrap_or_default();
            stored.add((text(order, "id"), text(order, "status"), total, lines.map(line).collect()));
        }
        stored
    }

    fn add(&mut self, found: OrderRow) {
        let tag = tag_of(found.3.first().map(String::as_str));
        let expected_line = |n: u64| format!("{tag}.{n} {n} {}", 100 + n);
        if found.2 != TOTAL || found.3 != [expected_line(1), expected_line(2), expected_line(3)] {
            self.errors.push(format!("an incomplete order: {found:?}"));
        }
        self.orders.entry(tag).or_default().push(found);
    }

    /// Whether there is an order with this tag.
    pub fn has(&self, tag: &str) -> bool {
        self.orders.contains_key(tag)
    }

    /// The differences in orders; those that start with `lost` are lost acknowledged writes.
    pub fn check_orders(&self, observed: &Observed) -> Vec<String> {
        let mut errors = self.errors.clone();
        for (tag, (id, paid)) in &observed.orders {
            match self.orders.get(tag).and_then(|found| found.iter().find(|found| found.0 == *id)) {
                None => errors.push(format!("lost: order {tag}, whose response was 201")),
                Some(found) if found.1 != if *paid { "paid" } else { "placed" } => {
                    errors.push(format!("lost: order {tag} was acknowledged as paid: {paid}, but is {}", found.1));
                }
                Some(_) => {}
            }
        }
        for (tag, found) in self.orders.iter().filter(|(_, found)| found.len() > 1) {
            errors.push(format!("order {tag} exists {} times", found.len()));
        }
        errors
    }

    /// The differences in users and in responses stored for idempotency keys.
    pub fn check_users_and_keys(&self, observed: &Observed) -> Vec<String> {
        let is_there = |(name, id): &&(String, String)| self.users.contains(&format!("{id} {name}@example.org"));
        let users = observed.users.iter().filter(|user| !is_there(user));
        let mut errors: Vec<String> =
            users.map(|(name, _)| format!("lost: user {name}, whose response was 201")).collect();
        for tag in &observed.disconnected {
            let order = self.orders.get(tag).map(|found| found[0].0.as_str());
            if order != self.keys.get(tag).map(String::as_str) {
                errors.push(format!("order {tag} is {order:?}, but its key has {:?}", self.keys.get(tag)));
            }
        }
        errors
    }
}

/// The tag in the SKU of an order's line.
fn tag_of(line: Option<&str>) -> String {
    line.and_then(|line| line.split_once('.')).map_or("?", |(tag, _)| tag).to_owned()
}
