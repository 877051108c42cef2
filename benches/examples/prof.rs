use inat_session::blocking;
use std::time::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (what, len, secs) = (a[1].as_str(), a[2].parse::<usize>().unwrap(), a[3].parse::<f64>().unwrap());
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let l = rt.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = l.local_addr().unwrap().port();
    let body = bytes::Bytes::from(format!("\"{}\"", "monarch butterfly ".repeat(len / 18)));
    rt.spawn(async move {
        loop {
            let (s, _) = l.accept().await.unwrap();
            s.set_nodelay(true).unwrap();
            let body = body.clone();
            tokio::spawn(async move {
                let svc = hyper::service::service_fn(move |r: http::Request<hyper::body::Incoming>| {
                    let body = body.clone();
                    async move {
                        let cc = if r.uri().query().is_some_and(|q| q.contains("no-store")) { "no-store" } else { "public, max-age=86400" };
                        Ok::<_, std::convert::Infallible>(http::Response::builder().header("content-type", "application/json; charset=utf-8")
                            .header("cache-control", cc).header("etag", "W/\"d6-7Zx1yQ0Yb1m0dE2kq3mJw0B5u7c\"").header("vary", "Accept-Encoding")
                            .header("access-control-allow-origin", "*").header("x-content-type-options", "nosniff")
                            .body(http_body_util::Full::new(body)).unwrap())
                    }
                });
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(s), svc).await;
            });
        }
    });
    let dir = tempfile::TempDir::new().unwrap();
    let tier = if what == "tier" { 32 << 20 } else { 0 };
    let mut b = blocking::Session::builder().cache_file(dir.path().join("c.db")).memory_tier(tier).ratelimit_path(dir.path().join("b.db")).unlimited();
    if what == "limits" { b = b.per_second(1e6).burst(5).per_minute(1e7).per_hour(1e8).per_day(1e9).per_month(1e9); }
    let s = b.build().unwrap();
    let q = if matches!(what, "miss" | "limits") { "?no-store" } else { "" };
    let hits = matches!(what, "tier" | "sqlite");
    let urls: Vec<String> = (0..200).map(|n| format!("http://127.0.0.1:{port}/medium/{n}{q}")).collect();
    if hits { for u in urls.iter().chain(&urls) { s.get(u).unwrap(); } }
    let t = Instant::now();
    let mut n = 0;
    while t.elapsed().as_secs_f64() < secs {
        if hits { s.get(&urls[n % 200]).unwrap(); } else { s.get(&format!("http://127.0.0.1:{port}/medium/{n}{q}")).unwrap(); }
        n += 1;
    }
    println!("{what} {:.2} us", t.elapsed().as_secs_f64() * 1e6 / n as f64);
}
