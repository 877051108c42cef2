//! A gateway whose words nobody reads.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::home::{ENOUGH, Home, sandbox};

/// More lines than a pipe holds, and than wait to be written.
const REQUESTS: usize = 3000;

#[test]
fn a_gateway_serves_also_where_nobody_reads_what_it_says() {
    let (home, sandbox) = (Home::new(), sandbox());
    let words = ["serve", "-v", "--listen", "127.0.0.1:0", "--upstream", sandbox.url(), "--no-limit"];
    // After the first line nothing is read.
    let mut gateway = home.start(&words);
    let line = gateway.line().unwrap();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
    let address = address.trim_end_matches(',');
    let served = ask(address);
    let line = gateway.line().unwrap();
    assert!(line.contains("HEAD") && line.contains("/v1/taxa/48662"), "it says which request: {line}");
    assert_eq!(served.map_err(|error| error.to_string()), Ok(REQUESTS));
}

/// How many of the requests were answered.
fn ask(address: &str) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ENOUGH))?;
    let request = format!("HEAD /v1/taxa/48662 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut answered = 0;
    let mut answer = Vec::new();
    for _ in 0..REQUESTS {
        stream.write_all(request.as_bytes())?;
        answer.clear();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece)?;
            if length == 0 {
                return Ok(answered);
            }
            answer.extend_from_slice(&piece[..length]);
        }
        answered += usize::from(answer.starts_with(b"HTTP/1.1 200"));
    }
    Ok(answered)
}
