//! Mapping of rows to structs and of values to parameters: what sqlx's derive macros would write, without compiling
//! both drivers a second time for them.

use sqlx::{Decode, Row, Type};

/// A newtype with the database representation of its field.
macro_rules! stored_as {
    ($name:ident, $stored:ty) => {
        impl<DB: sqlx::Database> sqlx::Type<DB> for $name
        where
            $stored: sqlx::Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <$stored as sqlx::Type<DB>>::type_info()
            }

            fn compatible(info: &DB::TypeInfo) -> bool {
                <$stored as sqlx::Type<DB>>::compatible(info)
            }
        }

        impl<'q, DB: sqlx::Database> sqlx::Encode<'q, DB> for $name
        where
            $stored: sqlx::Encode<'q, DB>,
        {
            fn encode_by_ref(
                &self,
                buffer: &mut <DB as sqlx::Database>::ArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                sqlx::Encode::<DB>::encode_by_ref(&self.0, buffer)
            }
        }

        impl<'r, DB: sqlx::Database> sqlx::Decode<'r, DB> for $name
        where
            $stored: sqlx::Decode<'r, DB>,
        {
            fn decode(value: <DB as sqlx::Database>::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                <$stored as sqlx::Decode<DB>>::decode(value).map(Self)
            }
        }
    };
}

/// A struct that is a row: each field is the column of its name. `field as i64` is stored as that and converted;
/// `field in row` is a struct whose columns are in the same row. With a name, `row!(Diagram, diagram_columns { … })`
/// also makes a macro of that name: `diagram_columns!()` is the list of columns, `diagram_columns!("d.")` the same
/// with a prefix. A macro, because statements are concatenated at compile time.
macro_rules! row {
    (@get $row:ident $field:ident) => {
        $row.try_get(stringify!($field))?
    };
    (@get $row:ident $field:ident as $stored:ident) => {
        $crate::row::converted::<R, $stored, _>($row, stringify!($field))?
    };
    (@get $row:ident $field:ident in row) => {
        sqlx::FromRow::from_row($row)?
    };
    // A macro cannot write `$` into a macro that it defines, so it is passed.
    (@columns ($d:tt) $columns:ident $first:ident $($field:ident)*) => {
        macro_rules! $columns {
            () => { concat!(stringify!($first), $(", ", stringify!($field)),*) };
            ($d prefix:literal) => {
                concat!($d prefix, stringify!($first), $(", ", $d prefix, stringify!($field)),*)
            };
        }
    };
    ($name:ident, $columns:ident { $($field:ident $(as $stored:ident)?),* $(,)? }) => {
        $crate::row::row!($name { $($field $(as $stored)?),* });
        $crate::row::row!(@columns ($) $columns $($field)*);
    };
    ($name:ident { $($field:ident $(as $stored:ident)? $(in $whole:tt)?),* $(,)? }) => {
        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: $crate::row::row!(@get row $field $(as $stored)? $(in $whole)?)),* })
            }
        }
    };
}

pub(crate) use {row, stored_as};

/// The value of a column that is stored as another type.
pub(crate) fn converted<'r, R, Stored, T>(row: &'r R, column: &'static str) -> Result<T, sqlx::Error>
where
    R: Row,
    &'static str: sqlx::ColumnIndex<R>,
    Stored: Decode<'r, R::Database> + Type<R::Database>,
    T: TryFrom<Stored>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(row.try_get::<Stored, _>(column)?)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) })
}
