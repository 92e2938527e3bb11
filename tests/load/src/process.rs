//! What the kernel knows about a process: its memory and its time on the processors, from `/proc` (proc(5)).

use anyhow::{Context, Result};
use std::{fs, ops, time::Duration};

/// The unit of processor times in `/proc`: `USER_HZ` is 100 on every Linux of today's architectures.
const TICK: Duration = Duration::from_millis(10);

/// Memory of processes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident memory that no file backs.
    pub(crate) anonymous: u64,
    /// All resident memory, with the program's own pages and mapped files.
    pub(crate) resident: u64,
    /// The highest `resident` since the start or since [`Processes::reset_peak`].
    pub(crate) peak: u64,
}

impl ops::Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            anonymous: self.anonymous + other.anonymous,
            resident: self.resident + other.resident,
            peak: self.peak + other.peak,
        }
    }
}

/// The processes that together are the server: it, and its etcd when that was named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Processes(pub(crate) Vec<u32>);

impl Processes {
    /// Memory of all together; `None` when no process is known.
    ///
    /// # Errors
    /// A process is gone.
    pub(crate) fn memory(&self) -> Result<Option<Memory>> {
        let mut sum = None;
        for pid in &self.0 {
            let path = format!("/proc/{pid}/status");
            let status =
                fs::read_to_string(&path).with_context(|| format!("{path}: has the process ended?"))?;
            let one = parse_status(&status).with_context(|| format!("{path} lacks memory figures"))?;
            sum = Some(sum.unwrap_or_default() + one);
        }
        Ok(sum)
    }

    /// Processor time that all used so far, in the user's and the kernel's code; `None` when no process is known.
    ///
    /// # Errors
    /// A process is gone.
    pub(crate) fn cpu(&self) -> Result<Option<Duration>> {
        let mut sum = None;
        for pid in &self.0 {
            let time = cpu_of(&pid.to_string())?;
            sum = Some(sum.unwrap_or_default() + time);
        }
        Ok(sum)
    }

    /// Makes the peak start again from what is resident now.
    ///
    /// # Errors
    /// The processes belong to somebody else.
    pub(crate) fn reset_peak(&self) -> Result<()> {
        for pid in &self.0 {
            let path = format!("/proc/{pid}/clear_refs");
            // 5 resets the "high water mark" and nothing else.
            fs::write(&path, "5").with_context(|| format!("{path}: run as the server's user"))?;
        }
        Ok(())
    }
}

/// Processor time of the load generator itself.
///
/// # Errors
/// `/proc` is not mounted.
pub(crate) fn own_cpu() -> Result<Duration> {
    cpu_of("self")
}

fn cpu_of(pid: &str) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("{path}: has the process ended?"))?;
    parse_stat(&stat).with_context(|| format!("{path} lacks processor times"))
}

/// Memory from the text of `/proc/PID/status`, where figures are in KiB.
fn parse_status(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Memory { anonymous: field("RssAnon")?, resident: field("VmRSS")?, peak: field("VmHWM")? })
}

/// utime + stime from the text of `/proc/PID/stat`: fields 14 and 15. The second field, the name, is in parentheses
/// and may itself hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()?.checked_add(fields.next()?.parse().ok()?)?;
    Some(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status =
            "Name:\tserver\nVmHWM:\t   20 kB\nVmRSS:\t   12 kB\nRssAnon:\t       8 kB\nThreads:\t3\n";
        let expected = Memory { anonymous: 8192, resident: 12288, peak: 20480 };
        assert_eq!(parse_status(status), Some(expected));
        assert_eq!(parse_status("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn processor_time_is_the_users_and_the_kernels() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 99";
        assert_eq!(parse_stat(stat), Some(Duration::from_secs(3)));
        assert_eq!(parse_stat("7 (a) S 1 2"), None);
    }

    #[test]
    fn the_own_process_can_be_read() {
        let own = Processes(vec![std::process::id()]);
        assert!(own.memory().unwrap().unwrap().resident > 0);
        assert!(own.cpu().unwrap().is_some());
        assert_eq!(Processes::default().memory().unwrap(), None);
    }
}
