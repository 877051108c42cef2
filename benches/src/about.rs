//! Where and with what was measured: the lines above the table, without which nobody can judge it.

use std::process::Command;

use crate::cases;

/// What was built, with the versions it was built with.
const LOCK: &str = include_str!("../Cargo.lock");

/// The crates whose versions matter.
const CRATES: [&str; 8] =
    ["inat-session", "http-cache-reqwest", "redb", "moka", "reqwest", "hyper", "rusqlite", "lz4_flex"];

/// The machine, the versions and the command, as a paragraph each.
pub fn lines() -> [String; 3] {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    [
        format!("Machine: {}.", machine()),
        format!("Versions: {}.", versions()),
        format!("Command: `{}`.", ["just bench".to_owned(), arguments.join(" ")].join(" ").trim_end()),
    ]
}

fn machine() -> String {
    let info = read("/proc/cpuinfo");
    let model = field(&info, "model name").unwrap_or("an unknown processor");
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib: u64 = field(&memory, "MemTotal").and_then(|size| size.split(' ').next()?.parse().ok()).unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    let system = read("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("").trim_matches('"');
    format!(
        "{model}, {count} processors, {} GiB of memory, {} under the temporary folder, {system}, kernel {}",
        (kib + (1 << 19)) >> 20,
        file_system(),
        kernel.trim()
    )
}

/// The kind of the file system that the cache files are on.
fn file_system() -> String {
    let folder = std::env::temp_dir();
    let folder = folder.to_string_lossy();
    let mounts = read("/proc/mounts");
    let under = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        let inside = folder.strip_prefix(at)?;
        (at == "/" || inside.is_empty() || inside.starts_with('/')).then_some((at.len(), kind))
    });
    under.max_by_key(|(len, _)| *len).map_or("an unknown file system", |(_, kind)| kind).to_owned()
}

fn versions() -> String {
    let crates = CRATES.iter().filter_map(|name| Some(format!("{name} {}", version_of(name)?)));
    let sqlite = format!("SQLite {}", rusqlite::version());
    crates
        .chain([sqlite, said_by("rustc", "--version"), said_by(cases::gateway::nginx(), "-v")])
        .collect::<Vec<_>>()
        .join(", ")
}

fn version_of(name: &str) -> Option<&'static str> {
    let (_, after) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    after.split('"').next()
}

/// What a program says about its version: on either output, in one line.
fn said_by(program: &str, option: &str) -> String {
    let Ok(output) = Command::new(program).arg(option).output() else { return format!("no {program}") };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or(program).replace("nginx version: ", "").to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// `name : value` of the first line that has it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}
