//! Ending well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use inat_gateway::{Listen, serve};

use crate::support::{Answer, Origin, Say, config, connect, gate, in_time, plain, start, until};

fn held(size: usize) -> (Origin, std::sync::mpsc::Sender<()>) {
    let (release, gate) = gate();
    let origin = Origin::start(move |seen| {
        if seen.target() == "/held" {
            gate.pass();
        }
        Say::ok("", &"d".repeat(size))
    });
    (origin, release)
}

#[test]
fn a_download_under_way_comes_to_its_end() {
    let (origin, _release) = held(20 << 20);
    let mut gateway = start(config(vec![origin.upstream()]), plain().read_whole(64 << 10));
    let mut stream = gateway.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut start_of_it = vec![0; 100_000];
    stream.read_exact(&mut start_of_it).unwrap();
    let mut idle = gateway.connect();
    gateway.stop();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let head = start_of_it.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(start_of_it.len() + rest.len() - head, 20 << 20);
    assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)), "idle connections end at once");
    let addr = gateway.addr;
    assert_eq!(gateway.join().cut_off, 0);
    assert!(TcpStream::connect(addr).is_err(), "the door is shut");
}

#[test]
fn who_waits_beyond_the_bound_is_told() {
    let (origin, release) = held(1);
    let mut config = config(vec![origin.upstream()]);
    config.drain = Duration::from_millis(200);
    let mut gateway = start(config, plain().timeout(Duration::from_secs(60)));
    let mut stream = gateway.connect();
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    gateway.until("it waits", |_| origin.count() == 1);
    gateway.stop();
    let answer = Answer::read(&mut stream).unwrap();
    assert_eq!((answer.status, answer.field("retry-after").as_deref()), (503, Some("1")));
    drop(release);
    let drained = gateway.join();
    assert!(drained.took < Duration::from_secs(15), "{drained:?}");
}

#[test]
fn told_twice_it_does_not_wait() {
    let (origin, release) = held(1);
    let mut config = config(vec![origin.upstream()]);
    config.drain = Duration::from_secs(3600);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let gateway = runtime.block_on(in_time(serve(config, plain().timeout(Duration::from_secs(3600))))).unwrap();
    let Listen::Tcp(addr) = gateway.listening()[0] else { panic!("it listens elsewhere") };
    let (once, told_once) = tokio::sync::oneshot::channel::<()>();
    let (twice, told_twice) = tokio::sync::oneshot::channel::<()>();
    let served = runtime.spawn(gateway.run(async { drop(told_once.await) }, async { drop(told_twice.await) }));
    let mut stream = connect(addr);
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    until("it waits", || origin.count() == 1);
    drop((once, twice));
    assert_eq!(Answer::read(&mut stream).unwrap().status, 503);
    assert!(runtime.block_on(in_time(served)).is_ok());
    drop(release);
}

#[test]
fn what_was_kept_is_there_when_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=600\r\n", "kept"));
    let session = || plain().cache_file(folder.path().join("cache.db"));
    let gateway = start(config(vec![origin.upstream()]), session());
    assert_eq!(gateway.get("/k").text(), "kept");
    gateway.join();
    let gateway = start(config(vec![origin.upstream()]), session());
    let again = gateway.get("/k");
    assert!(again.cache().contains("; hit") && again.text() == "kept", "{again:?}");
    assert_eq!(origin.count(), 1);
}
