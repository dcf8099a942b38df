//! Values of any type: the first byte is the length of what describes a type, then comes that, then the value; which is
//! also read as text.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wasmcloud_wire::value::wave::parse;
use wasmcloud_wire::value::{Case, Decoder, Field, Limits, Type, Value, encode};

/// Most parts of a type, and most memory of a value, so that an input takes no longer than it may.
const PARTS: usize = 64;
const MEMORY: usize = 4 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((len, rest)) = input.split_first() else {
        return;
    };
    let (types, value) = rest.split_at(rest.len().min(usize::from(*len)));
    let mut types = Types {
        bytes: types.iter(),
        parts: PARTS,
    };
    let ty = types.ty(8);
    // A message ends somewhere, and what was read until then must be a value or the beginning of one.
    let limits = Limits {
        memory: MEMORY,
        ..Limits::default()
    };
    if let Ok(read) = Decoder::with_limits(value, limits).value::<Value>(&ty) {
        let mut out = Vec::new();
        encode::<Value>(&ty, &read, &mut out).expect("it is a value of the type");
        let mut again = Decoder::new(&out);
        assert_eq!(again.value::<Value>(&ty).expect("what we write we read"), read);
        assert!(again.is_empty());
        // NaNs lose their bits, and resources have no text.
        if let Ok(parsed) = parse(&ty, &read.to_string()) {
            assert_eq!(parsed.to_string(), read.to_string());
        }
    }
    if let Ok(text) = std::str::from_utf8(value)
        && let Ok(read) = parse(&ty, text)
    {
        let shown = read.to_string();
        assert_eq!(
            parse(&ty, &shown).expect("what we write we read").to_string(),
            shown
        );
    }
});

/// Makes types of bytes. Where there are no more, they are 0.
struct Types<'a> {
    bytes: std::slice::Iter<'a, u8>,
    parts: usize,
}

impl Types<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn arc(&mut self, depth: usize) -> Arc<Type> {
        Arc::new(self.ty(depth))
    }

    fn optional(&mut self, depth: usize) -> Option<Arc<Type>> {
        (self.byte() % 2 == 1).then(|| self.arc(depth))
    }

    fn names(&mut self) -> Vec<Arc<str>> {
        (0..self.byte() % 20).map(|n| format!("n{n}").into()).collect()
    }

    fn ty(&mut self, depth: usize) -> Type {
        self.parts = self.parts.saturating_sub(1);
        let kind = self.byte();
        if depth == 0 || self.parts == 0 {
            return Type::Bool;
        }
        let depth = depth - 1;
        match kind % 24 {
            0 => Type::Bool,
            1 => Type::U8,
            2 => Type::U16,
            3 => Type::U32,
            4 => Type::U64,
            5 => Type::S8,
            6 => Type::S16,
            7 => Type::S32,
            8 => Type::S64,
            9 => Type::Float32,
            10 => Type::Float64,
            11 => Type::Char,
            12 => Type::String,
            13 => Type::List(self.arc(depth)),
            14 => Type::Tuple((0..self.byte() % 8).map(|_| self.ty(depth)).collect()),
            15 => {
                let names = self.names().into_iter();
                Type::Record(
                    names
                        .map(|name| Field {
                            name,
                            ty: self.ty(depth),
                        })
                        .collect(),
                )
            }
            16 => {
                let names = self.names().into_iter();
                let case = |name| Case {
                    name,
                    ty: self.optional(depth).map(Arc::unwrap_or_clone),
                };
                Type::Variant(names.map(case).collect())
            }
            17 => Type::Enum(self.names().into()),
            18 => Type::Option(self.arc(depth)),
            19 => Type::Result {
                ok: self.optional(depth),
                err: self.optional(depth),
            },
            20 => Type::Flags(self.names().into()),
            21 => Type::Resource,
            22 => Type::Stream(self.optional(depth)),
            _ => Type::Future(self.optional(depth)),
        }
    }
}
