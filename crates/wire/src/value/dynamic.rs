//! Values whose type is known at run time only: how the codec looks at them and makes them.

/// A kind of value that can be looked at and made, whatever holds it.
///
/// What implements this names the values; it need not be the type of the values itself. A crate that owns neither
/// this trait nor its runtime's type of values could not connect the two otherwise:
///
/// ```
/// # mod runtime { #[derive(Debug, PartialEq)] pub enum Val { U8(u8), List(Vec<Val>) } }
/// use runtime::Val;
/// use wasmcloud_wire::value::{Dynamic, Shape, Type, View, encode};
///
/// enum Vals {}
///
/// impl Dynamic for Vals {
///     type Value = Val;
///
///     fn view(value: &Val) -> View<'_, Val> {
///         match value {
///             Val::U8(byte) => View::U8(*byte),
///             Val::List(items) => View::List(items),
///         }
///     }
///
///     fn make(shape: Shape<Val>) -> Val {
///         match shape {
///             Shape::U8(byte) => Val::U8(byte),
///             Shape::List(items) => Val::List(items),
///             _ => unreachable!("the types of this example have nothing else"),
///         }
///     }
/// }
///
/// let mut out = Vec::new();
/// encode::<Vals>(&Type::U8, &Val::U8(7), &mut out)?;
/// assert_eq!(out, [7]);
/// # Ok::<(), wasmcloud_wire::value::EncodeError>(())
/// ```
pub trait Dynamic {
    /// What holds a value, and the values in it.
    type Value;

    /// What a value is.
    fn view(value: &Self::Value) -> View<'_, Self::Value>;

    /// The value that is so.
    fn make(shape: Shape<Self::Value>) -> Self::Value;

    /// Appends the bytes of a `list<u8>`. The bytes in front of one that is none may have been appended.
    fn append_bytes(list: &[Self::Value], out: &mut Vec<u8>) -> Result<(), NotAByte> {
        out.reserve(list.len());
        for (index, item) in list.iter().enumerate() {
            match Self::view(item) {
                View::U8(byte) => out.push(byte),
                _ => return Err(NotAByte(index)),
            }
        }
        Ok(())
    }

    /// The `list<u8>` of some bytes.
    fn from_bytes(bytes: &[u8]) -> Self::Value {
        let items = bytes.iter().map(|byte| Self::make(Shape::U8(*byte)));
        Self::make(Shape::List(items.collect()))
    }
}

/// The item with this index is no `u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAByte(pub usize);

