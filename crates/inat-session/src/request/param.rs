//! Values of query parameters, before they are written as the API wants them.

/// A value of a query parameter.
///
/// ```
/// use inat_session::Param;
/// assert_eq!(Param::from(vec![1, 2]), Param::List(vec![Param::Int(1), Param::Int(2)]));
/// assert_eq!(Param::from(None::<i32>), Param::Null);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Param {
    /// Nothing; the parameter is dropped.
    Null,
    /// Written `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A day, written `2026-11-22`.
    Date(jiff::civil::Date),
    /// A day and time without a zone; the zone of this machine is added.
    DateTime(jiff::civil::DateTime),
    /// A moment with its zone.
    Zoned(Box<jiff::Zoned>),
    /// Several, written with commas between them.
    List(Vec<Param>),
    /// Names with values, for `observation_fields`.
    Map(Vec<(String, Param)>),
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Param {
            fn from(value: $integer) -> Self {
                i64::try_from(value).map_or_else(|_| Self::Text(value.to_string()), Self::Int)
            }
        }
    )*};
}
from_integer!(i32, i64, u32, u64, usize);

macro_rules! from {
    ($($type:ty => |$value:ident| $variant:expr;)*) => {$(
        impl From<$type> for Param {
            fn from($value: $type) -> Self { $variant }
        }
    )*};
}
from! {
    bool => |value| Self::Bool(value);
    f64 => |value| Self::Float(value);
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    &String => |value| Self::Text(value.clone());
    jiff::civil::Date => |value| Self::Date(value);
    jiff::civil::DateTime => |value| Self::DateTime(value);
    jiff::Zoned => |value| Self::Zoned(Box::new(value));
    jiff::Timestamp => |value| Self::Zoned(Box::new(value.to_zoned(jiff::tz::TimeZone::UTC)));
}

impl<T: Into<Param>> From<Vec<T>> for Param {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Param> + Clone> From<&[T]> for Param {
    fn from(values: &[T]) -> Self {
        Self::List(values.iter().cloned().map(Into::into).collect())
    }
}

impl<T: Into<Param>, const N: usize> From<[T; N]> for Param {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
