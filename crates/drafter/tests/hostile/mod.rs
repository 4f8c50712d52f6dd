//! Texts that are made to be slow, for the tests of the crate and for those at its public interface.

/// Texts of at most `size` characters.
pub(crate) fn texts(size: usize) -> Vec<String> {
    let story = "The clerk checks the order, which has a date and a price, and if it is complete, he ships it to \
                 the customer. ";
    let units = [
        story,
        "a, ",
        "(",
        "of the ",
        "customer's ",
        "if and or ",
        "é",
        "order and ",
        "a ",
        "`a ",
        "The Fleet System (FMS) checks the order (a, b). ",
    ];
    let sentences: [fn(usize) -> String; 2] = [
        |n| format!("word{n} has a thing{n}. "),
        |n| format!("Each zorb{n} part belongs to a zorb{n}, and the zorb{n} details are stored (a, b). "),
    ];
    let numbered = sentences.map(|sentence| (0..size / 12).map(sentence).collect::<String>());
    let repeated = units.iter().map(|unit| unit.repeat(size / unit.len() + 1));
    repeated.chain(numbered).map(|text| text.chars().take(size).collect()).collect()
}
