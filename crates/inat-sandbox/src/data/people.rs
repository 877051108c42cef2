//! People.

use serde_json::{Value, json};

use super::{
    USERS, World, text,
    words::{FIRST_NAMES, LAST_NAMES, LOGIN_ENDS, LOGIN_STARTS},
};

impl World {
    pub(crate) fn login(&self, user: u64) -> String {
        if user == 1 {
            return "fernwalker".to_owned();
        }
        let mut dice = self.dice("login", user);
        format!("{}_{}{user}", dice.pick(LOGIN_STARTS, "moss"), dice.pick(LOGIN_ENDS, "trail"))
    }

    /// The user with this id or login.
    pub(crate) fn find_user(&self, id_or_login: &str) -> Option<u64> {
        match id_or_login.parse::<u64>() {
            Ok(id) => Some(id).filter(|id| (1..=USERS).contains(id)),
            Err(_) if id_or_login.eq_ignore_ascii_case("fernwalker") => Some(1),
            Err(_) => {
                let digits = id_or_login.trim_start_matches(|letter: char| !letter.is_ascii_digit());
                let id = digits.parse().ok().filter(|id| (1..=USERS).contains(id))?;
                Some(id).filter(|id| self.login(*id).eq_ignore_ascii_case(id_or_login))
            }
        }
    }

    pub(crate) fn real_name(&self, user: u64) -> Option<String> {
        let mut dice = self.dice("name", user);
        dice.percent(70).then(|| format!("{} {}", dice.pick(FIRST_NAMES, "Ada"), dice.pick(LAST_NAMES, "Alder")))
    }

    pub(crate) fn user(&self, id: u64) -> Value {
        let mut dice = self.dice("user", id);
        let (login, name) = (self.login(id), self.real_name(id));
        let icon = |size: &str| format!("{}/attachments/users/icons/{id}/{size}.jpg?1475527316", self.media_base);
        let pictured = dice.percent(60);
        let (observations, identifications) = (dice.skewed(20_000), dice.skewed(40_000));
        let posts = dice.skewed(50);
        json!({
            "id": id,
            "login": login,
            "spam": false,
            "suspended": false,
            "created_at": text(1_210_000_000 + i64::try_from(dice.below(400_000_000)).unwrap_or(0)),
            "login_autocomplete": login,
            "login_exact": login,
            "name": name,
            "name_autocomplete": name,
            "orcid": if dice.percent(10) { json!(format!("https://orcid.org/0000-0003-{id:04}-6846")) } else { Value::Null },
            "icon": if pictured { json!(icon("thumb")) } else { Value::Null },
            "observations_count": observations,
            "identifications_count": identifications,
            "journal_posts_count": posts,
            "activity_count": observations + identifications + posts,
            "species_count": observations / 4,
            "universal_search_rank": observations,
            "roles": if id == 1 { json!(["curator"]) } else { json!([]) },
            "site_id": 1,
            "icon_url": if pictured { json!(icon("medium")) } else { Value::Null },
        })
    }
}
