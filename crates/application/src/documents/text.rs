//! Plain text: paragraphs, with an empty line between them.

use super::Error;

pub(super) fn read(content: &str) -> Result<Vec<String>, Error> {
    Ok(paragraphs(content.lines()))
}

pub(super) fn paragraphs<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = String::new();
    for line in lines.map(str::trim).chain([""]) {
        if !line.is_empty() {
            if !open.is_empty() {
                open.push(' ');
            }
            open.push_str(line);
        } else if !open.is_empty() {
            out.push(std::mem::take(&mut open));
        }
    }
    out
}
