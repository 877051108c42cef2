//! Flag over variable over default.

use serde_json::Value;

use crate::home::{Home, finish, sandbox};

fn setting(settings: &Value, name: &str) -> (String, String) {
    let setting = settings.as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].as_str().unwrap().to_owned(), setting["from"].as_str().unwrap().to_owned())
}

#[test]
fn flag_over_variable_over_default() {
    let home = Home::new();
    let mut command = home.command(&["config", "list", "--json", "--per-minute", "30"]);
    command.env("INAT_PER_MINUTE", "20").env("INAT_PER_DAY", "500").env("INAT_TOKEN", "x").env("INAT_OFFLINE", "no");
    let settings = finish(&mut command).ok().json();
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    assert_eq!(setting(&settings, "per-minute"), pair("30", "flag"));
    assert_eq!(setting(&settings, "per-day"), pair("500", "variable INAT_PER_DAY"));
    assert_eq!(setting(&settings, "per-second"), pair("1", "default"));
    assert_eq!(setting(&settings, "offline"), pair("no", "variable INAT_OFFLINE"));
    assert_eq!(setting(&settings, "token"), pair("[REDACTED]", "variable INAT_TOKEN"));
    assert_eq!(setting(&settings, "cache-file"), pair(home.file("http.db").to_str().unwrap(), "default"));
    assert_eq!(setting(&settings, "base-url"), pair("https://api.inaturalist.org/v1/", "default"));
}

#[test]
fn a_variable_set_to_nothing_is_not_set() {
    let home = Home::new();
    let whole = finish(&mut home.command(&["config", "list", "--json"])).ok().json();
    for setting in whole.as_array().unwrap() {
        let name = setting["name"].as_str().unwrap().replace('-', "_").to_uppercase();
        let variable = if name == "BASE_URL" { "INAT_API_URL".to_owned() } else { format!("INAT_{name}") };
        for words in [&["config", "list", "--json"][..], &["get", "taxa", "-n"]] {
            let run = finish(home.command(words).env(&variable, ""));
            assert_eq!(run.code, 0, "{variable}: {run:?}");
            if words[0] == "config" {
                assert_eq!(run.json(), whole, "{variable}");
            }
        }
    }
    let run = finish(home.command(&["serve", "--help"]).env("INAT_SERVE_LISTEN", "").env("INAT_SERVE_DRAIN", ""));
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn options_stand_before_or_after_the_command() {
    let home = Home::new();
    for words in [
        &["--sandbox", "-q", "get", "taxa"][..],
        &["get", "taxa", "--sandbox", "-q"],
        &["get", "-q", "taxa", "--sandbox"],
    ] {
        assert_eq!(home.run(words).ok().err, "", "{words:?}");
    }
}

#[test]
fn a_flag_beats_the_opposite_variable() {
    let (home, sandbox) = (Home::new(), sandbox());
    let mut command = home.command(&["get", "taxa", "--force-refresh"]);
    finish(command.env("INAT_OFFLINE", "1").env("INAT_API_URL", sandbox.base_url())).ok();
    assert_eq!(sandbox.count("/v1/taxa"), 1);
    let mut command = home.command(&["get", "places/1"]);
    assert_eq!(finish(command.env("INAT_OFFLINE", "1").env("INAT_API_URL", sandbox.base_url())).code, 3);
    let mut command = home.command(&["get", "places/1"]);
    finish(command.env("INAT_OFFLINE", "off").env("INAT_API_URL", sandbox.base_url()));
    assert_eq!(sandbox.count("/v1/places"), 1);
}

#[test]
fn a_sandbox_by_flag_beats_a_server_by_variable() {
    let (home, sandbox) = (Home::new(), sandbox());
    let run = home.at(&sandbox, &["get", "taxa", "--sandbox"]).ok();
    assert!(run.err.contains("from the sandbox"), "{}", run.err);
    home.sandboxed(&["get", "taxa", "--base-url", &sandbox.base_url()]).ok();
    assert_eq!(sandbox.count("/v1/taxa"), 1);
}

#[test]
fn versions_and_files() {
    let (home, sandbox) = (Home::new(), sandbox());
    home.at(&sandbox, &["get", "taxa", "--api", "v2"]);
    home.at(&sandbox, &["get", "v2/places/1"]);
    assert_eq!((sandbox.count("/v2/taxa"), sandbox.count("/v2/places/1")), (1, 1));
    home.at(&sandbox, &["get", "taxa", "--cache-file", "other.db", "--budget-file", "other-budget.db"]).ok();
    assert!(home.names().iter().any(|name| name == "other.db"), "{:?}", home.names());
}
