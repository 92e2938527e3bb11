//! The wire format of protocol buffers (<https://protobuf.dev/programming-guides/encoding/>).

/// How a field's value is written.
pub(super) mod form {
    pub(crate) const VARINT: u8 = 0;
    pub(crate) const FIXED64: u8 = 1;
    pub(crate) const BYTES: u8 = 2;
    pub(crate) const START_GROUP: u8 = 3;
    pub(crate) const END_GROUP: u8 = 4;
    pub(crate) const FIXED32: u8 = 5;
}

/// The texts of the decoders that Go's types have.
const EOF: &str = "unexpected EOF";
const OVERFLOW: &str = "proto: integer overflow";
/// How deep groups and messages may lie in each other.
pub(super) const DEPTH: u32 = 120;

/// Reads a message's fields one after the other.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn varint(&mut self) -> Result<u64, String> {
        // Nearly all keys and lengths are one byte.
        if let [byte @ 0..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 { EOF } else { OVERFLOW }.to_owned())
    }

    /// The next field's number and form; `None` at the end. `of` is named in errors.
    pub(super) fn field(&mut self, of: &str) -> Result<Option<(u32, u8)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let form = (key & 7) as u8;
        // As Go: the number is cut to 32 bits.
        let number = (key >> 3) as u32;
        if form == form::END_GROUP {
            return Err(format!("proto: {of}: wiretype end group for non-group"));
        }
        if number == 0 || number.cast_signed() < 0 {
            return Err(format!("proto: {of}: illegal tag {} (wire type {form})", number.cast_signed()));
        }
        Ok(Some((number, form)))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| EOF)?;
        self.take(length)
    }

    pub(super) fn fixed64(&mut self) -> Result<u64, String> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(EOF)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Passes over the value of a field that is not known.
    pub(super) fn skip(&mut self, form: u8) -> Result<(), String> {
        let mut open = 0;
        let mut form = form;
        loop {
            match form {
                form::VARINT => drop(self.varint()?),
                form::FIXED64 => drop(self.take(8)?),
                form::BYTES => drop(self.bytes()?),
                form::FIXED32 => drop(self.take(4)?),
                form::START_GROUP if open < DEPTH => open += 1,
                form::END_GROUP if open > 0 => open -= 1,
                form::END_GROUP => return Err("proto: unexpected end of group".to_owned()),
                _ => return Err(format!("proto: illegal wireType {form}")),
            }
            if open == 0 {
                return Ok(());
            }
            form = (self.varint()? & 7) as u8;
        }
    }
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn key(out: &mut Vec<u8>, number: u32, form: u8) {
    varint(out, u64::from(number) << 3 | u64::from(form));
}

pub(super) fn bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    key(out, number, form::BYTES);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn integer(out: &mut Vec<u8>, number: u32, value: u64) {
    key(out, number, form::VARINT);
    varint(out, value);
}

/// Begins a message whose length is not known yet; [`close`] takes what this returns.
pub(super) fn open(out: &mut Vec<u8>, number: u32) -> usize {
    key(out, number, form::BYTES);
    out.push(0);
    out.len()
}

/// Writes the length of the message that began at `start` in front of it.
pub(super) fn close(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    let length = end - start;
    if let (1.., Ok(short @ 0..0x80)) = (start, u8::try_from(length)) {
        out[start - 1] = short;
        return;
    }
    // One byte was kept free; a longer length moves the message on.
    varint(out, length as u64);
    let width = out.len() - end;
    let mut written = [0; 10];
    written[..width].copy_from_slice(&out[end..]);
    out.truncate(end + width - 1);
    out.copy_within(start..end, start + width - 1);
    out[start - 1..start - 1 + width].copy_from_slice(&written[..width]);
}
