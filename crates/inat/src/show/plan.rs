//! What a dry run would have done.

use inat_session::Plan;

use super::span;

/// So many names of what would be dropped are shown; a write to observations concerns dozens of listings.
const NAMED: usize = 3;

/// The plan, one line for each stage that would act.
pub(crate) fn lines(plan: &Plan) -> String {
    let wait = match &plan.wait {
        Ok(wait) => format!("would wait  {}", span(*wait)),
        Err(reason) => format!("would not be sent: {reason}"),
    };
    format!(
        "would {:<5} {}  as {}  {}\nwould look  {}\n{wait}\nwould keep  {}\nnothing was sent",
        plan.method,
        plan.url,
        plan.identity,
        plan.body,
        plan.lookup,
        shortened(&plan.store)
    )
}

fn shortened(list: &str) -> String {
    let names: Vec<&str> = list.split(", http").collect();
    if names.len() <= NAMED {
        return list.to_owned();
    }
    format!("{} and {} more", names[..NAMED].join(", http"), names.len() - NAMED)
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(shortened("nothing"), "nothing");
        let list = ["http://h/a", "http://h/b", "http://h/c", "http://h/d", "http://h/e"].join(", ");
        assert_eq!(shortened(&list), "http://h/a, http://h/b, http://h/c and 2 more");
    }
}
