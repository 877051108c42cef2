//! Secrets are in no output and in no file.

use inat_sandbox::Sandbox;

use crate::home::{Home, finish};

const SECRET: &str = "T0P5ECRET";

#[cfg(unix)]
#[test]
fn a_token_that_cannot_be_read_is_not_taken_for_none() {
    use std::os::unix::ffi::OsStringExt;

    let home = Home::new();
    let token = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    let run = finish(home.command(&["--sandbox", "get", "taxa"]).env("INAT_TOKEN", token));
    assert!(run.code == 2 && run.out.is_empty() && run.err.contains("INAT_TOKEN"), "{run:?}");
}

#[test]
fn secrets_are_shown_and_kept_nowhere() {
    let home = Home::new();
    let token = format!("{}{SECRET}", Sandbox::jwt(7, 3_600));
    let password = format!("user[password]={SECRET}");
    let query = format!("access_token=={SECRET}");
    let header = format!("X-Api-Key:{SECRET}");
    let runs: &[&[&str]] = &[
        &["-vvv", "get", "users/me"],
        &["-vvv", "get", "taxa", &query, &header],
        &["-vvv", "post", "observations", &password, "observation[species_guess]=x"],
        &["-n", "post", "observations", &password],
        &["post", "observations", &password, &query, &header, "--as-curl"],
        &["get", "nowhere", &query],
        &["get", "taxa", &query, "--offline", "v2==1"],
        &["cache", "ls"],
        &["cache", "show", "*"],
        &["cache", "ls", "--json"],
        &["budget", "--json"],
        &["config", "list"],
        &["config", "list", "--json"],
        &["--help"],
        &["post", "observations", "a:=T0P5ECRET"],
    ];
    for words in runs {
        let run = finish(home.command(words).env("INAT_SANDBOX", "1").env("INAT_TOKEN", &token));
        for text in [&run.out, &run.err] {
            assert!(!text.contains(SECRET), "{words:?}: {text}");
        }
    }
    assert_eq!(home.holds(SECRET), None);
}

#[test]
fn a_token_is_read_from_standard_input() {
    let home = Home::new();
    let mut command = home.command(&["get", "users/me", "--token-stdin"]);
    let run = finish(command.env("INAT_SANDBOX", "1").write_stdin(format!("{}\n", Sandbox::jwt(1, 3_600)))).ok();
    assert_eq!(run.json()["total_results"], 1);
    let mut command = home.command(&["get", "users/me", "--with-token"]);
    assert_eq!(finish(command.env("INAT_SANDBOX", "1").write_stdin("\n")).code, 2);
    assert_eq!(home.sandboxed(&["get", "users/me", "--token", "x"]).code, 2);
    let run = home.sandboxed(&["get", "taxa", "Authorization:Bearer x"]);
    assert!(run.err.contains("warning: "), "{}", run.err);
}

#[test]
fn two_people_get_two_answers() {
    let home = Home::new();
    let me = |user| {
        let token = Sandbox::jwt(user, 3_600);
        finish(home.command(&["get", "users/me"]).env("INAT_SANDBOX", "1").env("INAT_TOKEN", token)).ok().json()
    };
    let (first, second) = (me(1), me(2));
    assert_ne!(first["results"][0]["id"], second["results"][0]["id"]);
    assert_eq!(me(1), first);
    assert_eq!(home.sandboxed(&["get", "users/me"]).code, 7);
}
