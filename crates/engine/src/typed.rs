//! Calls of functions whose types are known when we are built: those that carry bytes.
//!
//! wasmtime holds each byte of a `list<u8>` of a function that it knows at run time only as a value of 40 bytes. That
//! makes such a call a hundred times slower than one that copies, and ends it above 3 MB (wasmtime's hostcall fuel). So
//! functions of the common forms have code of their own, in which bytes stay bytes; all others go the slow way
//! (`dynamic`), with the same results.

use std::marker::PhantomData;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use wasmcloud_capability::InstanceState;
use wasmcloud_wire::rpc::Payload;
use wasmcloud_wire::value::{DecodeError, Decoder, Type};
use wasmtime::component::{ComponentNamedList, Func, Lift, LinkerInstance, Lower};
use wasmtime::{Store, StoreContextMut};

use crate::dynamic::{Carried, Import};
use crate::signature::Signature;
use crate::values::Unfit;

/// A parameter or result.
trait Part: Payload + Lift + Lower + 'static {
    /// Its type, in the words of the codec.
    fn ty() -> Type;
}

impl Part for Vec<u8> {
    fn ty() -> Type {
        Type::List(Arc::new(Type::U8))
    }
}

impl Part for String {
    fn ty() -> Type {
        Type::String
    }
}

impl<T: Part> Part for Option<T> {
    fn ty() -> Type {
        Type::Option(Arc::new(T::ty()))
    }
}

impl<T: Part> Part for Result<T, String> {
    fn ty() -> Type {
        Type::Result {
            ok: Some(Arc::new(T::ty())),
            err: Some(Arc::new(Type::String)),
        }
    }
}

impl Part for Result<(), String> {
    fn ty() -> Type {
        Type::Result {
            ok: None,
            err: Some(Arc::new(Type::String)),
        }
    }
}

/// All parameters, or all results.
trait Parts: ComponentNamedList + Lift + Lower + 'static {
    fn types() -> Box<[Type]>;

    fn encode(&self, out: &mut Vec<u8>);

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

macro_rules! parts {
    ($($part:ident $at:tt),*) => {
        impl<$($part: Part),*> Parts for ($($part,)*) {
            fn types() -> Box<[Type]> {
                Box::new([$($part::ty()),*])
            }

            fn encode(&self, _out: &mut Vec<u8>) {
                $(self.$at.encode(_out);)*
            }

            fn decode(_from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Ok(($(_from.field(stringify!($at), $part::decode)?,)*))
            }
        }
    };
}

parts!();
parts!(A 0);
parts!(A 0, B 1);
parts!(A 0, B 1, C 2);

fn read<T: Parts>(what: &str, bytes: &[u8]) -> Result<T, Unfit> {
    let mut decoder = Decoder::new(bytes);
    let values = decoder.field(what, T::decode);
    let whole = values.and_then(|values| decoder.finish().map(|()| values));
    whole.map_err(|error| error.to_string())
}

/// How functions of one form are called.
pub(crate) trait Form: Send + Sync {
    /// The types of the parameters and results.
    fn types(&self) -> (Box<[Type]>, Box<[Type]>);

    /// Defines an imported function.
    fn link(
        &self,
        instance: &mut LinkerInstance<'_, InstanceState>,
        import: Arc<Import>,
    ) -> wasmtime::Result<()>;

    /// Whether these bytes are all of the parameters, and nothing else.
    fn is_whole(&self, params: &[u8]) -> bool;

    /// Writes what it has read from these bytes, parameters and results.
    #[cfg(test)]
    fn again(&self, params: &[u8], results: &[u8]) -> Result<[Vec<u8>; 2], Unfit>;

    /// Reads the parameters.
    fn params(&self, bytes: &[u8]) -> Result<Box<dyn Ready>, Unfit>;
}

/// A call with its parameters.
#[async_trait]
pub(crate) trait Ready: Send {
    /// Runs an exported function, and answers its encoded results.
    async fn run(self: Box<Self>, store: &mut Store<InstanceState>, func: Func) -> wasmtime::Result<Vec<u8>>;
}

/// Functions with these parameters and results.
struct Of<P, R>(PhantomData<fn(P) -> R>);

impl<P: Parts, R: Parts> Form for Of<P, R> {
    fn types(&self) -> (Box<[Type]>, Box<[Type]>) {
        (P::types(), R::types())
    }

    fn link(
        &self,
        instance: &mut LinkerInstance<'_, InstanceState>,
        import: Arc<Import>,
    ) -> wasmtime::Result<()> {
        let name = import.function().to_owned();
        instance.func_wrap_async(
            &name,
            move |store: StoreContextMut<'_, InstanceState>, params: P| {
                let import = Arc::clone(&import);
                Box::new(async move { import.run(store, Typed::<P, R>(params, PhantomData)).await })
            },
        )
    }

    fn is_whole(&self, params: &[u8]) -> bool {
        read::<P>("params", params).is_ok()
    }

    #[cfg(test)]
    fn again(&self, params: &[u8], results: &[u8]) -> Result<[Vec<u8>; 2], Unfit> {
        let mut again = [Vec::new(), Vec::new()];
        read::<P>("params", params)?.encode(&mut again[0]);
        read::<R>("results", results)?.encode(&mut again[1]);
        Ok(again)
    }

    fn params(&self, bytes: &[u8]) -> Result<Box<dyn Ready>, Unfit> {
        Ok(Box::new(Typed::<P, R>(read("params", bytes)?, PhantomData)))
    }
}

