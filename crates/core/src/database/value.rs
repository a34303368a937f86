//! Types of columns and parameters on both engines.
//!
//! | Rust | PostgreSQL | SQLite |
//! | --- | --- | --- |
//! | `Uuid` | `uuid` | `BLOB` of 16 bytes |
//! | `jiff::Timestamp` | `timestamptz` | `TEXT`, RFC 3339 in UTC with six decimals, which sorts chronologically |
//! | `jiff::civil::Date` | `date` | `TEXT`, `2026-01-31` |
//! | `bool` | `boolean` | `INTEGER`, 0 or 1 |
//! | `i64` | `bigint` | `INTEGER` |
//! | `f64` | `double precision` | `REAL` |
//! | `String`, `&str` | `text` | `TEXT` |
//! | `Vec<u8>` | `bytea` | `BLOB` |
//! | `serde_json::Value` | `jsonb` | `TEXT` |
//! | `rust_decimal::Decimal` | `numeric` | `TEXT` |
//!
//! `Option` adds `NULL`. The drivers convert most types. For SQLite three are converted here: decimals, which rusqlite does not
//! support (zero is `0`, without sign and decimals, as on PostgreSQL); times, which it would write without trailing zeros, so
//! that they would not sort; and JSON, where it would write null as `NULL` and numbers as SQLite numbers, which lose digits in
//! a `TEXT` column.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::ToSql as _;
use rusqlite::types::{FromSql as SqliteFromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use tokio_postgres::types as postgres;
use uuid::Uuid;

/// A type that can be a parameter of a statement.
pub trait ToSql: Sync {
    #[doc(hidden)]
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>>;
    #[doc(hidden)]
    fn to_postgres(&self) -> &(dyn postgres::ToSql + Sync);
}

/// A type that the value of a column can be converted to.
pub trait FromSql: Sized {
    #[doc(hidden)]
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self>;
    #[doc(hidden)]
    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error>;
}

macro_rules! value {
    ($type:ty, $value:ident => $sqlite:expr) => {
        impl ToSql for $type {
            fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let $value = self;
                $sqlite
            }
            fn to_postgres(&self) -> &(dyn postgres::ToSql + Sync) {
                self
            }
        }
    };
}

macro_rules! column {
    ($type:ty, $value:ident => $sqlite:expr) => {
        impl FromSql for $type {
            fn from_sqlite($value: ValueRef<'_>) -> FromSqlResult<Self> {
                $sqlite
            }
            fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
                row.try_get(index)
            }
        }
    };
}

macro_rules! delegate_to_driver {
    ($($type:ty),*) => {
        $(value!($type, value => value.to_sql());
        column!($type, value => SqliteFromSql::column_result(value));)*
    };
}

delegate_to_driver!(bool, i64, f64, String, Vec<u8>, Uuid, Date);
value!(&str, value => value.to_sql());
value!(Json, value => Ok(value.to_string().into()));
column!(Json, value => SqliteFromSql::column_result(value));
value!(Timestamp, value => Ok(format!("{value:.6}").into()));
column!(Timestamp, value => SqliteFromSql::column_result(value));
value!(Decimal, value => Ok(if value.is_zero() { "0".into() } else { value.to_string().into() }));
column!(Decimal, value => value.as_str()?.parse().map_err(FromSqlError::other));

impl<T: ToSql + postgres::ToSql> ToSql for Option<T> {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_ref().map_or(Ok(ToSqlOutput::Owned(rusqlite::types::Value::Null)), ToSql::to_sqlite)
    }

    fn to_postgres(&self) -> &(dyn postgres::ToSql + Sync) {
        self
    }
}

impl<T: FromSql + for<'a> postgres::FromSql<'a>> FromSql for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Executor;
    use crate::database::tests::in_memory;
    use serde_json::json;

    #[actix_web::test]
    async fn a_decimal_preserves_its_digits_and_zero_has_no_fraction() {
        let database = in_memory().await;
        for (written, stored) in [("12.50", "12.50"), ("-0.005", "-0.005"), ("0.00", "0"), ("-0", "0")] {
            let written: Decimal = written.parse().unwrap();
            let (read,): (Decimal,) = database.query_one("SELECT $1", &[&written]).await.unwrap();
            assert_eq!(read.to_string(), stored);
        }
    }

    #[actix_web::test]
    async fn json_survives_a_round_trip() {
        let database = in_memory().await;
        database.execute("CREATE TABLE stored (value TEXT NOT NULL)", &[]).await.unwrap();
        for value in [json!(null), json!(1), json!(0.1234567890123456), json!("1"), json!({"a": [true, null]})] {
            let insert = "INSERT INTO stored VALUES ($1) RETURNING value";
            let (read,): (Json,) = database.query_one(insert, &[&value]).await.unwrap();
            assert_eq!(read, value);
        }
    }
}
