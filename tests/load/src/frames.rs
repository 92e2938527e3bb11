//! As much of HTTP/2 (RFC 9113) as reading many watches needs: a general client wakes a task for each frame of each
//! stream, which would make the generator the limit of a fan-out.

use bytes::{BufMut, BytesMut};

/// The largest window that there is: flow control is not what is measured.
pub(crate) const WINDOW: u32 = (1 << 31) - 1;
/// Length of a frame's header in bytes.
const HEADER: usize = 9;

/// Types of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Flags of frames.
pub(crate) const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// A frame as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// One of the types above, or one to ignore.
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    /// All behind the frame's header.
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame in `bytes`, and its length there; `None` while it is not complete.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        let payload = rest.get(..length)?;
        // The highest bit is reserved.
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & WINDOW;
        Some((Self { kind: header[3], flags: header[4], stream, payload }, HEADER + length))
    }

    /// The payload of a DATA or HEADERS frame without padding and priority; of others, all of it.
    pub(crate) fn content(&self) -> &'a [u8] {
        let mut content = self.payload;
        if matches!(self.kind, DATA | HEADERS) && self.flags & PADDED != 0 {
            let (&padding, rest) = content.split_first().unwrap_or((&0, &[]));
            content = rest.get(..rest.len().saturating_sub(padding.into())).unwrap_or_default();
        }
        if self.kind == HEADERS && self.flags & PRIORITY != 0 {
            content = content.get(5..).unwrap_or_default();
        }
        content
    }

    /// Bytes that count in flow control: a DATA frame's payload with its padding.
    pub(crate) fn flow(&self) -> usize {
        if self.kind == DATA { self.payload.len() } else { 0 }
    }

    /// The error code of a RST_STREAM or GOAWAY frame (RFC 9113, section 7).
    pub(crate) fn error(&self) -> Option<u32> {
        let code = match self.kind {
            RST_STREAM => self.payload.get(..4)?,
            GOAWAY => self.payload.get(4..8)?,
            _ => return None,
        };
        Some(u32::from_be_bytes(code.try_into().ok()?))
    }

    /// Whether this frame is the stream's last.
    pub(crate) fn ends_stream(&self) -> bool {
        self.kind == RST_STREAM || matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// Whether a HEADERS frame tells of status 200: the static table's entry 8 (RFC 7541, appendix A), perhaps behind
    /// a change of the dynamic table's size.
    pub(crate) fn is_ok(&self) -> bool {
        let status = self.content().iter().find(|byte| *byte & 0xe0 != 0x20);
        self.kind == HEADERS && status == Some(&0x88)
    }
}

/// What a client says first: the preface, settings that push nothing and open the windows wide.
pub(crate) fn put_preface(out: &mut BytesMut) {
    out.put_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // ENABLE_PUSH = 0, INITIAL_WINDOW_SIZE = the largest.
    put_header(out, 12, SETTINGS, 0, 0);
    out.put_u16(2);
    out.put_u32(0);
    out.put_u16(4);
    out.put_u32(WINDOW);
    put_window_update(out, WINDOW - 65_535);
}

/// Allows the server `increment` more bytes on the connection.
pub(crate) fn put_window_update(out: &mut BytesMut, increment: u32) {
    put_header(out, 4, WINDOW_UPDATE, 0, 0);
    out.put_u32(increment);
}

/// Acknowledges SETTINGS, or a PING with its content.
pub(crate) fn put_ack(out: &mut BytesMut, kind: u8, content: &[u8]) {
    put_header(out, content.len(), kind, ACK, 0);
    out.put_slice(content);
}

/// A GET without a body.
pub(crate) fn put_get(out: &mut BytesMut, stream: u32, authority: &str, path: &str, authorization: &str) {
    let mut block = BytesMut::new();
    // From the static table: `:method: GET`, `:scheme: https`.
    block.put_slice(&[0x82, 0x87]);
    for (name, value) in [(1, authority), (4, path), (19, "application/json"), (23, authorization)] {
        // A literal without indexing whose name is in the static table.
        put_integer(&mut block, 0, 4, name);
        put_integer(&mut block, 0, 7, value.len());
        block.put_slice(value.as_bytes());
    }
    put_header(out, block.len(), HEADERS, END_STREAM | END_HEADERS, stream);
    out.put_slice(&block);
}

