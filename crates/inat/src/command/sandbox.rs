//! `inat sandbox`: an offline stand-in for api.inaturalist.org, for other programs as well.

use inat_sandbox::{Cdn, Config, Sandbox, Throttle};

use crate::cli::{SandboxArgs, ThrottleChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::show::Screen;

pub(super) fn run(args: &SandboxArgs, screen: Screen) -> Result<(), Failure> {
    let config = Config {
        listen: args.listen,
        seed: args.seed,
        observations: args.observations,
        throttle: match args.throttle {
            ThrottleChoice::Off => None,
            ThrottleChoice::Documented => Some(Throttle::default()),
            ThrottleChoice::Strict => Some(Throttle::strict()),
        },
        cdn: args.cdn.then(Cdn::default),
        ..Config::default()
    };
    let config = config
        .with_faults(args.faults.as_deref().unwrap_or_default())
        .map_err(|problem| Failure::usage(problem.to_string(), Some("write e.g. --faults 429=5@0.02,cut-body@0.01")))?;
    interrupt::watch();
    let sandbox =
        Sandbox::start(config).map_err(|error| Failure::files(format!("cannot listen at {}", args.listen), error))?;
    screen.say(&format!(
        "serving v1 and v2 at {url} · try: inat --base-url {base} get taxa q==monarch",
        url = sandbox.url(),
        base = sandbox.base_url()
    ));
    sandbox.run_forever();
    Ok(())
}
