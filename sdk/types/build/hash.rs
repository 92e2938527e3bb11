//! The hash by which a member is found in its struct; the build script and the crate share this file.

/// Mixes the number of a type with the length of a name and its first and last eight bytes. Names that agree in all of
/// that share a slot, and are told apart there.
pub(crate) fn member(of: u16, name: &[u8]) -> usize {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        let end = name.len().min(at + 8);
        bytes[..end - at].copy_from_slice(&name[at..end]);
        u64::from_le_bytes(bytes)
    };
    let (first, last) = (word(0), word(name.len().saturating_sub(8)));
    let seed = (name.len() as u64) << 16 | u64::from(of);
    let mixed = (first ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 32 ^ last).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    // The upper half depends on all that came in.
    (mixed >> 32) as usize
}
