//! Any type, and any value of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use wasmcloud_wire::value::{Case, Field, Shape, Type, Value};

pub(crate) fn list(item: Type) -> Type {
    Type::List(Arc::new(item))
}

pub(crate) fn option(some: Type) -> Type {
    Type::Option(Arc::new(some))
}

pub(crate) fn result(ok: Option<Type>, err: Option<Type>) -> Type {
    Type::Result {
        ok: ok.map(Arc::new),
        err: err.map(Arc::new),
    }
}

pub(crate) fn record(fields: &[(&str, Type)]) -> Type {
    let field = |(name, ty): &(&str, Type)| Field {
        name: (*name).into(),
        ty: ty.clone(),
    };
    Type::Record(fields.iter().map(field).collect())
}

pub(crate) fn variant(cases: &[(&str, Option<Type>)]) -> Type {
    let case = |(name, ty): &(&str, Option<Type>)| Case {
        name: (*name).into(),
        ty: ty.clone(),
    };
    Type::Variant(cases.iter().map(case).collect())
}

/// Names of cases, fields and flags; words of WAVE are among them.
fn names(count: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<String>> {
    let name = prop_oneof![
        prop::sample::select(vec!["ok", "err", "some", "none", "true", "nan"]).prop_map(str::to_owned),
        "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?",
    ];
    vec(name, count).prop_map(|names| {
        let unique: BTreeSet<String> = names.into_iter().collect();
        unique.into_iter().collect()
    })
}

/// Any type, without resources where they are not wanted: they have no text.
pub(crate) fn a_type(resources: bool) -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        8 => prop::sample::select(vec![
            Type::Bool, Type::U8, Type::U16, Type::U32, Type::U64, Type::S8, Type::S16, Type::S32, Type::S64,
            Type::Float32, Type::Float64, Type::Char, Type::String,
        ]),
        1 => names(1..5).prop_map(|names| Type::Enum(names.into_iter().map(Into::into).collect())),
        1 => names(1..20).prop_map(|names| Type::Flags(names.into_iter().map(Into::into).collect())),
        1 => Just(if resources { Type::Resource } else { Type::U8 }),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(list),
            inner.clone().prop_map(option),
            (of(inner.clone()), of(inner.clone())).prop_map(|(ok, err)| result(ok, err)),
            vec(inner.clone(), 0..4).prop_map(|types| Type::Tuple(types.into())),
            (names(1..5), vec(inner.clone(), 5)).prop_map(|(names, types)| {
                let fields = names.into_iter().zip(types);
                Type::Record(
                    fields
                        .map(|(name, ty)| Field {
                            name: name.into(),
                            ty,
                        })
                        .collect(),
                )
            }),
            (names(1..5), vec(of(inner), 5)).prop_map(|(names, types)| {
                let cases = names.into_iter().zip(types);
                Type::Variant(
                    cases
                        .map(|(name, ty)| Case {
                            name: name.into(),
                            ty,
                        })
                        .collect(),
                )
            }),
        ]
    })
}

fn shape<T>(
    value: impl Strategy<Value = T> + 'static,
    make: impl Fn(T) -> Shape<Value> + 'static,
) -> BoxedStrategy<Value>
where
    T: std::fmt::Debug + 'static,
{
    value.prop_map(move |value| Value::from(make(value))).boxed()
}

fn payload(ty: Option<&Type>) -> BoxedStrategy<Option<Box<Value>>> {
    match ty {
        None => Just(None).boxed(),
        Some(ty) => value(ty).prop_map(|value| Some(Box::new(value))).boxed(),
    }
}

/// Any value of a type. Of the many bits of a NaN only the usual ones, because its text has no others.
pub(crate) fn value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => shape(any::<bool>(), Shape::Bool),
        Type::U8 => shape(any::<u8>(), Shape::U8),
        Type::U16 => shape(any::<u16>(), Shape::U16),
        Type::U32 => shape(any::<u32>(), Shape::U32),
        Type::U64 => shape(any::<u64>(), Shape::U64),
        Type::S8 => shape(any::<i8>(), Shape::S8),
        Type::S16 => shape(any::<i16>(), Shape::S16),
        Type::S32 => shape(any::<i32>(), Shape::S32),
        Type::S64 => shape(any::<i64>(), Shape::S64),
        Type::Float32 => {
            let usual = |float: f32| if float.is_nan() { f32::NAN } else { float };
            shape(prop::num::f32::ANY, move |float| Shape::Float32(usual(float)))
        }
        Type::Float64 => {
            let usual = |float: f64| if float.is_nan() { f64::NAN } else { float };
            shape(prop::num::f64::ANY, move |float| Shape::Float64(usual(float)))
        }
        Type::Char => shape(any::<char>(), Shape::Char),
        Type::String => shape(any::<String>(), Shape::String),
        Type::List(item) => shape(vec(value(item), 0..5), Shape::List),
        Type::Tuple(types) => shape(types.iter().map(value).collect::<Vec<_>>(), Shape::Tuple),
        Type::Record(fields) => {
            let names: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
            let values: Vec<_> = fields.iter().map(|field| value(&field.ty)).collect();
            shape(values, move |values| {
                Shape::Record(names.iter().cloned().zip(values).collect())
            })
        }
        Type::Variant(cases) => {
            let cases = cases.to_vec();
            let case = prop::sample::select(cases).prop_flat_map(|case| {
                let name = case.name.to_string();
                payload(case.ty.as_ref()).prop_map(move |payload| (name.clone(), payload))
            });
            shape(case, |(name, payload)| Shape::Variant(name, payload))
        }
        Type::Enum(names) => shape(prop::sample::select(names.to_vec()), |name| {
            Shape::Enum(name.to_string())
        }),
        Type::Option(some) => shape(of(value(some)), |value| Shape::Option(value.map(Box::new))),
        Type::Result { ok, err } => {
            let ok = payload(ok.as_deref()).prop_map(Ok);
            let err = payload(err.as_deref()).prop_map(Err);
            shape(prop_oneof![ok, err], Shape::Result)
        }
        Type::Flags(names) => shape(
            prop::sample::subsequence(names.to_vec(), 0..=names.len()),
            |names| Shape::Flags(names.iter().map(ToString::to_string).collect()),
        ),
        Type::Resource => shape(vec(any::<u8>(), 0..4), Shape::Resource),
        Type::Stream(_) | Type::Future(_) => panic!("they have no values"),
    }
}

/// Any type and a value of it.
pub(crate) fn typed(resources: bool) -> impl Strategy<Value = (Type, Value)> {
    a_type(resources).prop_flat_map(|ty| value(&ty).prop_map(move |value| (ty.clone(), value)))
}