fn put_header(out: &mut BytesMut, length: usize, kind: u8, flags: u8, stream: u32) {
    out.put_uint(length as u64, 3);
    out.put_slice(&[kind, flags]);
    out.put_u32(stream);
}

/// An integer with a prefix of `bits` bits below those of `first` (RFC 7541, section 5.1).
fn put_integer(out: &mut BytesMut, first: u8, bits: u32, value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        out.put_u8(first | value as u8);
        return;
    }
    out.put_u8(first | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.put_u8((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.put_u8(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_parsed_once_it_is_complete() {
        let bytes = [0, 0, 3, DATA, END_STREAM, 0x80, 0, 0, 5, b'a', b'b', b'\n', 9];
        for length in 0..12 {
            assert_eq!(Frame::parse(&bytes[..length]), None);
        }
        let (frame, length) = Frame::parse(&bytes).unwrap();
        assert_eq!((length, frame.stream, frame.content()), (12, 5, &b"ab\n"[..]));
        assert!(frame.ends_stream());
    }

    #[test]
    fn padding_and_priority_are_no_content() {
        let frame = Frame { kind: DATA, flags: PADDED, stream: 1, payload: &[2, 7, 8, 0, 0] };
        assert_eq!(frame.content(), [7, 8]);
        let frame = Frame {
            kind: HEADERS,
            flags: PADDED | PRIORITY,
            stream: 1,
            payload: &[1, 0, 0, 0, 0, 9, 0x88, 0],
        };
        assert!(frame.is_ok());
        // Malformed: more padding than there is.
        assert!(Frame { payload: &[200, 1], ..frame }.content().is_empty());
    }

    #[test]
    fn errors_and_flow_are_read_from_the_frames_that_have_them() {
        let goaway = Frame { kind: GOAWAY, flags: 0, stream: 0, payload: &[0, 0, 0, 9, 0, 0, 0, 3, b'!'] };
        assert_eq!((goaway.error(), goaway.flow()), (Some(3), 0));
        let reset = Frame { kind: RST_STREAM, stream: 9, payload: &[0, 0, 0, 8], ..goaway };
        assert_eq!((reset.error(), reset.ends_stream()), (Some(8), true));
        let data = Frame { kind: DATA, flags: PADDED, stream: 9, payload: &[2, 7, 8, 0, 0] };
        assert_eq!((data.error(), data.flow()), (None, 5));
    }

    #[test]
    fn only_status_200_is_ok() {
        let headers = |payload| Frame { kind: HEADERS, flags: END_HEADERS, stream: 1, payload };
        assert!(headers(&[0x88, 0x5f]).is_ok());
        assert!(headers(&[0x20, 0x88]).is_ok());
        assert!(!headers(&[0x8d]).is_ok());
        assert!(!headers(&[]).is_ok());
    }

    #[test]
    fn integers_follow_the_examples_of_rfc_7541() {
        let encoded = |bits, value| {
            let mut out = BytesMut::new();
            put_integer(&mut out, 0, bits, value);
            out.to_vec()
        };
        assert_eq!(encoded(5, 10), [10]);
        assert_eq!(encoded(5, 1337), [31, 154, 10]);
        assert_eq!(encoded(8, 42), [42]);
        assert_eq!(encoded(4, 15), [15, 0]);
    }

    #[test]
    fn what_is_sent_is_made_of_whole_frames() {
        let mut out = BytesMut::new();
        put_preface(&mut out);
        put_get(&mut out, 3, "localhost:6443", &"/x".repeat(100), "Bearer t");
        put_ack(&mut out, PING, &[1; 8]);
        let mut rest = &out[24..];
        let mut kinds = Vec::new();
        while let Some((frame, length)) = Frame::parse(rest) {
            kinds.push((frame.kind, frame.stream));
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        assert_eq!(kinds, [(SETTINGS, 0), (WINDOW_UPDATE, 0), (HEADERS, 3), (PING, 0)]);
    }
}
