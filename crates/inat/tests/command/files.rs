//! Bodies into files.

use std::fs;

use crate::home::{Home, sandbox};

#[test]
fn a_file_is_complete_or_not_there() {
    let (home, sandbox) = (Home::new(), sandbox());
    let path = home.file("taxa.json");
    let run = home.at(&sandbox, &["get", "taxa/48662", "-o", "taxa.json"]).ok();
    assert_eq!(run.out, "");
    let first = fs::read(&path).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&first).is_ok());

    let failures: [&[&str]; 3] = [
        &["get", "users/me", "-o", "taxa.json"],
        &["get", "taxa", "-o", "taxa.json", "X-Sandbox-Fault:cut-length", "--stream", "--retries", "0"],
        &["get", "taxa", "-o", "taxa.json", "--offline"],
    ];
    for words in failures {
        let run = home.at(&sandbox, words);
        assert_ne!(run.code, 0, "{run:?}");
        assert_eq!(fs::read(&path).unwrap(), first, "{words:?}");
    }
    assert!(!home.names().iter().any(|name| name.ends_with(".part")), "{:?}", home.names());
    let asked = sandbox.log().len();
    for elsewhere in ["no/such/folder.json", "."] {
        let run = home.at(&sandbox, &["get", "taxa", "-o", elsewhere, "--force-refresh"]);
        assert!(run.code == 2 && run.err.contains("hint: ") && !run.err.contains(".part"), "{run:?}");
    }
    assert_eq!(sandbox.log().len(), asked, "nothing was asked for that could not be kept");
}

#[test]
fn what_is_wrong_with_the_cache_is_told_and_costs_no_answer() {
    let home = Home::new();
    fs::write(home.file("http.db"), "no database at all, but a text of some length, so that it is read".repeat(100))
        .unwrap();
    let run = home.sandboxed(&["get", "taxa/48662"]).ok();
    assert!(run.err.contains("warning: ") && run.err.contains("http.db"), "{}", run.err);
    assert!(home.sandboxed(&["get", "taxa/48662"]).ok().err.contains("from the cache"));
}

#[test]
fn without_a_budget_nothing_is_sent() {
    let (home, sandbox) = (Home::new(), sandbox());
    fs::create_dir(home.file("folder")).unwrap();
    let run = home.at(&sandbox, &["get", "taxa", "--budget-file", "folder"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("hint: ") && run.err.contains("--budget-file"), "{}", run.err);
    assert_eq!(sandbox.log().len(), 0);
}

#[test]
fn large_bodies_stream_into_files() {
    let (home, sandbox) = (Home::new(), sandbox());
    let url = format!("{}/__sandbox/bytes/5000000", sandbox.url());
    home.at(&sandbox, &["get", &url, "-o", "bytes", "--stream"]).ok();
    assert_eq!(fs::metadata(home.file("bytes")).unwrap().len(), 5_000_000);
}

#[cfg(unix)]
#[test]
fn devices_and_links_stay_what_they_are() {
    let (home, sandbox) = (Home::new(), sandbox());
    home.at(&sandbox, &["get", "taxa", "-o", "/dev/null"]).ok();
    fs::write(home.file("real"), "old").unwrap();
    std::os::unix::fs::symlink(home.file("real"), home.file("link")).unwrap();
    home.at(&sandbox, &["get", "taxa", "-o", "link"]).ok();
    assert!(fs::symlink_metadata(home.file("link")).unwrap().is_symlink());
    assert_ne!(fs::read(home.file("real")).unwrap(), b"old");
}
