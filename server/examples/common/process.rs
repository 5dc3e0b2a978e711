//! What it takes to start a server: its program, a port, and an end with this process.

use std::error::Error;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// The server that was built beside this example.
pub fn quorate_binary() -> Result<PathBuf, Box<dyn Error>> {
    Ok(std::env::current_exe()?.parent().ok_or("no directory")?.join("../quorate"))
}

/// A command that the kernel kills when this process is gone, however it went.
pub fn command(binary: &Path, log: &Path) -> Result<Command, Box<dyn Error>> {
    let log = File::create(log)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// A port nobody listens on, below those that the system gives to clients, and
/// never the same one twice in a row.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let spread = (std::process::id() % 97) as u16 * 200;
        let port = 11_000 + spread.wrapping_add(step) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
