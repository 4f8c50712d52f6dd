//! How much work a draft takes, counted in words and terms that are looked up; only tests of growth read the count.

/// Counts one step.
#[inline]
pub(crate) fn step() {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use blueprint::Kind;

    use super::STEPS;
    use crate::hostile;

    fn steps(kind: Kind, text: &str) -> u64 {
        let before = STEPS.get();
        crate::draft(kind, text);
        STEPS.get() - before
    }

    #[test]
    fn drafts_take_work_in_proportion_to_the_text() {
        for row in blueprint::KINDS {
            for (half, whole) in hostile::texts(20_000).iter().zip(hostile::texts(40_000)) {
                let (once, twice) = (steps(row.kind, half), steps(row.kind, &whole));
                let begin: String = whole.chars().take(20).collect();
                assert!(twice <= 3 * once + 50_000, "{} of {begin:?}…: {once} steps, then {twice}", row.id);
            }
        }
    }
}
