//! Where files live unless the user says otherwise.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// The folders of a user: what may be deleted at any time, and what should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The HTTP cache.
    pub cache_file: PathBuf,
    /// The budget.
    #[doc(alias = "ratelimit_path")]
    pub budget_file: PathBuf,
}

impl Paths {
    /// Both files in one folder.
    ///
    /// ```
    /// let paths = inat_session::Paths::in_folder("/srv/atlas");
    /// assert!(paths.budget_file.ends_with("budget.db"));
    /// ```
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        Self { cache_file: folder.join("http.db"), budget_file: folder.join("budget.db") }
    }

    /// The folder named by `INAT_HOME`; else the places of the platform: on Linux `$XDG_CACHE_HOME/inat/http.db` and
    /// `$XDG_STATE_HOME/inat/budget.db`. `None` for a user without a home folder.
    pub fn standard() -> Option<Self> {
        if let Some(home) = std::env::var_os("INAT_HOME").filter(|home| !home.is_empty()) {
            return Some(Self::in_folder(PathBuf::from(home)));
        }
        let folders = etcetera::choose_base_strategy().ok()?;
        let state = folders.state_dir().unwrap_or_else(|| folders.data_dir());
        Some(Self {
            cache_file: folders.cache_dir().join("inat").join("http.db"),
            budget_file: state.join("inat").join("budget.db"),
        })
    }
}
