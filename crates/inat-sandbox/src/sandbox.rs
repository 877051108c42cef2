//! The handle a test or command holds.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use tokio::sync::watch;

use crate::{Config, Fault, Seen, Upload, clock::Clock, origin, server, shared::Shared, shared::lock};

/// How long [`Sandbox::stop`] waits for the server's thread; open connections are dropped sooner.
const STOP: Duration = Duration::from_secs(3);

/// A running stand-in for api.inaturalist.org on a real TCP socket. It has a thread and a runtime of its own, so blocking and async tests
/// use it alike, and stops when dropped.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    addr: SocketAddr,
    url: String,
    stop: watch::Sender<bool>,
    done: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Sandbox {
    /// Starts listening, then returns. Fails where the address cannot be bound or no thread can be started.
    pub fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let url = format!("http://{addr}");
        let shared = Arc::new(Shared::new(config, &url));
        let (stop, stopped) = watch::channel(false);
        let (finished, done) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("inat-sandbox")
            .enable_all()
            .build()?;
        let served = Arc::clone(&shared);
        thread::Builder::new().name("inat-sandbox".to_owned()).spawn(move || {
            if let Err(error) = runtime.block_on(server::accept(listener, served, stopped)) {
                tracing::error!(%error, "the sandbox stopped listening");
            }
            runtime.shutdown_timeout(Duration::from_millis(500));
            // Nobody waits where the handle was leaked; that is fine.
            let _ = finished.send(());
        })?;
        Ok(Self { shared, addr, url, stop, done: Mutex::new(Some(done)) })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What relative paths resolve against: `http://127.0.0.1:PORT/v1/`.
    pub fn base_url(&self) -> String {
        format!("{}/v1/", self.url)
    }

    /// Every request so far, oldest first.
    pub fn log(&self) -> Vec<Seen> {
        self.shared.log.all()
    }

    /// How many requests there were whose target (path and query) starts with this.
    pub fn count(&self, prefix: &str) -> usize {
        self.shared.log.count(prefix)
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.shared.log.clear();
    }

    /// Waits until `wanted` requests whose target starts with `prefix` have arrived; `false` if they have not within `patience`.
    pub fn wait_for(&self, prefix: &str, wanted: usize, patience: Duration) -> bool {
        self.shared.log.wait_for(prefix, wanted, patience)
    }

    /// The next requests whose target starts with `prefix` meet these faults in order; after them it behaves again.
    /// [`Fault::Pass`] lets one through in between.
    pub fn script<F: Into<Fault>>(&self, prefix: &str, faults: impl IntoIterator<Item = F>) {
        lock(&self.shared.book).script(prefix.to_owned(), faults.into_iter().map(Into::into).collect());
    }

    /// Drops what is left of all scripts.
    pub fn clear_scripts(&self) {
        lock(&self.shared.book).clear();
    }

    /// Moves the sandbox's clock on: throttle windows pass, cached replies age, tokens expire, `Date` follows.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// Every file received so far.
    pub fn uploads(&self) -> Vec<Upload> {
        self.shared.origin.uploads()
    }

    /// A JSON Web Token of this user as `/users/api_token` gives it, expiring that many seconds from now (negative: already expired).
    /// It is well formed but signed by nobody: the sandbox believes every token's `user_id` and `exp`.
    pub fn jwt(user_id: u64, expires_in_secs: i64) -> String {
        origin::jwt(user_id, expires_in_secs, Clock::default().now())
    }

    /// The ids of the synthetic observations, ascending.
    pub fn observation_ids(&self) -> Vec<u64> {
        self.shared.origin.observation_ids()
    }

    /// How many observations were created through the API, upserts on a known `uuid` not counted.
    pub fn created_observations(&self) -> usize {
        self.shared.origin.created()
    }

    /// Changes an observation as its owner would: a new description and `updated_at`. `false` where there is none.
    pub fn touch_observation(&self, id: u64, description: &str) -> bool {
        self.shared.origin.touch(id, description, self.shared.clock.now())
    }

    /// Takes an observation away. `false` where there was none.
    pub fn delete_observation(&self, id: u64) -> bool {
        self.shared.origin.delete(id, self.shared.clock.now())
    }

    /// Adds an observation of this user and taxon, as if somebody had just uploaded it, and gives its id.
    pub fn add_observation(&self, user_id: u64, taxon_id: u64) -> u64 {
        self.shared.origin.add(user_id, taxon_id, self.shared.clock.now())
    }

    /// Stops listening and drops open connections, within three seconds.
    pub fn stop(&self) {
        self.halt();
    }

    /// Serves until the process ends or the server fails: what the command does.
    pub fn run_forever(&self) {
        if let Some(done) = lock(&self.done).take() {
            // An error means the thread is gone, which is the end as well.
            let _ = done.recv();
        }
    }

    fn halt(&self) {
        let _ = self.stop.send(true);
        if let Some(done) = lock(&self.done).take() {
            let _ = done.recv_timeout(STOP);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.halt();
    }
}
