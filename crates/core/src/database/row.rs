//! Rows and their conversion to Rust types.

use std::any::type_name;
use std::cell::Cell;
use std::error::Error as _;
use std::fmt::Display;

use super::error::DatabaseError;
use super::value::FromSql;

/// A row of a query result.
#[derive(Debug)]
pub struct Row<'a> {
    inner: Inner<'a>,
    /// The column to try first for the next name: fields are mostly read in the order of the columns.
    next: Cell<usize>,
}

#[derive(Debug)]
enum Inner<'a> {
    Sqlite { row: &'a rusqlite::Row<'a>, names: &'a [String] },
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> Row<'a> {
    /// `names` are the column names of the statement, which SQLite would otherwise look up for each value.
    pub(super) const fn sqlite(row: &'a rusqlite::Row<'a>, names: &'a [String]) -> Self {
        Self { inner: Inner::Sqlite { row, names }, next: Cell::new(0) }
    }

    pub(super) const fn postgres(row: &'a tokio_postgres::Row) -> Self {
        Self { inner: Inner::Postgres(row), next: Cell::new(0) }
    }

    /// The value of the column with this name.
    ///
    /// # Errors
    /// If there is no such column, or its value cannot be converted.
    pub fn get<T: FromSql>(&self, name: &str) -> Result<T, DatabaseError> {
        let next = self.next.get();
        let index = match self.name(next) {
            Some(found) if found == name => Some(next),
            _ => (0..self.len()).find(|index| self.name(*index) == Some(name)),
        };
        let index = index.ok_or_else(|| column_error::<T>(name.to_owned(), &"the row has no such column"))?;
        self.next.set(index + 1);
        self.at(index)
    }

    fn len(&self) -> usize {
        match self.inner {
            Inner::Sqlite { names, .. } => names.len(),
            Inner::Postgres(row) => row.len(),
        }
    }

    fn name(&self, index: usize) -> Option<&str> {
        match self.inner {
            Inner::Sqlite { names, .. } => names.get(index).map(String::as_str),
            Inner::Postgres(row) => row.columns().get(index).map(tokio_postgres::Column::name),
        }
    }

    /// The value of the column at this index, starting at 0.
    ///
    /// # Errors
    /// If there is no such column, or its value cannot be converted.
    pub fn at<T: FromSql>(&self, index: usize) -> Result<T, DatabaseError> {
        let failed = |reason: &dyn Display| {
            column_error::<T>(self.name(index).map_or_else(|| index.to_string(), str::to_owned), reason)
        };
        match self.inner {
            Inner::Sqlite { row, .. } => {
                let value = row.get_ref(index).map_err(|error| failed(&error))?;
                T::from_sqlite(value).map_err(|error| failed(&error))
            }
            Inner::Postgres(row) => T::from_postgres(row, index).map_err(|error| match error.source() {
                Some(source) => failed(source),
                None => failed(&error),
            }),
        }
    }
}

fn column_error<T>(column: String, reason: &dyn Display) -> DatabaseError {
    DatabaseError::Column { column, expected: type_name::<T>(), reason: reason.to_string() }
}

/// A type that can be built from a row: a struct, see [`from_row!`](crate::from_row), or a tuple of up to six columns in order.
pub trait FromRow: Sized {
    /// Builds the value from a row.
    ///
    /// # Errors
    /// If a column is missing, or its value cannot be converted.
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError>;
}

macro_rules! tuples {
    ($(($($type:ident $index:tt),+))*) => {
        $(impl<$($type: FromSql),+> FromRow for ($($type,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
                Ok(($(row.at::<$type>($index)?,)+))
            }
        })*
    };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

/// Implements [`FromRow`](crate::FromRow) for a struct whose fields have the names of the columns. A field that is stored as
/// another type is written `name: Stored` and converted with `TryFrom`.
///
/// ```
/// use uuid::Uuid;
///
/// struct Book {
///     id: Uuid,
///     title: String,
///     pages: u32,
/// }
///
/// cyanotype::from_row!(Book { id, title, pages: i64 });
/// ```
#[macro_export]
macro_rules! from_row {
    ($name:ident { $($field:ident $(: $stored:ty)?),+ $(,)? }) => {
        impl $crate::FromRow for $name {
            fn from_row(row: &$crate::Row<'_>) -> ::std::result::Result<Self, $crate::DatabaseError> {
                Ok(Self { $($field: $crate::from_row!(@get row $field $($stored)?)),+ })
            }
        }
    };
    (@get $row:ident $field:ident) => { $row.get(stringify!($field))? };
    (@get $row:ident $field:ident $stored:ty) => {
        $row.get::<$stored>(stringify!($field))?.try_into().map_err(|error| $crate::DatabaseError::Column {
            column: stringify!($field).to_owned(),
            expected: ::std::any::type_name::<Self>(),
            reason: ::std::string::ToString::to_string(&error),
        })?
    };
}
