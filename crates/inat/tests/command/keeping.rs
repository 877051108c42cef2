//! Freshness, and looking into the cache.

use crate::home::{Home, sandbox};

#[test]
fn how_fresh_an_answer_has_to_be() {
    let (home, sandbox) = (Home::new(), sandbox());
    let steps: &[(&[&str], usize, &str)] = &[
        (&[], 1, "from 127.0.0.1"),
        (&[], 1, "from the cache"),
        (&["--refresh"], 2, "says it is unchanged"),
        (&["--force-refresh"], 3, "from 127.0.0.1"),
        (&["--offline"], 3, "from the cache"),
        (&["--newest"], 4, "from 127.0.0.1"),
        (&["--cache-for", "off"], 5, "not kept"),
        (&["--cache-for", "never", "--force-refresh"], 6, "good for ever"),
        (&[], 6, "good for ever"),
    ];
    for (words, requests, told) in steps {
        let words: Vec<&str> = ["get", "taxa", "q==monarch"].iter().chain(*words).copied().collect();
        let run = home.at(&sandbox, &words).ok();
        assert!(run.err.contains(told), "{words:?}: {}", run.err);
        assert_eq!(sandbox.count("/v1/taxa"), *requests, "{words:?}");
    }
}

#[test]
fn what_must_not_be_kept_is_not() {
    let (home, sandbox) = (Home::new(), sandbox());
    for _ in 0..2 {
        home.at(&sandbox, &["get", "taxa", "q==monarch", "--no-store"]).ok();
    }
    assert_eq!(sandbox.count("/v1/taxa"), 2);
    assert_eq!(home.run(&["cache", "stats", "--json"]).ok().json()["entries"], 0);
}

#[test]
fn a_pattern_means_whole_parts_and_a_dry_run_removes_nothing() {
    let (home, sandbox) = (Home::new(), sandbox());
    for target in ["taxa?q=a", "taxa?q=ab", "taxa?q=a&rank=species", "places/7"] {
        home.at(&sandbox, &["get", target, "--quiet"]).ok();
    }
    let found = |pattern: &str| {
        let all = home.run(&["cache", "ls", pattern, "--json"]).ok().json();
        let base = sandbox.base_url();
        let urls = all.as_array().unwrap().iter().map(|row| row["url"].as_str().unwrap().replace(&base, ""));
        let mut urls: Vec<String> = urls.collect();
        urls.sort();
        urls
    };
    assert_eq!(found("taxa?q=a"), ["taxa?q=a", "taxa?q=a&rank=species"]);
    assert_eq!(found("taxa?q=a*").len(), 3);
    assert_eq!((found("tax").len(), found("/taxa").len(), found("place").len()), (0, 3, 0));
    let all = found("*").len();
    for words in [&["-n", "cache", "clear"][..], &["cache", "rm", "*", "--dry-run"]] {
        assert_eq!(home.run(words).ok().out, format!("would remove {all} stored answers\n"));
    }
    assert_eq!(home.run(&["-n", "cache", "clear", "--json"]).ok().json()["would_remove"], all);
    assert_eq!(home.run(&["-n", "cache", "prune"]).code, 2);
    assert_eq!(found("*").len(), all);
}

#[test]
fn a_removal_that_cannot_be_done_says_so() {
    let home = Home::new();
    std::fs::create_dir(home.file("http.db")).unwrap();
    for words in [&["cache", "clear"][..], &["cache", "rm", "taxa"]] {
        let run = home.run(words);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{}", run.err);
        assert!(run.err.contains("what it holds stays there"), "{}", run.err);
    }
}

#[cfg(unix)]
#[test]
fn a_file_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    let name = std::ffi::OsStr::from_bytes(b"ph\xffoto.db");
    for words in [&["cache", "stats", "--json"][..], &["config", "path", "--json"], &["config", "list", "--json"]] {
        crate::home::finish(home.command(words).arg("--cache-file").arg(name)).ok().json();
    }
}

#[test]
fn the_cache_from_inside() {
    let (home, sandbox) = (Home::new(), sandbox());
    for words in [&["get", "taxa", "q==monarch"][..], &["get", "taxa/48662"], &["get", "places/7"]] {
        home.at(&sandbox, words);
    }
    let all = home.run(&["cache", "ls", "--json"]).ok().json();
    assert_eq!(all.as_array().unwrap().len(), 3, "{all}");
    assert_eq!(all[0]["url"], format!("{}places/7", sandbox.base_url()), "the last used first");
    assert_eq!(all[0]["identity"], "anonymous");
    assert_eq!(home.run(&["cache", "ls", "/taxa"]).ok().out.lines().count(), 2);
    assert_eq!(home.run(&["cache", "ls", "--limit", "1"]).ok().out.lines().count(), 1);

    let one = home.run(&["cache", "show", "taxa/48662"]).ok();
    assert!(one.out.contains("freshness  good for 30 min, by the fallback"), "{}", one.out);
    let one = home.run(&["cache", "show", "taxa/48662", "--json"]).ok().json();
    assert_eq!((&one[0]["fresh"], &one[0]["status"]), (&true.into(), &200.into()));

    assert!(home.run(&["cache", "stats"]).ok().out.starts_with("3 stored answers"));
    assert_eq!(home.run(&["cache", "prune", "--json"]).ok().json()["removed"], 0);
    assert_eq!(home.run(&["cache", "rm", "*/taxa", "--json"]).ok().json()["removed"], 2);
    assert!(home.run(&["cache", "stats"]).ok().out.starts_with("1 stored answer · "));
    assert_eq!(home.run(&["cache", "clear"]).ok().out, "removed 1 stored answer\n");
    assert_eq!(home.run(&["cache", "ls"]).ok().out, "");
    let path = home.run(&["cache", "path"]).ok().out;
    assert_eq!(path.trim_end(), home.file("http.db").to_str().unwrap());
}

#[test]
fn budgets_are_told() {
    let home = Home::new();
    home.sandboxed(&["get", "taxa"]).ok();
    let text = home.run(&["budget"]).ok();
    let json = home.run(&["budget", "--json"]).ok().json();
    assert!(json.is_array(), "{json}");
    assert!(!text.out.is_empty() || !text.err.is_empty());
}
