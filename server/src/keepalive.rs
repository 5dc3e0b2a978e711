//! Signs of life: the kernel ends a connection whose other end gives none.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Questions without an answer after which a connection is ended.
const PROBES: u32 = 3;

/// How long an end may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// An idle one is asked for a sign of life after this long,
    pub idle: Duration,
    /// and again after this long.
    pub probe_interval: Duration,
    /// How long what was sent may stay unacknowledged: in an outage the kernel waits
    /// longer between retransmissions each time. As long as the kernel likes, if none.
    pub unacknowledged: Option<Duration>,
}

impl Patience {
    /// Has the kernel expect signs of life on this connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(stream);
        let keepalive = TcpKeepalive::new().with_time(self.idle).with_interval(self.probe_interval);
        socket.set_tcp_keepalive(&keepalive.with_retries(PROBES))?;
        match self.unacknowledged {
            Some(_) => socket.set_tcp_user_timeout(self.unacknowledged),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_is_told_to_expect_signs_of_life() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let seconds = Duration::from_secs;
        let (idle, probe_interval, unacknowledged) = (seconds(7), seconds(2), Some(seconds(9)));
        Patience { idle, probe_interval, unacknowledged }.apply(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), idle);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), probe_interval);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
        assert_eq!(socket.tcp_user_timeout().unwrap(), unacknowledged);
    }
}
