# The recipes; `just` alone lists them. CI runs `.ci/run`, which is check, doc and test.

default:
    @just --list

# formatting and lints, warnings denied
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# the whole documentation, warnings denied
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# every test, offline
test:
    cargo test --workspace

# one answer from the sandbox, no network needed; twice, to see the cache
try:
    cargo run -q -p inat -- --sandbox get taxa q==monarch
    cargo run -q -p inat -- --sandbox get taxa q==monarch

# source files that have grown beyond one idea
sizes:
    @find crates -path '*/src/*' -name '*.rs' | xargs wc -l | sort -rn | awk '$1 > 400 && $2 != "total"'

# feeds arbitrary bytes to the cache engine, then to preparing, for a minute each; needs a nightly toolchain and cargo-fuzz
fuzz:
    cargo +nightly fuzz run cache_policy -- -max_total_time=60
    cargo +nightly fuzz run prepare -- -max_total_time=60

# ours beside its yardsticks, as a Markdown table; about five minutes, best on an idle machine (`just bench tier sqlite` for some)
bench *arguments:
    cargo run --release --manifest-path benches/Cargo.toml -- {{arguments}}
