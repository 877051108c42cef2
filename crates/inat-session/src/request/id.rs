//! Names of resources.

/// One id, or several in one text, as in `"1,2,3"`.
#[doc(alias = "convert_url_ids")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Id {
    /// A whole number.
    Number(i64),
    /// A number that should be whole, as spreadsheets give it (`1e5`).
    Float(f64),
    /// A text: digits, several ids with commas between them, or, where allowed, a UUID or slug.
    Text(String),
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Id {
            fn from(id: $integer) -> Self {
                i64::try_from(id).map_or_else(|_| Self::Text(id.to_string()), Self::Number)
            }
        }
        impl From<&$integer> for Id {
            fn from(id: &$integer) -> Self {
                Self::from(*id)
            }
        }
    )*};
}
from_integer!(i32, i64, u32, u64, usize);

impl From<f64> for Id {
    fn from(id: f64) -> Self {
        Self::Float(id)
    }
}

impl From<&str> for Id {
    fn from(id: &str) -> Self {
        Self::Text(id.to_owned())
    }
}

impl From<String> for Id {
    fn from(id: String) -> Self {
        Self::Text(id)
    }
}

impl From<&String> for Id {
    fn from(id: &String) -> Self {
        Self::Text(id.clone())
    }
}
