//! CSV: the requirements are in the column `requirement`, `text` or `description`, or in the only column.

use super::{COLUMNS, Error, MAX_FIELDS};

pub(super) fn read(content: &str) -> Result<Vec<String>, Error> {
    let separator = match content.lines().next() {
        Some(head) if !head.contains(',') && head.contains(';') => b';',
        Some(head) if !head.contains(',') && head.contains('\t') => b'\t',
        _ => b',',
    };
    if content.bytes().filter(|byte| *byte == separator).count() > MAX_FIELDS {
        return Err(Error::invalid(
            "content",
            format!(
                "The table has more than {MAX_FIELDS} fields. Send only the column of requirements, or fewer rows \
                 at a time."
            ),
        ));
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(content.as_bytes());
    let wrong = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        Error::invalid("content", format!("The table cannot be read at line {line}. Check its quotes."))
    };
    let head = reader.headers().map_err(wrong)?.clone();
    let named = COLUMNS
        .iter()
        .find_map(|name| head.iter().position(|column| column.trim().eq_ignore_ascii_case(name)));
    let column = match named {
        Some(column) => column,
        None if head.len() == 1 => 0,
        None => {
            return Err(Error::invalid(
                "content",
                format!("The first line must name the columns, and one of them `{}`.", COLUMNS.join("`, `")),
            ));
        }
    };
    let mut out = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let text = record.get(column).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            out.push(text);
        }
    }
    Ok(out)
}
