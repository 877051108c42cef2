//! The clients ours is measured beside, and ours, each set up the same way every time.

use std::path::Path;

use http_cache_reqwest::{
    Cache, CacheManager, CacheMode, HttpCache, HttpCacheOptions, MokaCache, MokaManager, RedbManager,
};
use inat_session::blocking;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::Fallible;
use crate::body::Size;
use crate::origin::Origin;

/// `http-cache-reqwest` with its cache in memory, with room for all we ask for; by default it holds 42 entries.
pub fn moka() -> Fallible<ClientWithMiddleware> {
    client(MokaManager::new(MokaCache::new(10_000)))
}

/// `http-cache-reqwest` with its cache in a file.
pub fn redb(file: &Path) -> Fallible<ClientWithMiddleware> {
    client(RedbManager::new(file)?)
}

fn client(manager: impl CacheManager) -> Fallible<ClientWithMiddleware> {
    let cache = HttpCache { mode: CacheMode::Default, manager, options: HttpCacheOptions::default() };
    Ok(ClientBuilder::new(bare()?).with(Cache(cache)).build())
}

/// `reqwest` without a cache.
pub fn bare() -> Fallible<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// Fetches one URL, body and all.
pub async fn fetch(client: &ClientWithMiddleware, url: &str, size: Size) -> Fallible<()> {
    check(client.get(url).send().await?.bytes().await?.len(), size)
}

/// Ours with its cache in a file and no limits. Everything else is as it comes.
pub fn ours(file: &Path, tier: u64) -> Fallible<blocking::Session> {
    Ok(blocking::Session::builder().cache_file(file).memory_tier(tier).unlimited().build()?)
}

/// The memory tier as it comes.
pub const TIER: u64 = 32 << 20;

/// Asks for one URL that is in the cache.
pub fn hit(session: &blocking::Session, url: &str, size: Size) -> Fallible<()> {
    let response = session.get(url)?;
    if !response.is_from_cache() {
        return Err(format!("{url} did not come from the cache").into());
    }
    check(response.bytes()?.len(), size)
}

/// The same from the async session.
pub async fn hit_async(session: &inat_session::Session, url: &str, size: Size) -> Fallible<()> {
    let response = session.get(url).await?;
    if !response.is_from_cache() {
        return Err(format!("{url} did not come from the cache").into());
    }
    check(response.bytes()?.len(), size)
}

fn check(len: usize, size: Size) -> Fallible<()> {
    if len == size.len { Ok(()) } else { Err(format!("{len} bytes came instead of {}", size.len).into()) }
}

/// Different URLs of one size.
pub fn urls(origin: &Origin, size: Size) -> Vec<String> {
    (0..size.set).map(|n| origin.url(size, n)).collect()
}

/// An executor for one thread.
pub fn runtime() -> Fallible<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
