//! What the known interfaces carry: values with a type of their own, made of the parts of [`value`](crate::value).

use crate::value::{DecodeError, Decoder, put};

use super::path::IndexPath;

/// A value of a known interface, or a part of one.
pub trait Payload: Sized {
    /// Appends its bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one off the front.
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Reads one that all the bytes belong to.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let value = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }
}

/// The parameters of a function: which one it is, and what it returns.
pub trait Call: Payload {
    /// The interface that has it, with its version.
    const INSTANCE: &'static str;
    /// What it is called.
    const FUNCTION: &'static str;
    /// Where its parameters have a stream or future that may come later.
    const PARAM_PATHS: &'static [IndexPath] = &[];
    /// Where its results have one.
    const RESULT_PATHS: &'static [IndexPath] = &[];
    /// What it returns; `()` is nothing.
    type Result: Payload;
}

/// Nothing, in no bytes.
impl Payload for () {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl Payload for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        put::bool(*self, out);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.bool()
    }
}

macro_rules! integer {
    ($($type:ident),*) => {
        $(impl Payload for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                put::unsigned(*self, out);
            }

            fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                from.$type()
            }
        })*
    };
}

integer!(u16, u32, u64);

impl Payload for String {
    fn encode(&self, out: &mut Vec<u8>) {
        put::string(self, out);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.string().map(str::to_owned)
    }
}

/// `list<u8>`. There is no `Payload` for `u8`: it would be read byte by byte.
impl Payload for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        put::bytes(self, out);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.bytes().map(<[u8]>::to_vec)
    }
}

impl<T: Payload> Payload for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put::list(self, out, T::encode);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.list(T::decode)
    }
}

impl<T: Payload> Payload for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put::option(self.as_ref(), out, T::encode);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.option(T::decode)
    }
}

impl<T: Payload, E: Payload> Payload for Result<T, E> {
    fn encode(&self, out: &mut Vec<u8>) {
        put::result(self.as_ref(), out, T::encode, E::encode);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.result(T::decode, E::decode)
    }
}

impl<A: Payload, B: Payload> Payload for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok((from.field("0", A::decode)?, from.field("1", B::decode)?))
    }
}
