//! How UML writes how many.

/// A number, `*`, or a range with the lower bound first.
pub(super) fn is_multiplicity(text: &str) -> bool {
    let number = |text: &str| text.len() <= 6 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once("..") {
        Some((low, high)) => {
            let least = low.parse::<u32>().ok().filter(|_| number(low));
            least.is_some_and(|least| {
                high == "*" || (number(high) && high.parse::<u32>().is_ok_and(|most| most >= least))
            })
        }
        None => text == "*" || number(text),
    }
}
