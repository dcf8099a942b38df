//! Bytes into the parts that values are made of; `tree` puts the parts together.

mod tree;

use std::mem::size_of;

use super::MAX_DEPTH;
use super::error::{DecodeError, Malformed};
use super::leb128::{self, Read};

/// How much the values of one message may become. A byte of a message may stand for a value of 40 bytes, and a byte
/// of a record for that and a name, so the size of a message says little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many levels deep, at most [`MAX_DEPTH`].
    pub depth: usize,
    /// How many bytes of memory all values together may take, by an estimate that counts values, names, texts and
    /// what an allocation costs. A `list<u8>` counts as so many values, whatever
    /// [`Dynamic::from_bytes`](super::Dynamic::from_bytes) makes of it.
    pub memory: usize,
    /// How many items of lists may have no bytes at all, such as an empty tuple; all together. No type of a component
    /// has such values.
    pub empty_items: usize,
}

impl Default for Limits {
    /// 100 levels, 256 MiB (as much as the memory of one component may be by default, wire reference §19), and 65,536
    /// items without bytes.
    fn default() -> Self {
        Self {
            depth: MAX_DEPTH,
            memory: 256 << 20,
            empty_items: 1 << 16,
        }
    }
}

/// What an allocation costs beside its bytes.
const ALLOCATION: usize = 16;

