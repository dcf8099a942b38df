//! The type of a function, in the words of the codec: whether its values can travel, and whether two sides mean the same.

use std::fmt::{self, Write as _};

use wasmcloud_wire::value::Type;
use wasmtime::component::types::{self, ComponentFunc};

use crate::compile::Compiled;
use crate::shape::{self, Reader, Resources};
use crate::typed;

/// The parameters and results of a function whose values can leave the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The types of the parameters.
    pub params: Box<[Type]>,
    /// The types of the results.
    pub results: Box<[Type]>,
    fingerprint: u64,
    /// Which of the forms of `typed` it has.
    pub(crate) form: Option<usize>,
}

impl Signature {
    /// The signature of a function, or why its values cannot leave the instance.
    pub(crate) fn of(function: &ComponentFunc) -> Result<Self, String> {
        let resources = Resources::default();
        let mut reader = Reader::new(&resources);
        let mut plain = |ty: &types::Type| {
            let shape = reader.read(ty)?;
            shape
                .plain()
                .map_err(|_| "is or holds a resource, which cannot leave its host".to_owned())
        };
        let params: Result<Box<[Type]>, String> = function
            .params()
            .map(|(name, ty)| plain(&ty).map_err(|what| format!("its parameter `{name}` {what}")))
            .collect();
        let results: Result<Box<[Type]>, String> = function
            .results()
            .map(|ty| plain(&ty).map_err(|what| format!("its result {what}")))
            .collect();
        Ok(Self::new(params?, results?))
    }

    /// The signature with these types.
    pub(crate) fn new(params: Box<[Type]>, results: Box<[Type]>) -> Self {
        let mut fingerprint = Fingerprint::default();
        params.iter().for_each(|ty| fingerprint.ty(ty));
        fingerprint.text("->");
        results.iter().for_each(|ty| fingerprint.ty(ty));
        Self {
            form: typed::number(&params, &results),
            params,
            results,
            fingerprint: fingerprint.0,
        }
    }

    /// A number that two signatures share if they are the same, for headers: nobody is misled but who wants to be.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// As WIT has it, without the names of parameters.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        for (at, ty) in self.params.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{ty}")?;
        }
        f.write_char(')')?;
        match &*self.results {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            more => write!(f, " -> {} results", more.len()),
        }
    }
}

/// The signature of an imported function.
pub(crate) fn imported(
    compiled: &Compiled,
    interface: &str,
    function: &str,
) -> Option<Result<Signature, String>> {
    Some(Signature::of(&shape::imported(compiled, interface, function)?))
}

/// The signature of an exported function; without an interface, of one at the root.
pub(crate) fn exported(
    compiled: &Compiled,
    interface: Option<&str>,
    function: &str,
) -> Option<Result<Signature, String>> {
    Some(Signature::of(&shape::exported(compiled, interface, function)?))
}

/// FNV-1a over the structure of types: the same on every host, whatever it was compiled with.
struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.bytes(&(count as u64).to_le_bytes());
    }

    fn optional(&mut self, ty: Option<&Type>) {
        match ty {
            Some(ty) => self.ty(ty),
            None => self.text("_"),
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::List(item) => {
                self.text("list");
                self.ty(item);
            }
            Type::Option(some) => {
                self.text("option");
                self.ty(some);
            }
            Type::Tuple(types) => {
                self.text("tuple");
                self.count(types.len());
                types.iter().for_each(|ty| self.ty(ty));
            }
            Type::Record(fields) => {
                self.text("record");
                self.count(fields.len());
                for field in fields.iter() {
                    self.text(&field.name);
                    self.ty(&field.ty);
                }
            }
            Type::Variant(cases) => {
                self.text("variant");
                self.count(cases.len());
                for case in cases.iter() {
                    self.text(&case.name);
                    self.optional(case.ty.as_ref());
                }
            }
            Type::Enum(names) => {
                self.text("enum");
                self.count(names.len());
                names.iter().for_each(|name| self.text(name));
            }
            Type::Flags(names) => {
                self.text("flags");
                self.count(names.len());
                names.iter().for_each(|name| self.text(name));
            }
            Type::Result { ok, err } => {
                self.text("result");
                self.optional(ok.as_deref());
                self.optional(err.as_deref());
            }
            // What has no parts is spelled as it is; what cannot travel is in no signature.
            plain => self.text(&plain.to_string()),
        }
    }
}
