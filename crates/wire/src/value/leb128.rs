//! LEB128: integers in groups of seven bits, the lowest first, with the top bit of a byte set where another follows.
//!
//! Written in as few bytes as possible, as v1 does. Read in any form that a WebAssembly binary may have too: zeros or
//! signs may pad it, up to the ⌈bits/7⌉ bytes that the widest value needs, and no bit may be lost.

use super::error::Malformed;

/// What became of reading one integer.
pub(super) enum Read<T> {
    /// The value and the number of its bytes.
    Value(T, usize),
    /// The bytes end before it does.
    Incomplete,
    /// It is no integer of that width.
    Malformed(Malformed),
}

pub(super) fn unsigned(bytes: &[u8], bits: u32) -> Read<u64> {
    let most = bits.div_ceil(7);
    let mut value = 0_u64;
    for (byte, index) in bytes.iter().zip(0..most) {
        let low = byte & 0x7f;
        if index + 1 == most {
            if byte & 0x80 != 0 {
                return Read::Malformed(Malformed::IntegerTooLong { bits });
            }
            if low >> (bits - 7 * index) != 0 {
                return Read::Malformed(Malformed::IntegerTooLarge { bits });
            }
        }
        value |= u64::from(low) << (7 * index);
        if byte & 0x80 == 0 {
            return Read::Value(value, index as usize + 1);
        }
    }
    Read::Incomplete
}

pub(super) fn signed(bytes: &[u8], bits: u32) -> Read<i64> {
    let most = bits.div_ceil(7);
    let mut value = 0_i64;
    for (byte, index) in bytes.iter().zip(0..most) {
        let low = byte & 0x7f;
        // Bit 6 is the sign of the last byte.
        let group = ((low << 1) as i8) >> 1;
        if index + 1 == most {
            if byte & 0x80 != 0 {
                return Read::Malformed(Malformed::IntegerTooLong { bits });
            }
            // Only so many bits are left; those above must repeat the sign.
            let half = 1_i16 << (bits - 7 * index - 1);
            if !(-half..half).contains(&i16::from(group)) {
                return Read::Malformed(Malformed::IntegerTooLarge { bits });
            }
        }
        if byte & 0x80 == 0 {
            value |= i64::from(group) << (7 * index);
            return Read::Value(value, index as usize + 1);
        }
        value |= i64::from(low) << (7 * index);
    }
    Read::Incomplete
}

pub(super) fn put_unsigned(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(super) fn put_signed(mut value: i64, out: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        let sign = low & 0x40 != 0;
        if (value == 0 && !sign) || (value == -1 && sign) {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<T>(read: Read<T>, bytes: &[u8]) -> Result<T, Option<Malformed>> {
        match read {
            Read::Value(value, len) => {
                assert_eq!(len, bytes.len());
                Ok(value)
            }
            Read::Incomplete => Err(None),
            Read::Malformed(why) => Err(Some(why)),
        }
    }

    fn read_unsigned(bytes: &[u8], bits: u32) -> Result<u64, Option<Malformed>> {
        value(unsigned(bytes, bits), bytes)
    }

    fn read_signed(bytes: &[u8], bits: u32) -> Result<i64, Option<Malformed>> {
        value(signed(bytes, bits), bytes)
    }

    fn large<T>(bits: u32) -> Result<T, Option<Malformed>> {
        Err(Some(Malformed::IntegerTooLarge { bits }))
    }

    fn long<T>(bits: u32) -> Result<T, Option<Malformed>> {
        Err(Some(Malformed::IntegerTooLong { bits }))
    }

    #[test]
    fn edges_of_every_width() {
        for bits in [16, 32, 64] {
            let top = u64::MAX >> (64 - bits);
            for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, top - 1, top] {
                let mut bytes = Vec::new();
                put_unsigned(value, &mut bytes);
                assert_eq!(read_unsigned(&bytes, bits), Ok(value));
            }
            let top = i64::MAX >> (64 - bits);
            for value in [
                0,
                1,
                -1,
                63,
                64,
                -64,
                -65,
                8191,
                8192,
                -8192,
                -8193,
                top,
                -top - 1,
            ] {
                let mut bytes = Vec::new();
                put_signed(value, &mut bytes);
                assert_eq!(read_signed(&bytes, bits), Ok(value), "{bits} {value}");
            }
        }
    }

    #[test]
    fn the_edge_that_v1_refuses() {
        let mut bytes = Vec::new();
        put_signed(i64::from(i16::MIN), &mut bytes);
        assert_eq!(bytes, [0x80, 0x80, 0x7e]);
        assert_eq!(read_signed(&bytes, 16), Ok(-32768));
    }

    #[test]
    fn padding_is_fine_and_lost_bits_are_not() {
        assert_eq!(read_unsigned(&[0x80, 0x00], 16), Ok(0));
        assert_eq!(read_unsigned(&[0xff, 0x80, 0x00], 16), Ok(127));
        assert_eq!(read_signed(&[0xff, 0xff, 0x7f], 16), Ok(-1));
        assert_eq!(read_signed(&[0x80, 0x80, 0x00], 16), Ok(0));
        assert_eq!(read_unsigned(&[0xff, 0xff, 0x04], 16), large(16));
        assert_eq!(read_unsigned(&[0x80, 0x80, 0x80, 0x00], 16), long(16));
        assert_eq!(read_unsigned(&[0xff, 0xff, 0xff, 0xff, 0x10], 32), large(32));
        assert_eq!(read_unsigned(&[0xff; 10], 64), long(64));
        assert_eq!(
            read_unsigned(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 64),
            large(64)
        );
        // 32768 and -32769 have 17 bits.
        assert_eq!(read_signed(&[0x80, 0x80, 0x02], 16), large(16));
        assert_eq!(read_signed(&[0xff, 0xff, 0x7d], 16), large(16));
        assert_eq!(read_signed(&[0x80, 0x80, 0x80, 0x80, 0x08], 32), large(32));
        assert_eq!(
            read_signed(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 64),
            large(64)
        );
        assert_eq!(read_signed(&[0xff; 10], 64), long(64));
        for cut in [&[][..], &[0x80], &[0x80, 0x80]] {
            assert_eq!(read_unsigned(cut, 16), Err(None));
            assert_eq!(read_signed(cut, 16), Err(None));
        }
    }
}
