//! Test a program without a network and without waiting:
//! `cargo run -p inat-session --features testing --example test_without_network`.

use std::time::Duration;

use inat_session::{Clock, Request, Script, blocking::Session};

#[allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn main() -> Result<(), inat_session::Error> {
    let clock = Clock::manual();
    let server = Script::new()
        .busy(Duration::from_secs(2))
        .json(&serde_json::json!({ "total_results": 1, "results": [{ "id": 1 }] }));
    let inat = Session::builder()
        .transport(server.clone())
        .clock(clock.clone())
        .cache_in_memory()
        .budget_in_memory()
        .build()?;

    let response = inat.send(Request::get("taxa/1"))?;
    println!(
        "{} requests, {:?} of waiting that took no time: {}",
        server.seen().len(),
        clock.slept(),
        response.text()?
    );
    Ok(())
}
