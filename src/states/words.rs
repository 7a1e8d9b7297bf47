//! The macro that declares every enum of [`super`], and the trait that they share.

use sqlx::{Decode, Postgres, error::BoxDynError, postgres::PgValueRef};

/// An enum whose variants are words in a text column.
pub trait Words: Copy + 'static {
    /// The enum's own name, for messages about an enum that no column holds.
    const NAME: &'static str;

    /// The columns that hold it, as `table.column`; none if it is never stored.
    const COLUMNS: &'static [&'static str];

    /// Every variant, in the order of declaration.
    fn all() -> &'static [Self];

    /// The variant's word.
    fn word(self) -> &'static str;
}

/// A text that is none of an enum's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAWord {
    known: &'static [&'static str],
}

impl NotAWord {
    pub(super) const fn of(known: &'static [&'static str]) -> Self {
        Self { known }
    }

    /// The allowed words.
    pub fn known(&self) -> &'static [&'static str] {
        self.known
    }
}

impl std::fmt::Display for NotAWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "must be {}", listed(self.known, "or"))
    }
}

impl std::error::Error for NotAWord {}

/// A column holds a value that this version does not know: another version, or somebody's own SQL, wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column} holds `{found}`, which this version does not know: it knows {known}")]
pub struct UnknownValue {
    /// The column, as `table.column`; where several hold the same enum, all of them.
    column: String,
    /// The stored value.
    found: String,
    /// The known words.
    known: String,
}

/// Reads a column's text as one of an enum's words.
pub(super) fn decode<T: Words>(value: PgValueRef<'_>) -> Result<T, BoxDynError> {
    let text = <&str as Decode<Postgres>>::decode(value)?;
    read(text).map_err(Into::into)
}

fn read<T: Words>(text: &str) -> Result<T, UnknownValue> {
    T::all().iter().copied().find(|it| it.word() == text).ok_or_else(|| {
        let words: Vec<_> = T::all().iter().map(|it| it.word()).collect();
        let column = if T::COLUMNS.is_empty() { T::NAME.to_owned() } else { listed(T::COLUMNS, "or") };
        UnknownValue { column, found: text.to_owned(), known: listed(&words, "and") }
    })
}

/// `a, b or c`.
fn listed(words: &[&str], before_last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} {before_last} {last}", first.join(", ")),
    }
}

/// Declares enums of words: `Name in ["table.column", …] { Variant = "word", … }`.
///
/// With `described` before the name, the API's description has a schema of that name with a sentence for each word;
/// otherwise a field of this type is a string with the words as its `enum`.
macro_rules! words {
    () => {};
    (
        $(#[$doc:meta])*
        described $name:ident in $columns:expr => { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            schemars::JsonSchema,
        )]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+ }

        words! { @common $name $columns, $($variant = $word,)+ }
        words! { $($rest)* }
    };
    (
        $(#[$doc:meta])*
        $name:ident in $columns:expr => { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+ }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": Self::WORDS })
            }
        }

        words! { @common $name $columns, $($variant = $word,)+ }
        words! { $($rest)* }
    };
    (@common $name:ident $columns:expr, $($variant:ident = $word:literal,)+) => {
        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Every word, in the same order.
            pub const WORDS: [&'static str; [$($word),+].len()] = [$($word),+];

            /// Its word: in the table, in JSON, in messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::states::Words for $name {
            const NAME: &'static str = stringify!($name);
            const COLUMNS: &'static [&'static str] = &$columns;

            fn all() -> &'static [Self] {
                &Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::states::NotAWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or($crate::states::NotAWord::of(&Self::WORDS))
            }
        }

        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <str as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(it: &sqlx::postgres::PgTypeInfo) -> bool {
                <str as sqlx::Type<sqlx::Postgres>>::compatible(it)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $name {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                <String as sqlx::postgres::PgHasArrayType>::array_type_info()
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <&str as sqlx::Encode<'_, sqlx::Postgres>>::encode_by_ref(&self.as_str(), buffer)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $name {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                $crate::states::words::decode(value)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn an_unknown_value_is_reported_with_its_column_and_the_known_words() {
        let error = read::<ResignationState>("foo").expect_err("no word");
        assert_eq!(
            error.to_string(),
            "resignation.state holds `foo`, which this version does not know: it knows requested, approved, refused, \
             cancelled and left"
        );
        let error = read::<Role>("Admin").expect_err("words are lower case").to_string();
        assert!(error.starts_with("api_token.role or console_user.role holds `Admin`"), "{error}");
        let error = read::<TaskState>("").expect_err("no word").to_string();
        assert!(error.starts_with("TaskState holds ``"), "{error}");
    }

    #[test]
    fn json_messages_and_parsing_use_one_list_of_words() {
        for state in ItemState::ALL {
            assert_eq!(serde_json::json!(state), state.as_str());
            assert_eq!(state.to_string().parse(), Ok(state));
            assert_eq!(read(state.as_str()), Ok(state));
        }
        let error = "lost".parse::<BindingStatus>().expect_err("no word");
        assert_eq!(error.to_string(), "must be bound or unbound");
    }

    #[test]
    fn a_field_is_described_with_its_allowed_words() {
        let schema = schemars::schema_for!(Option<BindingStatus>);
        assert_eq!(schema.get("enum"), Some(&serde_json::json!(["bound", "unbound", null])));
    }
}
