//! What a server logs, kept until somebody wants to read it.

use parking_lot::Mutex;
use std::{collections::VecDeque, io, sync::Arc};

/// Most bytes that are kept: the last ones.
const LIMIT: usize = 256 << 10;

/// A log in memory. Clones are one log.
#[derive(Debug, Clone, Default)]
pub struct CapturedLog(Arc<Mutex<VecDeque<u8>>>);

impl CapturedLog {
    /// What was logged since the last time.
    pub(super) fn take(&self) -> String {
        let bytes = Vec::from(std::mem::take(&mut *self.0.lock()));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock();
        kept.extend(bytes);
        let excess = kept.len().saturating_sub(LIMIT);
        kept.drain(..excess);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_end_of_a_long_log_is_kept() {
        let log = CapturedLog::default();
        log.clone().write_all(&vec![b'a'; LIMIT]).unwrap();
        log.clone().write_all(b"end").unwrap();
        let taken = log.take();
        assert!(taken.len() == LIMIT && taken.ends_with("aend"));
        assert_eq!(log.take(), "");
    }
}
