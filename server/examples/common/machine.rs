//! What the numbers depend on: the machine, its disk, and who else is at work.

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::figures::median;

/// One line about the machine, etcd's version, and the disk of this directory.
pub fn describe(dir: &Path) -> Result<String, Box<dyn Error>> {
    let output = Command::new("df").arg("--output=fstype").arg(dir).output()?;
    let filesystem = String::from_utf8(output.stdout)?;
    let etcd = Command::new("etcd").arg("--version").output()?;
    let etcd = String::from_utf8(etcd.stdout)?;
    let (middle, worst) = sync_times(dir)?;
    Ok(format!(
        "{} cores · {} · data on {}, where 4 KiB and fdatasync take {middle:.2} ms \
         (p99 {worst:.2} ms)",
        std::thread::available_parallelism()?,
        etcd.lines().next().unwrap_or("etcd ?"),
        filesystem.lines().last().unwrap_or("?"),
    ))
}

/// The load averages now.
pub fn load() -> std::io::Result<String> {
    Ok(fs::read_to_string("/proc/loadavg")?.trim().to_owned())
}

/// Median and 99th percentile of a synced write into a preallocated file, in ms.
fn sync_times(dir: &Path) -> Result<(f64, f64), Box<dyn Error>> {
    const WRITES: usize = 300;
    let block = [1; 4096];
    let path = dir.join("probe");
    let file = File::create(&path)?;
    file.write_all_at(&vec![0; WRITES * block.len()], 0)?;
    file.sync_all()?;
    let mut times = Vec::new();
    for at in 0..WRITES {
        let begin = Instant::now();
        file.write_all_at(&block, (at * block.len()) as u64)?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(&path)?;
    times.sort_by(f64::total_cmp);
    Ok((median(&times), times[WRITES * 99 / 100]))
}
