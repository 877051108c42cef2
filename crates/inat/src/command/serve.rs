//! `inat serve`: the session behind a local port.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use inat_gateway::{Config, Gateway, Upstream, serve, signalled};
use inat_sandbox::Sandbox;
use inat_session::SessionBuilder;

use crate::cli::{Options, ServeArgs};
use crate::config::{self, Purpose};
use crate::failure::Failure;
use crate::show::{self, Screen, span};

/// As good as for ever, and still a time a clock can add.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

pub(super) fn run(args: ServeArgs, matches: &ArgMatches, options: &Options, screen: Screen) -> Result<(), Failure> {
    show::aside::begin();
    let served = serve_until_told(args, matches, options, screen);
    show::aside::end();
    served
}

fn serve_until_told(args: ServeArgs, matches: &ArgMatches, options: &Options, screen: Screen) -> Result<(), Failure> {
    /// Threads that wait for a name to be looked up cannot be told to end.
    const LAST: Duration = Duration::from_secs(1);
    // It has to live as long as the gateway that leads to it.
    let sandbox = if options.server.sandbox { Some(sandbox()?) } else { None };
    refuse_what_is_for_one_request(matches)?;
    let mut builder = show::trail::listen(config::builder(options, Purpose::Service)?, screen, Purpose::Service);
    builder = freshness(builder, options);
    if !args.upstream.is_empty() {
        builder = before_another_server(builder, matches, options);
    }
    let says_how_long = matches.value_source("max_wait") != Some(ValueSource::DefaultValue);
    let max_wait = says_how_long.then(|| options.pace.max_wait.0.unwrap_or(YEAR));
    let gateway_config = gateway_config(args, max_wait, sandbox.as_ref())?;
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::files("no threads to serve with".to_owned(), error))?;
    let served = runtime.block_on(async {
        let gateway = serve(gateway_config, builder).await.map_err(Failure::Gateway)?;
        let mut told = pin!(signalled());
        if is_over(told.as_mut()).await {
            return Ok(());
        }
        announce(&gateway, screen);
        let drained = gateway.run(told, signalled()).await;
        screen.say(&format!("stopped after {}", span(drained.took)));
        Ok(())
    });
    runtime.shutdown_timeout(LAST);
    served
}

/// Options about one request, whose clients say such things themselves, and those about requests that `inat` writes. To take
/// them and do nothing would be worse than to say so; a variable of the environment may be meant for other commands.
fn refuse_what_is_for_one_request(matches: &ArgMatches) -> Result<(), Failure> {
    const MEANT_FOR_OTHERS: [(&str, &str); 9] = [
        ("force_refresh", "clients say it themselves: `Cache-Control: no-cache`"),
        ("newest", "clients say it themselves, with a `v` of their own"),
        ("max_stale", "clients say it themselves: `Cache-Control: max-stale=N`"),
        ("deadline", "--timeout and --max-wait bound what a request may take"),
        ("base_url", "--upstream names another server"),
        ("api", "the gateway serves both versions"),
        ("user_agent", "clients name themselves"),
        ("insecure", "the gateway always checks certificates"),
        ("dry_run", "there is nothing to rehearse"),
    ];
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    match MEANT_FOR_OTHERS.iter().find(|(id, _)| is_typed(id)) {
        Some((id, instead)) => {
            let option = id.replace('_', "-");
            Err(Failure::usage(format!("--{option} does nothing for a gateway"), Some(instead)))
        }
        None => Ok(()),
    }
}

/// How fresh all answers have to be.
fn freshness(mut builder: SessionBuilder, options: &Options) -> SessionBuilder {
    let fresh = &options.fresh;
    if fresh.offline {
        builder = builder.only_if_cached(true);
    }
    if fresh.refresh {
        builder = builder.always_revalidate(true);
    }
    if fresh.no_store {
        builder = builder.read_only(true);
    }
    builder
}

/// Another server than iNaturalist: what it says of its bodies and of its load is between it and its clients, and it has no
/// limits and no second tries but those that were asked for.
fn before_another_server(builder: SessionBuilder, matches: &ArgMatches, options: &Options) -> SessionBuilder {
    let is_said = |id: &str| matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue);
    let paced =
        ["rate", "per_second", "burst", "per_minute", "per_hour", "per_day", "per_month"].into_iter().any(is_said);
    let builder = if paced { builder } else { builder.unlimited().max_delay(options.pace.max_wait.0) };
    let builder = if is_said("retries") { builder } else { builder.max_retries(0) };
    builder.check_json(false).limit_statuses([])
}

/// Starts to listen for signals, before anybody is told that it serves. True when there was one at once.
async fn is_over(mut told: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|context| Poll::Ready(told.as_mut().poll(context).is_ready())).await
}

fn announce(gateway: &Gateway, screen: Screen) {
    let cache = gateway
        .session()
        .cache()
        .stats()
        .map_or_else(|_| "no cache".to_owned(), |stats| format!("cache {}", show::size(stats.total_bytes)));
    screen.say(&format!("serving at {} · {cache} · point any client here", gateway.addresses().join(", ")));
}

fn gateway_config(args: ServeArgs, max_wait: Option<Duration>, sandbox: Option<&Sandbox>) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.listen = args.listen;
    if let Some(sandbox) = sandbox {
        if !args.upstream.is_empty() {
            return Err(Failure::usage(
                "--sandbox and --upstream name two different servers",
                Some("leave one of them out"),
            ));
        }
        config.upstreams = Upstream::api(sandbox.url()).map_err(Failure::Gateway)?;
    } else if !args.upstream.is_empty() {
        config.upstreams = args.upstream.iter().map(|given| upstream(given)).collect::<Result<_, _>>()?;
    }
    config.allow_remote = args.allow_remote;
    config.hosts = args.host;
    config.max_body = args.max_body.0;
    config.max_connections = args.max_connections;
    config.max_waiting = args.max_waiting;
    config.drain = args.drain.0.unwrap_or(YEAR);
    // A client that is not answered asks again: without a bound it would wait twice.
    config.max_wait = max_wait.unwrap_or(config.max_wait);
    Ok(config)
}

/// `URL`, or `/PREFIX=URL`.
fn upstream(given: &str) -> Result<Upstream, Failure> {
    let upstream = match given.split_once('=') {
        Some((prefix, url)) if prefix.starts_with('/') => {
            Upstream::origin(url).and_then(|upstream| upstream.under(prefix))
        }
        _ => Upstream::origin(given),
    };
    upstream.map_err(Failure::Gateway)
}

/// At the port a sandbox has by default, so that what is cached is found again; at any other when that is taken.
fn sandbox() -> Result<Sandbox, Failure> {
    let start = |port| {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Sandbox::start(inat_sandbox::Config { listen, ..inat_sandbox::Config::default() })
    };
    start(8018).or_else(|_| start(0)).map_err(|error| Failure::files("the sandbox does not start", error))
}
