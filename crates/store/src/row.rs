//! How rows become values and values become parameters. What sqlx's derive macros would write, without compiling both
//! drivers a second time for them.

use sqlx::{Decode, Row, Type};

/// A type that is kept exactly as another one.
macro_rules! kept_as {
    ($name:ident, $kept:ty) => {
        impl<DB: sqlx::Database> sqlx::Type<DB> for $name
        where
            $kept: sqlx::Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <$kept as sqlx::Type<DB>>::type_info()
            }

            fn compatible(info: &DB::TypeInfo) -> bool {
                <$kept as sqlx::Type<DB>>::compatible(info)
            }
        }

        impl<'q, DB: sqlx::Database> sqlx::Encode<'q, DB> for $name
        where
            $kept: sqlx::Encode<'q, DB>,
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
            $kept: sqlx::Decode<'r, DB>,
        {
            fn decode(value: <DB as sqlx::Database>::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                <$kept as sqlx::Decode<DB>>::decode(value).map(Self)
            }
        }
    };
}

/// A struct that is a row: each field is the column of its name. `field as i64` is kept as that and converted;
/// `field in row` is a struct whose columns are in the same row.
macro_rules! row {
    (@get $row:ident $field:ident) => {
        $row.try_get(stringify!($field))?
    };
    (@get $row:ident $field:ident as $kept:ident) => {
        $crate::row::converted::<R, $kept, _>($row, stringify!($field))?
    };
    (@get $row:ident $field:ident in row) => {
        sqlx::FromRow::from_row($row)?
    };
    ($name:ident { $($field:ident $(as $kept:ident)? $(in $whole:tt)?),* $(,)? }) => {
        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: $crate::row::row!(@get row $field $(as $kept)? $(in $whole)?)),* })
            }
        }
    };
}

pub(crate) use {kept_as, row};

/// The value of a column that is kept as another type.
pub(crate) fn converted<'r, R, Kept, T>(row: &'r R, column: &'static str) -> Result<T, sqlx::Error>
where
    R: Row,
    &'static str: sqlx::ColumnIndex<R>,
    Kept: Decode<'r, R::Database> + Type<R::Database>,
    T: TryFrom<Kept>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(row.try_get::<Kept, _>(column)?)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) })
}
