//! Real processes and real signals: a gateway that is told to end, and one that is killed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use inat_gateway::{Config, Upstream, faithful, serve, signalled};
use inat_session::Session;

use crate::support::{Answer, Origin, Say, connect, until};

/// Not a test: the gateway in a process of its own. Its settings are in the environment.
#[test]
#[ignore = "run by the tests below"]
fn child() {
    let folder = std::path::PathBuf::from(std::env::var_os("GATEWAY_FOLDER").expect("run by the tests below"));
    // It ends with whoever started it, who says nothing and holds the other end.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let mut config = Config::default();
    config.listen = vec!["127.0.0.1:0".parse().unwrap()];
    config.upstreams = vec![Upstream::origin(&std::env::var("GATEWAY_UPSTREAM").unwrap()).unwrap()];
    let session = faithful(Session::builder())
        .headers_only()
        .cache_file(folder.join("cache.db"))
        .ratelimit_path(folder.join("budget.db"))
        .per_second(0.0)
        .per_minute(3.0)
        .per_day(0.0)
        .read_whole(64 << 10);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let gateway = serve(config, session).await.unwrap();
        let address = gateway.addresses().remove(0);
        std::fs::write(folder.join("address.new"), address).unwrap();
        std::fs::rename(folder.join("address.new"), folder.join("address")).unwrap();
        assert_eq!(gateway.run_until(signalled()).await.cut_off, 0);
    });
}

struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(folder: &Path, origin: &Origin) -> Self {
        let _ = std::fs::remove_file(folder.join("address"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--ignored"])
            .env("GATEWAY_FOLDER", folder)
            .env("GATEWAY_UPSTREAM", format!("http://{}", origin.addr))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Self { child, address: String::new() };
        until("it begins", || {
            assert_eq!(process.child.try_wait().unwrap(), None, "it ended before it began");
            process.address = std::fs::read_to_string(folder.join("address")).unwrap_or_default();
            !process.address.is_empty()
        });
        process
    }

    fn ask(&self, target: &str, fields: &str) -> TcpStream {
        let mut stream = connect(self.address.trim_start_matches("http://").parse().unwrap());
        write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").unwrap();
        stream
    }

    fn get(&self, target: &str, fields: &str) -> Answer {
        Answer::read(&mut self.ask(target, fields)).unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    fn ends_well(mut self) {
        until("it ends", || self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sigterm_lets_a_download_end() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start(|_| Say::ok("", &"d".repeat(30 << 20)));
    let gateway = Process::start(folder.path(), &origin);
    let mut stream = gateway.ask("/large", "");
    let mut first = [0; 4096];
    stream.read_exact(&mut first).unwrap();
    gateway.signal("-TERM");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let head = first.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(first.len() + rest.len() - head, 30 << 20);
    gateway.ends_well();
}

#[test]
fn sigkill_loses_neither_cache_nor_budget() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start(|seen| Say::ok("Cache-Control: max-age=600\r\n", seen.target()));
    let gateway = Process::start(folder.path(), &origin);
    assert_eq!((gateway.get("/1", "").status, gateway.get("/2", "").status), (200, 200));
    gateway.signal("-KILL");
    drop(gateway);

    let gateway = Process::start(folder.path(), &origin);
    for target in ["/1", "/2"] {
        let kept = gateway.get(target, "");
        assert_eq!((kept.text().as_str(), kept.cache().contains("; hit")), (target, true), "{}", kept.cache());
    }
    assert_eq!(gateway.get("/3", "").status, 200);
    assert_eq!(gateway.get("/4", "Prefer: wait=0\r\n").status, 429, "the two before the kill count");
    assert_eq!(origin.count(), 3);
}
