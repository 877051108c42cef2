//! A hundred callers who want the same thing at once, and nobody has it.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::body::MEDIUM;
use crate::origin::Origin;
use crate::report::Row;
use crate::{Effort, Fallible, child, peers};

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let origin = Origin::start()?;
    let mut rows = Vec::new();
    for (processes, callers, speed) in [(1, 100, "slow"), (1, 100, "fast"), (4, 25, "slow"), (4, 25, "fast")] {
        let (mut requests, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..effort.repetitions {
            let folder = TempDir::new()?;
            let file = folder.path().join("cache.db");
            let file = file.to_str().ok_or("a path that is not text")?;
            let url = format!("{}?{speed}", origin.url(MEDIUM, 1));
            origin.arrivals()?;
            let lines = child::together("stampede", &[file, &url, &callers.to_string()], processes)?;
            let got: Vec<usize> = lines.iter().map(|line| Ok(line.parse()?)).collect::<Fallible<_>>()?;
            answers.push(got.iter().sum::<usize>());
            requests.push(origin.arrivals()?.len());
        }
        let met = requests.iter().all(|count| *count == 1) && answers.iter().all(|count| *count == 100);
        let found = format!("{} requests, {} answers", list(&requests), list(&answers));
        let case = format!(
            "100 callers, one URL, {processes} process{}, {speed} server",
            if processes == 1 { "" } else { "es" }
        );
        rows.push(Row::counted(case, found, "1 request, 100 answers", met));
    }
    Ok(rows)
}

/// Each number once, in order.
fn list(counts: &[usize]) -> String {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    counts.dedup();
    counts.iter().map(usize::to_string).collect::<Vec<_>>().join("/")
}

/// The role: so many tasks that ask at once; prints how many got the whole body.
pub fn callers(arguments: &[String]) -> Fallible<()> {
    let [file, url, callers] = arguments else { return Err("file, URL and number are missing".into()) };
    let callers: usize = callers.parse()?;
    let session = peers::ours(file.as_ref(), peers::TIER)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    child::ready()?;
    let served = runtime.block_on(async {
        let (start, mut tasks) = (Arc::new(Barrier::new(callers)), JoinSet::new());
        for _ in 0..callers {
            let (start, session, url) = (start.clone(), session.as_async().clone(), url.clone());
            tasks.spawn(async move {
                start.wait().await;
                session
                    .get(&url)
                    .await
                    .is_ok_and(|response| response.bytes().is_ok_and(|body| body.len() == MEDIUM.len))
            });
        }
        tasks.join_all().await.into_iter().filter(|served| *served).count()
    });
    println!("{served}");
    Ok(())
}
