//! Slow, silent and numerous clients hold nothing for long.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Answer, ENOUGH, Origin, Running, Say, config, gate, plain, start, until};

fn is_ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).is_ok() || !rest.is_empty()
}

#[test]
fn header_sections_that_drip_and_bodies_that_pause_are_cut_off() {
    let origin = Origin::start(|_| Say::ok("", "x"));
    let mut config = config(vec![origin.upstream()]);
    config.head_timeout = Duration::from_millis(300);
    config.body_timeout = Duration::from_millis(300);
    config.idle_timeout = Duration::from_secs(600);
    let gateway = start(config, plain());

    let mut dripping = gateway.connect();
    dripping.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let started = Instant::now();
    let mut cut = false;
    dripping.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    while started.elapsed() < ENOUGH && !cut {
        // Each byte would start a timer anew that only watches for silence.
        cut = dripping.write_all(b"X").is_err() || matches!(dripping.read(&mut [0]), Ok(0));
    }
    assert!(cut, "a header section may drip for ever");

    let mut pausing = gateway.connect();
    pausing.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    assert_eq!(Answer::read(&mut pausing).unwrap().status, 408);
    assert!(is_ended(&mut pausing));

    let mut gone = gateway.connect();
    gone.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    drop(gone);
    assert_eq!(origin.count(), 0);
    gateway.until("nobody is left", |gateway| gateway.metric("inat_connections") == 1);
}

#[test]
fn idle_connections_end_and_busy_ones_do_not() {
    // Longer than a machine that does much else keeps one of us waiting.
    let idle = Duration::from_millis(1200);
    let origin = Origin::start(move |_| {
        std::thread::sleep(2 * idle);
        Say::ok("", "late")
    });
    let mut config = config(vec![origin.upstream()]);
    config.idle_timeout = idle;
    config.head_timeout = idle;
    config.stall_timeout = idle;
    let gateway = start(config, plain());
    let (mut silent, mut late, mut kept) = (gateway.connect(), gateway.ask("/late", ""), gateway.ask("/kept", ""));
    assert!(is_ended(&mut silent), "one that never says a word");
    assert_eq!(Answer::read(&mut late).unwrap().text(), "late", "waiting for upstream is not idling");
    assert_eq!(Answer::read(&mut kept).unwrap().text(), "late");
    kept.write_all(b"GET /again HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(Answer::read(&mut kept).unwrap().text(), "late");
    assert!(is_ended(&mut kept));
}

#[test]
fn a_client_that_stops_reading_is_let_go() {
    let body = "z".repeat(32 << 20);
    let origin = Origin::start(move |_| Say::ok("Cache-Control: max-age=600\r\n", &body));
    let mut config = config(vec![origin.upstream()]);
    // Who reads must not be taken for one who does not, only because the machine does much else.
    config.stall_timeout = Duration::from_secs(2);
    let gateway = start(config, plain().read_whole(64 << 20));
    assert_eq!(gateway.get("/big").body.len(), 32 << 20);
    let mut stuck = gateway.connect();
    stuck.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    gateway.until("it is cut off", |gateway| gateway.metric("inat_connections_cut_off_total") == 1);
    let answer = Answer::read(&mut stuck);
    assert!(answer.is_none_or(|answer| !answer.whole));
    assert_eq!(gateway.get("/big").body.len(), 32 << 20, "who reads gets all of it");
}

#[test]
fn two_thousand_connections_leave_room_for_one_more() {
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=600\r\n", "x"));
    let mut config = config(vec![origin.upstream()]);
    config.max_connections = 50;
    let gateway = start(config, plain());
    let mut crowd = Vec::new();
    for number in 0..2000 {
        let Ok(stream) = TcpStream::connect(gateway.addr) else { continue };
        crowd.push(stream);
        if number % 400 == 0 {
            assert_eq!(gateway.get("/still").status, 200, "after {number}");
        }
        // The test's own descriptors are bounded too.
        if crowd.len() > 300 {
            crowd.remove(0);
        }
    }
    assert_eq!(gateway.get("/still").status, 200);
    assert!(gateway.metric("inat_connections") <= 50);
}

#[test]
fn beyond_the_bound_busy_connections_are_told_so() {
    let (release, gate) = gate();
    let origin = Origin::start(move |_| {
        gate.pass();
        Say::ok("", "x")
    });
    let mut config = config(vec![origin.upstream()]);
    config.max_connections = 2;
    let gateway = start(config, plain());
    let busy = ["/a", "/b"].map(|target| gateway.ask(target, ""));
    until("both wait", || origin.count() == 2);
    let refused = gateway.get("/c");
    assert_eq!((refused.status, refused.field("retry-after").as_deref()), (503, Some("1")));
    assert_eq!(refused.json()["status"], 503);
    for _ in 0..2 {
        release.send(()).unwrap();
    }
    for mut stream in busy {
        assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    }
}

#[test]
fn large_answers_that_nobody_reads_are_bounded_together() {
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=600\r\n", &"x".repeat(20 << 20)));
    let mut config = config(vec![origin.upstream()]);
    config.max_answers = 30 << 20;
    let gateway = start(config, plain());
    let mut unread = gateway.connect();
    unread.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    // Its answer has begun, and is more than the buffers between us hold.
    assert_eq!(unread.read(&mut [0]).unwrap(), 1);
    let refused = gateway.get("/b");
    assert_eq!((refused.status, refused.field("retry-after").as_deref()), (503, Some("1")));
    assert_eq!(gateway.request("HEAD", "/b", "", "").status, 200, "small ones are none of it");
    assert_eq!(gateway.get("/a").status, 200, "it is there once, however many read it");
    drop(unread);
    gateway.until("there is room again", |gateway| gateway.get("/b").status == 200);
}

#[test]
fn clients_that_keep_us_waiting_make_room_for_others() {
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=600\r\n", &"x".repeat(16 << 20)));
    let mut config = config(vec![origin.upstream()]);
    config.max_connections = 2;
    let gateway = start(config, plain());
    // One says that it will send more than it does, the other asks for more than it reads.
    let mut sends = gateway.connect();
    sends.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\nabc").unwrap();
    let mut reads = gateway.connect();
    reads.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(reads.read(&mut [0]).unwrap(), 1);
    let mut others: Vec<_> = Vec::new();
    for _ in 0..2 {
        gateway.until("there is room", |_| {
            let mut other = gateway.connect();
            other.write_all(b"HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let answer = Answer::read_to("HEAD", &mut other).is_some_and(|answer| answer.status == 200);
            others.push(other);
            answer
        });
    }
    let answer = Answer::read(&mut sends).unwrap();
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (408, Some(408)));
}

#[test]
fn answers_are_fetched_as_there_is_room_for_them() {
    let origin = Origin::start(|_| Say::ok("", &"x".repeat(5 << 20)));
    let mut config = config(vec![origin.upstream()]);
    // Each is larger than that, and still comes; but not all at once.
    config.max_answers = 4 << 20;
    let gateway = start(config, plain());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let gateway = &gateway;
            scope.spawn(move || {
                let answer = gateway.get(&format!("/{number}"));
                assert!(answer.status == 503 || answer.body.len() == 5 << 20, "{}", answer.status);
            });
        }
    });
    assert_eq!(gateway.get("/one").body.len(), 5 << 20);
}

