//! Rows, and what they are read into.

use std::any::type_name;
use std::fmt::Display;

use super::DatabaseError;
use super::value::Column;

/// A row of either database.
#[derive(Debug)]
pub struct Row<'a>(Inner<'a>);

#[derive(Debug)]
enum Inner<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> From<&'a rusqlite::Row<'a>> for Row<'a> {
    fn from(row: &'a rusqlite::Row<'a>) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl<'a> From<&'a tokio_postgres::Row> for Row<'a> {
    fn from(row: &'a tokio_postgres::Row) -> Self {
        Self(Inner::Postgres(row))
    }
}

impl Row<'_> {
    /// The value of a column.
    ///
    /// # Errors
    /// When there is no such column, or it holds another type of value.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, DatabaseError> {
        let index = match self.0 {
            Inner::Sqlite(row) => row.as_ref().column_index(name).ok(),
            Inner::Postgres(row) => row.columns().iter().position(|column| column.name() == name),
        };
        let missing = || unreadable::<T>(name.to_owned(), &"the row has no such column");
        self.at(index.ok_or_else(missing)?)
    }

    /// The value of the column at this position, counted from 0.
    ///
    /// # Errors
    /// When there is no such column, or it holds another type of value.
    pub fn at<T: Column>(&self, index: usize) -> Result<T, DatabaseError> {
        match self.0 {
            Inner::Sqlite(row) => {
                let value = row.get_ref(index).map_err(|error| unreadable::<T>(index.to_string(), &error))?;
                T::from_sqlite(value).map_err(|error| {
                    let name = row.as_ref().column_name(index).map_or_else(|_| index.to_string(), str::to_owned);
                    unreadable::<T>(name, &error)
                })
            }
            Inner::Postgres(row) => T::from_postgres(row, index).map_err(|error| {
                let name = row.columns().get(index).map_or_else(|| index.to_string(), |it| it.name().to_owned());
                let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                unreadable::<T>(name, &reason)
            }),
        }
    }
}

fn unreadable<T>(column: String, reason: &dyn Display) -> DatabaseError {
    DatabaseError::Column { column, wanted: type_name::<T>(), reason: reason.to_string() }
}

/// What a row is read into: a type of one's own, see [`from_row!`](crate::from_row), or a tuple of its columns in order.
pub trait FromRow: Sized {
    /// # Errors
    /// When a column is missing or holds another type of value.
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError>;
}

macro_rules! tuples {
    ($(($($type:ident $index:tt),+))*) => {
        $(impl<$($type: Column),+> FromRow for ($($type,)+) {
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

/// Reads a struct from a row whose columns have the names of its fields. A field that is stored as another type is written
/// `name: Stored`, and is made of it by `TryFrom`.
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
            wanted: ::std::any::type_name::<Self>(),
            reason: ::std::string::ToString::to_string(&error),
        })?
    };
}
