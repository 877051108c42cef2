//! A gateway in a few lines: `cargo run -p inat-gateway --example serve [UPSTREAM [ADDRESS]]`. Without an upstream it leads
//! to iNaturalist; with one that begins with `api:` to `/v1` and `/v2` of a stand-in; else to that server alone.

#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;

use inat_gateway::{Config, Upstream, faithful, serve, signalled};
use inat_session::Session;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut config = Config::default();
    let mut session = Session::builder();
    if let Some(upstream) = arguments.next() {
        session = session.cache_in_memory().budget_in_memory();
        if let Some(api) = upstream.strip_prefix("api:") {
            config.upstreams = Upstream::api(api)?;
        } else {
            config.upstreams = vec![Upstream::origin(&upstream)?];
            session = faithful(session).headers_only().unlimited();
        }
    }
    if let Some(address) = arguments.next() {
        config.listen = vec![address.parse()?];
    }
    let gateway = serve(config, session).await?;
    println!("serving at {}", gateway.addresses().join(", "));
    let drained = gateway.run_until(signalled()).await;
    println!("ended after {:?}, {} cut off", drained.took, drained.cut_off);
    Ok(())
}
