//! Ask one thing, twice: `cargo run -p inat-session --example ask_once`. Plays its server, so it needs no network.

use inat_session::{Request, blocking::Session};

#[derive(serde::Deserialize)]
struct Page {
    results: Vec<Taxon>,
}

#[derive(serde::Deserialize)]
struct Taxon {
    id: u64,
    name: String,
}

#[allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = inat_sandbox::Sandbox::start(inat_sandbox::Config::default())?;
    // Against iNaturalist itself, `Session::new()?` is all it takes.
    let inat =
        Session::builder().base_url(&format!("{}/v1/", server.url())).cache_in_memory().budget_in_memory().build()?;

    for _ in 0..2 {
        let response = inat.send(Request::get("taxa").query("q", "monarch").query("rank", "species"))?;
        let page: Page = response.json()?;
        for taxon in page.results {
            println!("{:>7}  {}", taxon.id, taxon.name);
        }
        println!("{}", response.origin());
    }
    Ok(())
}
