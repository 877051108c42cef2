//! `GET /`: what there is and what can go wrong, for whoever points a browser or curl here.

use super::call::Call;
use crate::{Answer, GUIDE, shared::lock};

impl super::Origin {
    pub(super) fn index(&self, call: &Call<'_>) -> Answer {
        let host = call.seen.header("host").unwrap_or("127.0.0.1:8018").replace(['\r', '\n'], "");
        let observations = u64::from(self.world.observation_count());
        let written = lock(&self.writes).created;
        Answer::text(
            200,
            format!(
                "A stand-in for api.inaturalist.org: {observations} made-up observations, and {written} written since the start.\n\n\
                 Try\n  curl 'http://{host}/v1/taxa?q=monarch'\n  curl 'http://{host}/v2/observations?fields=id,taxon.name'\n  \
                 curl -i 'http://{host}/v1/taxa?q=monarch&x-sandbox-fault=429=2*1'\n\n{GUIDE}"
            ),
        )
    }
}
