//! See what a write would do before doing it: `cargo run -p inat-session --example look_before_you_write`.

use inat_session::{Request, Token, blocking::Session};

#[allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn main() -> Result<(), inat_session::Error> {
    let inat = Session::builder().cache_in_memory().budget_in_memory().token(Token::new("not.a.token")).build()?;
    let draft = Request::post("observations").json(&serde_json::json!({
        "observation": { "species_guess": "Monarch", "observed_on": "2026-08-20" }
    }));

    let plan = inat.plan(&draft)?;
    println!("{plan}\n\n{}", plan.as_curl());
    Ok(())
}
