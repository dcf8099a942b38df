//! Bytes into values of types that are known at run time only.

use std::fmt::Display;
use std::mem::size_of;
use std::sync::Arc;

use super::{ALLOCATION, Decoder, invalid, no_case};
use crate::value::dynamic::{Dynamic, Shape};
use crate::value::error::{DecodeError, Malformed};
use crate::value::{MAX_DEPTH, Type};

impl Decoder<'_> {
    /// A value of a type. Errors say where in it they are, behind `value`.
    pub fn value<V: Dynamic>(&mut self, ty: &Type) -> Result<V::Value, DecodeError> {
        self.charge(size_of::<V::Value>())
            .and_then(|()| self.node::<V>(ty, self.depth()))
            .map_err(|error| error.inside("value"))
    }

    /// Values of these types, one behind the other, as the parameters of a function are. Errors say where they are
    /// behind `what`: `params.1.name`.
    pub fn sequence<V: Dynamic>(&mut self, what: &str, types: &[Type]) -> Result<Vec<V::Value>, DecodeError> {
        self.charge_items::<V::Value>(types.len())
            .and_then(|()| self.members::<V>(types, self.depth()))
            .map_err(|error| error.inside(what))
    }

    fn depth(&self) -> usize {
        self.limits.depth.min(MAX_DEPTH)
    }

    /// `depth` is how many levels there may be, this one included. Whoever calls has counted the memory of the value
    /// itself; here it is counted what the value points to.
    fn node<V: Dynamic>(&mut self, ty: &Type, depth: usize) -> Result<V::Value, DecodeError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(DecodeError::TooDeep {
                at: String::new(),
                limit: self.depth(),
            });
        };
        let shape = match ty {
            Type::Bool => Shape::Bool(self.bool()?),
            Type::U8 => Shape::U8(self.u8()?),
            Type::U16 => Shape::U16(self.u16()?),
            Type::U32 => Shape::U32(self.u32()?),
            Type::U64 => Shape::U64(self.u64()?),
            Type::S8 => Shape::S8(self.s8()?),
            Type::S16 => Shape::S16(self.s16()?),
            Type::S32 => Shape::S32(self.s32()?),
            Type::S64 => Shape::S64(self.s64()?),
            Type::Float32 => Shape::Float32(self.f32()?),
            Type::Float64 => Shape::Float64(self.f64()?),
            Type::Char => Shape::Char(self.char()?),
            Type::String => Shape::String(self.string()?.to_owned()),
            Type::List(item) if matches!(**item, Type::U8) && depth > 0 => {
                let len = self.list_len()?;
                self.charge_items::<V::Value>(len)?;
                return self.take(len).map(V::from_bytes);
            }
            Type::List(item) => {
                let len = self.list_len()?;
                self.charge_items::<V::Value>(len)?;
                let least = if len == 0 { 0 } else { item.least_bytes() };
                Shape::List(self.items(len, least, &mut |this| this.node::<V>(item, depth))?)
            }
            Type::Tuple(types) => {
                self.charge_items::<V::Value>(types.len())?;
                Shape::Tuple(self.members::<V>(types, depth)?)
            }
            Type::Record(types) => {
                self.charge_items::<(String, V::Value)>(types.len())?;
                let mut fields = Vec::with_capacity(types.len());
                for field in types.iter() {
                    let name = self.name(&field.name)?;
                    let value = self
                        .node::<V>(&field.ty, depth)
                        .map_err(|error| error.inside(&name))?;
                    fields.push((name, value));
                }
                Shape::Record(fields)
            }
            Type::Variant(cases) => {
                let index = self.case(cases.len())?;
                let Some(case) = cases.get(index) else {
                    return Err(no_case(index, cases.len()));
                };
                let name = self.name(&case.name)?;
                let payload = self.optional::<V>(case.ty.as_ref(), &name, depth)?;
                Shape::Variant(name, payload)
            }
            Type::Enum(names) => {
                let index = self.case(names.len())?;
                let Some(name) = names.get(index) else {
                    return Err(no_case(index, names.len()));
                };
                Shape::Enum(self.name(name)?)
            }
            Type::Option(some) => Shape::Option(if self.tag("option")? {
                self.optional::<V>(Some(some), "some", depth)?
            } else {
                None
            }),
            Type::Result { ok, err } => Shape::Result(if self.tag("result")? {
                Err(self.optional::<V>(err.as_deref(), "err", depth)?)
            } else {
                Ok(self.optional::<V>(ok.as_deref(), "ok", depth)?)
            }),
            Type::Flags(names) => {
                let bytes = self.take(names.len().div_ceil(8))?;
                Shape::Flags(self.flags(names, bytes)?)
            }
            Type::Resource => Shape::Resource(self.bytes()?.to_vec()),
            Type::Stream(_) => return Err(cannot_travel("stream")),
            Type::Future(_) => return Err(cannot_travel("future")),
        };
        Ok(V::make(shape))
    }

    fn optional<V: Dynamic>(
        &mut self,
        ty: Option<&Type>,
        case: impl Display,
        depth: usize,
    ) -> Result<Option<Box<V::Value>>, DecodeError> {
        let Some(ty) = ty else { return Ok(None) };
        self.charge(size_of::<V::Value>().saturating_add(ALLOCATION))?;
        let value = self.node::<V>(ty, depth).map_err(|error| error.inside(&case))?;
        Ok(Some(Box::new(value)))
    }

    fn members<V: Dynamic>(&mut self, types: &[Type], depth: usize) -> Result<Vec<V::Value>, DecodeError> {
        let mut items = Vec::with_capacity(types.len());
        for (index, ty) in types.iter().enumerate() {
            items.push(self.node::<V>(ty, depth).map_err(|error| error.inside(index))?);
        }
        Ok(items)
    }

    fn flags(&mut self, names: &[Arc<str>], bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
        let used = names.len() % 8;
        if used > 0 && bytes.last().is_some_and(|last| last >> used != 0) {
            return Err(invalid(Malformed::Flag { flags: names.len() }));
        }
        let is_set = |index: usize| {
            bytes
                .get(index / 8)
                .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
        };
        let mut set = Vec::new();
        for (_, name) in names.iter().enumerate().filter(|(index, _)| is_set(*index)) {
            self.charge(size_of::<String>())?;
            set.push(self.name(name)?);
        }
        Ok(set)
    }

    fn name(&mut self, name: &str) -> Result<String, DecodeError> {
        self.charge(name.len().saturating_add(ALLOCATION))?;
        Ok(name.to_owned())
    }
}

fn cannot_travel(what: &'static str) -> DecodeError {
    DecodeError::CannotTravel {
        at: String::new(),
        what,
    }
}