/// A value, looked at.
#[derive(Debug)]
pub enum View<'a, V> {
    /// `bool`
    Bool(bool),
    /// `u8`
    U8(u8),
    /// `u16`
    U16(u16),
    /// `u32`
    U32(u32),
    /// `u64`
    U64(u64),
    /// `s8`
    S8(i8),
    /// `s16`
    S16(i16),
    /// `s32`
    S32(i32),
    /// `s64`
    S64(i64),
    /// `f32`
    Float32(f32),
    /// `f64`
    Float64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(&'a str),
    /// `list<…>`
    List(&'a [V]),
    /// A record: its fields in the order of WIT.
    Record(&'a [(String, V)]),
    /// `tuple<…>`
    Tuple(&'a [V]),
    /// The case of a variant, and its payload.
    Variant(&'a str, Option<&'a V>),
    /// The case of an enum.
    Enum(&'a str),
    /// `option<…>`
    Option(Option<&'a V>),
    /// `result<…>`
    Result(Result<Option<&'a V>, Option<&'a V>>),
    /// The flags that are set.
    Flags(&'a [String]),
    /// What the owner of a resource calls it.
    Resource(&'a [u8]),
    /// Something that cannot leave its instance.
    Foreign,
}

impl<V> View<'_, V> {
    /// What it is, in the words of WIT.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::U8(_) => "u8",
            Self::U16(_) => "u16",
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
            Self::S8(_) => "s8",
            Self::S16(_) => "s16",
            Self::S32(_) => "s32",
            Self::S64(_) => "s64",
            Self::Float32(_) => "f32",
            Self::Float64(_) => "f64",
            Self::Char(_) => "char",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Record(_) => "record",
            Self::Tuple(_) => "tuple",
            Self::Variant(..) => "variant",
            Self::Enum(_) => "enum",
            Self::Option(_) => "option",
            Self::Result(_) => "result",
            Self::Flags(_) => "flags",
            Self::Resource(_) => "resource",
            Self::Foreign => "handle",
        }
    }
}

/// A value, to be made. The variants are those of [`View`].
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the variants are those of `View`")]
pub enum Shape<V> {
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    S8(i8),
    S16(i16),
    S32(i32),
    S64(i64),
    Float32(f32),
    Float64(f64),
    Char(char),
    String(String),
    List(Vec<V>),
    Record(Vec<(String, V)>),
    Tuple(Vec<V>),
    Variant(String, Option<Box<V>>),
    Enum(String),
    Option(Option<Box<V>>),
    Result(Result<Option<Box<V>>, Option<Box<V>>>),
    Flags(Vec<String>),
    Resource(Vec<u8>),
}

impl<V> Shape<V> {
    /// The value, looked at.
    pub fn view(&self) -> View<'_, V> {
        match self {
            Self::Bool(value) => View::Bool(*value),
            Self::U8(value) => View::U8(*value),
            Self::U16(value) => View::U16(*value),
            Self::U32(value) => View::U32(*value),
            Self::U64(value) => View::U64(*value),
            Self::S8(value) => View::S8(*value),
            Self::S16(value) => View::S16(*value),
            Self::S32(value) => View::S32(*value),
            Self::S64(value) => View::S64(*value),
            Self::Float32(value) => View::Float32(*value),
            Self::Float64(value) => View::Float64(*value),
            Self::Char(value) => View::Char(*value),
            Self::String(text) => View::String(text),
            Self::List(items) => View::List(items),
            Self::Record(fields) => View::Record(fields),
            Self::Tuple(items) => View::Tuple(items),
            Self::Variant(case, payload) => View::Variant(case, payload.as_deref()),
            Self::Enum(case) => View::Enum(case),
            Self::Option(some) => View::Option(some.as_deref()),
            Self::Result(Ok(ok)) => View::Result(Ok(ok.as_deref())),
            Self::Result(Err(err)) => View::Result(Err(err.as_deref())),
            Self::Flags(set) => View::Flags(set),
            Self::Resource(handle) => View::Resource(handle),
        }
    }
}

/// A value that nothing but this crate holds. Equal floats have the same bits, so a NaN equals itself.
#[derive(Clone, Debug)]
pub struct Value(Shape<Value>);

impl Value {
    /// The value, looked at.
    pub fn view(&self) -> View<'_, Self> {
        self.0.view()
    }

    /// The value, taken apart.
    pub fn into_shape(self) -> Shape<Self> {
        self.0
    }
}

impl From<Shape<Value>> for Value {
    fn from(shape: Shape<Value>) -> Self {
        Self(shape)
    }
}

impl Dynamic for Value {
    type Value = Self;

    fn view(value: &Self) -> View<'_, Self> {
        value.0.view()
    }

    fn make(shape: Shape<Self>) -> Self {
        Self(shape)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        use Shape::*;
        match (&self.0, &other.0) {
            (Bool(a), Bool(b)) => a == b,
            (U8(a), U8(b)) => a == b,
            (U16(a), U16(b)) => a == b,
            (U32(a), U32(b)) => a == b,
            (U64(a), U64(b)) => a == b,
            (S8(a), S8(b)) => a == b,
            (S16(a), S16(b)) => a == b,
            (S32(a), S32(b)) => a == b,
            (S64(a), S64(b)) => a == b,
            (Float32(a), Float32(b)) => a.to_bits() == b.to_bits(),
            (Float64(a), Float64(b)) => a.to_bits() == b.to_bits(),
            (Char(a), Char(b)) => a == b,
            (String(a), String(b)) | (Enum(a), Enum(b)) => a == b,
            (List(a), List(b)) | (Tuple(a), Tuple(b)) => a == b,
            (Record(a), Record(b)) => a == b,
            (Variant(a, x), Variant(b, y)) => a == b && x == y,
            (Option(a), Option(b)) => a == b,
            (Result(a), Result(b)) => a == b,
            (Flags(a), Flags(b)) => a == b,
            (Resource(a), Resource(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}