#[test]
fn who_has_closed_its_side_may_still_listen_for_a_while() {
    let (release, gate) = gate();
    let origin = Origin::start(move |seen| {
        if seen.target() != "/now" {
            gate.pass();
        }
        Say::ok("", &"x".repeat(3 << 20))
    });
    let mut config = config(vec![origin.upstream()]);
    config.half_open = Duration::from_secs(3600);
    let patient = start(config.clone(), plain());
    let closed = |gateway: &Running, bytes: &str| {
        let mut stream = gateway.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream
    };
    let mut stream = closed(&patient, "GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(Answer::read(&mut stream).unwrap().body.len(), 3 << 20);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "then it ends");
    // Whether the end comes with the request or after it is a matter of luck: both happen here.
    for _ in 0..50 {
        let mut stream = closed(&patient, "GET /-/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    }
    let mut stream = closed(&patient, "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
    patient.until("it is asked", |_| origin.count() == 2);
    release.send(()).unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    let mut stream = closed(&patient, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
    assert!(Answer::read(&mut stream).is_none_or(|answer| answer.status == 400), "that was no whole request");
    // Not so hasty that the request has not reached upstream by then.
    config.half_open = Duration::from_secs(1);
    let hasty = start(config, plain());
    let mut stream = closed(&hasty, "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(Answer::read(&mut stream).is_none());
    assert_eq!(origin.count(), 3, "what was cut short went nowhere");
}
