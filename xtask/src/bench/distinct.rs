//! Many components out of one: the same code, other bytes, so that a host takes each for a component of its own.

/// The section that makes the difference. Its name says where such a component came from, should one turn up.
const SECTION: &str = "wasmcloud-bench";

/// The component with a custom section more, which nothing reads and which is different for each number.
pub(super) fn variant(component: &[u8], number: u32) -> Vec<u8> {
    let mut payload = leb128(SECTION.len());
    payload.extend(SECTION.as_bytes());
    payload.extend(number.to_le_bytes());

    let mut bytes = component.to_vec();
    // 0 is the id of a custom section, in a component as in a module.
    bytes.push(0);
    bytes.extend(leb128(payload.len()));
    bytes.extend(payload);
    bytes
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_differ_in_a_section_at_the_end() {
        let component = b"\0asm\x0d\0\x01\0";
        let (one, other) = (variant(component, 1), variant(component, 256));
        assert_eq!(one, b"\0asm\x0d\0\x01\0\0\x14\x0fwasmcloud-bench\x01\0\0\0");
        assert_ne!(one, other);
    }

    #[test]
    fn numbers_above_seven_bits_take_more_bytes() {
        assert_eq!(leb128(0x7f), [0x7f]);
        assert_eq!(leb128(0x80), [0x80, 0x01]);
    }
}