/// Reads values off the front of some bytes: whole ones by their type, or the parts they are made of.
///
/// After an error it stands somewhere inside the value that had it. A value that was [`DecodeError::Incomplete`] is
/// read again from its start, with a new decoder, when there are more bytes.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    limits: Limits,
    memory_left: usize,
    empty_left: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder with the default [`Limits`].
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_limits(bytes, Limits::default())
    }

    /// A decoder with limits, which hold for all that is read with it.
    pub fn with_limits(bytes: &'a [u8], limits: Limits) -> Self {
        Self {
            rest: bytes,
            limits,
            memory_left: limits.memory,
            empty_left: limits.empty_items,
        }
    }

    /// How many bytes have not been read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether all bytes have been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that have not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// An error where bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(invalid(Malformed::Trailing { count })),
        }
    }

    /// Reads a part, with errors that name it: `field("headers", …)`.
    pub fn field<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        read(self).map_err(|error| error.inside(name))
    }

    /// The next bytes as they are.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| self.short_of(len))?;
        self.rest = rest;
        Ok(taken)
    }

    /// `u8`
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// `s8`
    pub fn s8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_le_bytes)
    }

    /// `bool`
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.tag("bool")
    }

    /// `u16`
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        // The conversion keeps all bits: those above 16 were found to be zero.
        self.unsigned(16).map(|value| value as u16)
    }

    /// `u32`
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.unsigned(32).map(|value| value as u32)
    }

    /// `u64`
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.unsigned(64)
    }

    /// `s16`
    pub fn s16(&mut self) -> Result<i16, DecodeError> {
        self.signed(16).map(|value| value as i16)
    }

    /// `s32`
    pub fn s32(&mut self) -> Result<i32, DecodeError> {
        self.signed(32).map(|value| value as i32)
    }

    /// `s64`
    pub fn s64(&mut self) -> Result<i64, DecodeError> {
        self.signed(64)
    }

    /// `f32`
    pub fn f32(&mut self) -> Result<f32, DecodeError> {
        self.array().map(f32::from_le_bytes)
    }

    /// `f64`
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_le_bytes)
    }

    /// `char`
    pub fn char(&mut self) -> Result<char, DecodeError> {
        let most = self.rest.len().min(4);
        let head = self.rest.get(..most).unwrap_or_default();
        let valid = match std::str::from_utf8(head) {
            Ok(text) => text,
            Err(error) if error.valid_up_to() > 0 => {
                let valid = head.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
            Err(error) if error.error_len().is_none() => return Err(DecodeError::Incomplete { needed: 1 }),
            Err(_) => return Err(invalid(Malformed::Char)),
        };
        let Some(char) = valid.chars().next() else {
            return Err(DecodeError::Incomplete { needed: 1 });
        };
        self.take(char.len_utf8())?;
        Ok(char)
    }

    /// `string`
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| {
            invalid(Malformed::Utf8 {
                valid: error.valid_up_to(),
            })
        })
    }

    /// `list<u8>`
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.list_len()?;
        self.charge(len.saturating_add(ALLOCATION))?;
        self.take(len)
    }

    /// How many items a list has. Nothing is known yet of whether they are there: let [`Decoder::list`] read them.
    pub fn list_len(&mut self) -> Result<usize, DecodeError> {
        self.u32().map(|len| len as usize)
    }

    /// `list<…>`, with errors that name the item. `T` is counted with its size and what its own parts cost.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let len = self.list_len()?;
        self.charge_items::<T>(len)?;
        self.items(len, 0, &mut item)
    }

    /// `option<…>`
    pub fn option<T>(
        &mut self,
        some: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.tag("option")? {
            some(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// `result<…>`
    pub fn result<T, E>(
        &mut self,
        ok: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
        err: impl FnOnce(&mut Self) -> Result<E, DecodeError>,
    ) -> Result<Result<T, E>, DecodeError> {
        if self.tag("result")? {
            err(self).map(Err)
        } else {
            ok(self).map(Ok)
        }
    }

    /// The number of a case of a variant or enum that has `cases` of them, which is less than that.
    pub fn case(&mut self, cases: usize) -> Result<usize, DecodeError> {
        let found = self.u32()?;
        if (found as usize) < cases {
            Ok(found as usize)
        } else {
            Err(invalid(Malformed::Case { found, cases }))
        }
    }

    /// The items of a list, whose memory was counted. `least` is how many bytes each has at least.
    fn items<T>(
        &mut self,
        len: usize,
        least: usize,
        read: &mut impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let bytes = len.saturating_mul(least);
        if bytes > self.rest.len() {
            return Err(self.short_of(bytes));
        }
        let mut items = Vec::with_capacity(len.min(self.rest.len()));
        for index in 0..len {
            let before = self.rest.len();
            items.push(read(self).map_err(|error| error.inside(format_args!("[{index}]")))?);
            if self.rest.len() == before {
                self.empty_left = self.empty_left.checked_sub(1).ok_or(DecodeError::TooLarge {
                    at: format!("[{index}]"),
                    limit: self.limits.empty_items,
                    unit: "items without bytes",
                })?;
            }
        }
        Ok(items)
    }

    fn charge_items<T>(&mut self, len: usize) -> Result<(), DecodeError> {
        // What takes no memory takes time.
        let bytes = len.saturating_mul(size_of::<T>().max(1));
        self.charge(bytes.saturating_add(ALLOCATION))
    }

    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.memory_left = self
            .memory_left
            .checked_sub(bytes)
            .ok_or_else(|| DecodeError::TooLarge {
                at: String::new(),
                limit: self.limits.memory,
                unit: "bytes of memory",
            })?;
        Ok(())
    }

    fn tag(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(invalid(Malformed::Tag { what, found })),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.short_of(N))?;
        self.rest = rest;
        Ok(*array)
    }

    fn unsigned(&mut self, bits: u32) -> Result<u64, DecodeError> {
        let read = leb128::unsigned(self.rest, bits);
        self.integer(read)
    }

    fn signed(&mut self, bits: u32) -> Result<i64, DecodeError> {
        let read = leb128::signed(self.rest, bits);
        self.integer(read)
    }

    fn integer<T>(&mut self, read: Read<T>) -> Result<T, DecodeError> {
        match read {
            Read::Value(value, len) => {
                self.take(len)?;
                Ok(value)
            }
            Read::Incomplete => Err(DecodeError::Incomplete { needed: 1 }),
            Read::Malformed(why) => Err(invalid(why)),
        }
    }

    fn short_of(&self, len: usize) -> DecodeError {
        DecodeError::Incomplete {
            needed: len.saturating_sub(self.rest.len()).max(1),
        }
    }
}

pub(crate) fn invalid(reason: Malformed) -> DecodeError {
    DecodeError::Invalid {
        at: String::new(),
        reason,
    }
}

pub(crate) fn no_case(index: usize, cases: usize) -> DecodeError {
    invalid(Malformed::Case {
        found: index as u32,
        cases,
    })
}
