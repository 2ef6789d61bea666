//! What the daemon tells systemd: that it is ready when it is, and that it stops.

use tokio::net::UnixDatagram;

use crate::harness::{Daemon, Workshop, within};

async fn told(socket: &UnixDatagram, what: &str) {
    within(&format!("{what} for systemd"), async {
        let mut buffer = [0_u8; 4096];
        loop {
            let length = socket.recv(&mut buffer).await.expect("a notice");
            let notice = std::str::from_utf8(&buffer[..length]).expect("text");
            if notice.lines().any(|line| line == what) {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn readiness_and_the_stop_are_told() {
    let workshop = Workshop::new("").shipped();
    let path = workshop.path("notify.sock");
    let socket = UnixDatagram::bind(&path).expect("bound");
    let mut daemon = Daemon::start_in(workshop, &[("NOTIFY_SOCKET", path.to_str().expect("text"))]).await;
    told(&socket, "READY=1").await;
    assert!(daemon.stop().await.success());
    told(&socket, "STOPPING=1").await;
}