/// The parameters of one call.
struct Typed<P, R>(P, PhantomData<fn() -> R>);

#[async_trait]
impl<P: Parts, R: Parts> Ready for Typed<P, R> {
    async fn run(self: Box<Self>, store: &mut Store<InstanceState>, func: Func) -> wasmtime::Result<Vec<u8>> {
        let results = (*self).call(store, func).await?;
        let mut out = Vec::new();
        results.encode(&mut out);
        Ok(out)
    }
}

impl<P: Parts, R: Parts> Carried for Typed<P, R> {
    type Results = R;

    fn holds_handle(&self) -> bool {
        false
    }

    async fn call(self, store: &mut Store<InstanceState>, func: Func) -> wasmtime::Result<R> {
        func.typed::<P, R>(&*store)?.call_async(store, self.0).await
    }

    fn returned_handle(_: &R) -> bool {
        false
    }

    fn encode(&self, _: &Signature) -> Result<Vec<u8>, Unfit> {
        let mut out = Vec::new();
        self.0.encode(&mut out);
        Ok(out)
    }

    fn decode(self, _: &Signature, results: &[u8]) -> Result<R, Unfit> {
        read("results", results)
    }
}

type B = Vec<u8>;
type S = String;
type Fallible<T> = Result<T, String>;

/// A form and its types.
struct Entry {
    params: Box<[Type]>,
    results: Box<[Type]>,
    form: &'static dyn Form,
}

macro_rules! forms {
    ($($params:ty => [$($results:ty),*];)*) => {
        vec![$($(&Of::<$params, $results>(PhantomData) as &'static dyn Form),*),*]
    };
}

/// The forms that there are: up to two strings and then bytes, answered with bytes, text or success.
static FORMS: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let forms: Vec<&'static dyn Form> = forms! {
        () => [(B,), (Option<B>,), (Fallible<B>,)];
        (S,) => [(B,), (Option<B>,), (Fallible<B>,), (Fallible<Option<B>>,)];
        (S, S) => [(B,), (Option<B>,), (Fallible<B>,), (Fallible<Option<B>>,)];
        (B,) => [(), (B,), (S,), (Option<B>,), (Fallible<B>,), (Fallible<S>,), (Fallible<()>,)];
        (B, B) => [(), (B,), (S,), (Option<B>,), (Fallible<B>,), (Fallible<S>,), (Fallible<()>,)];
        (S, B) => [(), (B,), (S,), (Option<B>,), (Fallible<B>,), (Fallible<S>,), (Fallible<()>,)];
        (S, S, B) => [(), (B,), (S,), (Option<B>,), (Fallible<B>,), (Fallible<S>,), (Fallible<()>,)];
    };
    let entry = |form: &'static dyn Form| {
        let (params, results) = form.types();
        Entry {
            params,
            results,
            form,
        }
    };
    forms.into_iter().map(entry).collect()
});

/// Which of the forms functions with these types have.
pub(crate) fn number(params: &[Type], results: &[Type]) -> Option<usize> {
    let fits = |entry: &Entry| *entry.params == *params && *entry.results == *results;
    FORMS.iter().position(fits)
}

/// The code for functions with this signature, if there is some.
pub(crate) fn form(signature: &Signature) -> Option<&'static dyn Form> {
    Some(FORMS.get(signature.form?)?.form)
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Val;

    use super::*;
    use crate::values;

    /// A value of a type, in one of several ways.
    fn value(ty: &Type, way: usize) -> Val {
        let boxed = |ty: &Option<Arc<Type>>| ty.as_ref().map(|ty| Box::new(value(ty, way)));
        match ty {
            Type::String => Val::String(["", "text", "ÄÖ\u{1f600}"][way % 3].to_owned()),
            Type::List(_) => Val::List((0..way * 100).map(|byte| Val::U8(byte as u8)).collect()),
            Type::Option(_) if way.is_multiple_of(2) => Val::Option(None),
            Type::Option(ty) => Val::Option(Some(Box::new(value(ty, way)))),
            Type::Result { ok, .. } if !way.is_multiple_of(3) => Val::Result(Ok(boxed(ok))),
            Type::Result { err, .. } => Val::Result(Err(boxed(err))),
            other => panic!("no form has {other}"),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_slow_way() {
        for (at, entry) in FORMS.iter().enumerate() {
            assert_eq!(
                number(&entry.params, &entry.results),
                Some(at),
                "a form is there once"
            );
            let signature = Signature::new(entry.params.clone(), entry.results.clone());
            let name = signature.to_string();
            for way in 0..6 {
                let params: Vec<Val> = entry.params.iter().map(|ty| value(ty, way)).collect();
                let bytes = values::encode_params(&signature, &params).unwrap();
                assert!(entry.form.is_whole(&bytes), "{name}");
                let results: Vec<Val> = entry.results.iter().map(|ty| value(ty, way)).collect();
                let results = values::encode_results(&signature, &results).unwrap();
                let again = entry.form.again(&bytes, &results);
                assert_eq!(again, Ok([bytes.clone(), results]), "{name}");
                if let Some(short) = bytes.len().checked_sub(1) {
                    let short = &bytes[..short];
                    let error = values::decode_params(&signature, short).unwrap_err();
                    assert_eq!(entry.form.params(short).err(), Some(error), "{name}");
                }
                let long = [&*bytes, b"x"].concat();
                assert!(!entry.form.is_whole(&long), "{name}");
            }
        }
    }
}
