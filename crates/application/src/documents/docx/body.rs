//! The body of a document: which paragraphs and cells are requirements.

use super::{COLUMNS, Element, Error, Language, Part, Step, invalid, styles::Styles};

/// Built-in content blocks without requirements.
const FURNITURE: [&str; 3] = ["Table of Contents", "Cover Pages", "Bibliographies"];

/// Limits of all tables, nested tables, paragraphs and bytes of text. A document of a thousand requirements has a
/// tenth of them; each element takes memory beside its text.
pub(super) const MAX_ROWS: usize = 10_000;
pub(super) const MAX_CELLS: usize = 50_000;
pub(super) const MAX_TABLE_DEPTH: usize = 8;
pub(super) const MAX_PARAGRAPHS: usize = 50_000;
pub(super) const MAX_TEXT_BYTES: usize = 4 << 20;

/// An open element that affects the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Paragraph,
    ParagraphProperties,
    /// Properties of the paragraph mark.
    MarkProperties,
    Run,
    Text,
    Table,
    Row,
    RowProperties,
    Cell,
    CellProperties,
    Block,
    BlockProperties,
    Other,
}

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    outline: Option<usize>,
    /// The paragraph mark was deleted, so that the next paragraph continues this one.
    goes_on: bool,
}

/// Container of paragraphs: the document or a cell.
#[derive(Debug, Default)]
struct Place {
    /// All text, including headings.
    all: Vec<String>,
    /// Paragraphs that may be requirements.
    own: Vec<String>,
    /// Requirements of nested tables, with the number of paragraphs before each.
    within: Vec<(usize, String)>,
    /// Text of a paragraph that continues.
    begun: String,
}

impl Place {
    fn add(&mut self, paragraph: Paragraph, styles: &Styles) {
        let around = styles.is_furniture(paragraph.style.as_deref(), paragraph.outline);
        let text = std::mem::take(&mut self.begun) + &paragraph.text;
        if paragraph.goes_on {
            self.begun = text;
            return;
        }
        self.keep(&text, around);
    }

    fn keep(&mut self, text: &str, around: bool) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return;
        }
        if !around {
            self.own.push(text.clone());
        }
        self.all.push(text);
    }

    fn end(&mut self) {
        let begun = std::mem::take(&mut self.begun);
        self.keep(&begun, false);
    }

    /// Paragraphs and requirements of nested tables, in document order.
    fn in_order(self) -> Vec<String> {
        let mut out = Vec::with_capacity(self.own.len() + self.within.len());
        let mut within = self.within.into_iter().peekable();
        for (at, text) in self.own.into_iter().enumerate() {
            while let Some((_, inner)) = within.next_if(|(before, _)| *before <= at) {
                out.push(inner);
            }
            out.push(text);
        }
        out.extend(within.map(|(_, inner)| inner));
        out
    }
}

#[derive(Debug)]
struct Cell {
    column: usize,
    width: usize,
    place: Place,
}

#[derive(Debug, Default)]
struct Row {
    cells: Vec<Cell>,
    /// Column of the next cell.
    column: usize,
    deleted: bool,
}

/// Requirements of a table: those of the column named in the first row, or every cell with text.
fn requirements_of(rows: Vec<Row>) -> Vec<String> {
    let named = COLUMNS.iter().find_map(|name| {
        let head = rows.first()?.cells.iter();
        head.clone().find(|cell| cell.place.all.join(" ").eq_ignore_ascii_case(name)).map(|cell| cell.column)
    });
    let skipped = usize::from(named.is_some());
    let cells = rows.into_iter().skip(skipped).flat_map(|row| row.cells);
    let cells = cells.filter(|cell| {
        named.is_none_or(|column| (cell.column..cell.column.saturating_add(cell.width)).contains(&column))
    });
    let mut out = Vec::new();
    for cell in cells {
        let text = cell.place.own.join(" ");
        if !text.is_empty() {
            out.push(text);
        }
        out.extend(cell.place.within.into_iter().map(|(_, text)| text));
    }
    out
}

struct Body<'a> {
    styles: &'a Styles,
    open: Vec<Open>,
    /// Number of open elements below a skipped one.
    skipped: usize,
    paragraphs: Vec<Paragraph>,
    places: Vec<Place>,
    tables: Vec<Vec<Row>>,
    /// For each open content block, whether it is skipped.
    blocks: Vec<bool>,
    widths: Vec<usize>,
    rows: usize,
    cells: usize,
    texts: usize,
    text_bytes: usize,
}

pub(super) fn requirements(text: &str, styles: &Styles) -> Result<Vec<String>, Error> {
    let mut part = Part::new(text);
    let mut body = Body {
        styles,
        open: Vec::new(),
        skipped: 0,
        paragraphs: Vec::new(),
        places: vec![Place::default()],
        tables: Vec::new(),
        blocks: Vec::new(),
        widths: Vec::new(),
        rows: 0,
        cells: 0,
        texts: 0,
        text_bytes: 0,
    };
    let mut begun = false;
    loop {
        match part.step()? {
            Step::Begin(language, element) => {
                if !begun && (language, element.name()) != (Language::Word, "document") {
                    return Err(invalid(
                        "This is not a Word document: its main part has another format. Send a `.docx` file.",
                    ));
                }
                begun = true;
                body.begin(language, &element)?;
            }
            Step::End => body.end(),
            Step::Text(text) => body.text(&text)?,
            Step::Done if !begun => return Err(super::damaged()),
            Step::Done => break,
        }
    }
    let mut place = body.places.swap_remove(0);
    place.end();
    Ok(place.in_order())
}

fn within(count: usize, most: usize, what: &str) -> Result<(), Error> {
    match count > most {
        true => {
            Err(invalid(format!("The document has more than {most} {what}. Send one chapter at a time.")))
        }
        false => Ok(()),
    }
}

impl Body<'_> {
    fn begin(&mut self, language: Language, element: &Element<'_>) -> Result<(), Error> {
        if self.skipped > 0 {
            self.skipped += 1;
            return Ok(());
        }
        match self.opened(language, element) {
            Some(open) => {
                self.count(open)?;
                self.open.push(open);
            }
            None => self.skipped = 1,
        }
        Ok(())
    }

    /// Counts an element against its limit.
    fn count(&mut self, open: Open) -> Result<(), Error> {
        let (count, most, what) = match open {
            Open::Row => (&mut self.rows, MAX_ROWS, "rows in tables"),
            Open::Cell => (&mut self.cells, MAX_CELLS, "cells in tables"),
            Open::Table if self.tables.len() > MAX_TABLE_DEPTH => {
                return Err(invalid(format!(
                    "Tables of the document are nested more than {MAX_TABLE_DEPTH} deep. Remove the inner ones, \
                     then send it again."
                )));
            }
            _ => return Ok(()),
        };
        *count += 1;
        within(*count, most, what)
    }

    /// Classifies an element; `None` if it is skipped.
    fn opened(&mut self, language: Language, element: &Element<'_>) -> Option<Open> {
        let parent = self.open.last().copied().unwrap_or(Open::Other);
        let name = element.name();
        match language {
            Language::Word => (),
            // The same content again, for older programs.
            Language::Compatibility => return (name != "Fallback").then_some(Open::Other),
            Language::Math => return Some(if name == "t" { Open::Text } else { Open::Other }),
            Language::Other => return Some(Open::Other),
        }
        match (parent, name) {
            (_, "p") => {
                self.paragraphs.push(Paragraph::default());
                Some(Open::Paragraph)
            }
            (Open::Paragraph, "pPr") => Some(Open::ParagraphProperties),
            (Open::ParagraphProperties, "rPr") => Some(Open::MarkProperties),
            (Open::ParagraphProperties, "pStyle") => {
                let style = element.value("val");
                self.in_paragraph(|paragraph| paragraph.style = style);
                Some(Open::Other)
            }
            (Open::ParagraphProperties, "outlineLvl") => {
                let outline = element.number("val");
                self.in_paragraph(|paragraph| paragraph.outline = outline);
                Some(Open::Other)
            }
            (Open::MarkProperties, "del" | "moveFrom") => {
                self.in_paragraph(|paragraph| paragraph.goes_on = true);
                Some(Open::Other)
            }
            (Open::RowProperties, "del") => {
                if let Some(row) = self.row() {
                    row.deleted = true;
                }
                Some(Open::Other)
            }
            // Deleted or moved text, earlier formatting, phonetic text, and field codes.
            (_, "del" | "moveFrom" | "delText" | "instrText" | "delInstrText" | "rt") => None,
            (_, change) if change.ends_with("Change") => None,
            (_, "r") => Some(Open::Run),
            (Open::Run, "t") => Some(Open::Text),
            (Open::Run, "tab" | "br" | "cr" | "ptab") => {
                self.in_paragraph(|paragraph| paragraph.text.push(' '));
                Some(Open::Other)
            }
            (Open::Run, "noBreakHyphen") => {
                self.in_paragraph(|paragraph| paragraph.text.push('-'));
                Some(Open::Other)
            }
            (_, "tbl") => {
                self.tables.push(Vec::new());
                Some(Open::Table)
            }
            (_, "tr") => {
                if let Some(table) = self.tables.last_mut() {
                    table.push(Row::default());
                }
                Some(Open::Row)
            }
            (Open::Row, "trPr") => Some(Open::RowProperties),
            (Open::RowProperties, "gridBefore") => {
                let before = element.number("val").unwrap_or(0);
                if let Some(row) = self.row() {
                    row.column = row.column.saturating_add(before);
                }
                Some(Open::Other)
            }
            (_, "tc") => {
                self.places.push(Place::default());
                self.widths.push(1);
                Some(Open::Cell)
            }
            (Open::Cell, "tcPr") => Some(Open::CellProperties),
            (Open::CellProperties, "gridSpan") => {
                if let Some(width) = self.widths.last_mut() {
                    *width = element.number("val").unwrap_or(1).max(1);
                }
                Some(Open::Other)
            }
            (_, "sdt") => {
                self.blocks.push(false);
                Some(Open::Block)
            }
            (Open::Block, "sdtPr") => Some(Open::BlockProperties),
            // A placeholder prompt.
            (Open::BlockProperties, "showingPlcHdr") => {
                self.furniture();
                Some(Open::Other)
            }
            (Open::BlockProperties, "docPartObj") => Some(Open::BlockProperties),
            (Open::BlockProperties, "docPartGallery") => {
                if element.value("val").is_some_and(|gallery| FURNITURE.contains(&gallery.as_str())) {
                    self.furniture();
                }
                Some(Open::Other)
            }
            (Open::Block, "sdtContent") if self.blocks.last() == Some(&true) => None,
            _ => Some(Open::Other),
        }
    }

    fn end(&mut self) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match self.open.pop() {
            Some(Open::Paragraph) => {
                if let (Some(paragraph), Some(place)) = (self.paragraphs.pop(), self.places.last_mut()) {
                    place.add(paragraph, self.styles);
                }
            }
            Some(Open::Cell) => {
                // The first container is the document.
                let place = if self.places.len() > 1 { self.places.pop() } else { None };
                let width = self.widths.pop().unwrap_or(1);
                if let (Some(mut place), Some(row)) = (place, self.row()) {
                    place.end();
                    let column = row.column;
                    row.column = column.saturating_add(width);
                    row.cells.push(Cell { column, width, place });
                }
            }
            Some(Open::Row) => {
                if let Some(table) = self.tables.last_mut() {
                    table.pop_if(|row| row.deleted);
                }
            }
            Some(Open::Table) => {
                let rows = self.tables.pop().unwrap_or_default();
                if let Some(place) = self.places.last_mut() {
                    let before = place.own.len();
                    place.within.extend(requirements_of(rows).into_iter().map(|text| (before, text)));
                }
            }
            Some(Open::Block) => {
                self.blocks.pop();
            }
            _ => (),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.skipped == 0 && self.open.last() == Some(&Open::Text) {
            self.text_bytes += text.len();
            within(self.text_bytes, MAX_TEXT_BYTES, "bytes of text")?;
            if self.paragraphs.last().is_some_and(|paragraph| paragraph.text.is_empty()) {
                self.texts += 1;
                within(self.texts, MAX_PARAGRAPHS, "paragraphs")?;
            }
            self.in_paragraph(|paragraph| paragraph.text.push_str(text));
        }
        Ok(())
    }

    fn in_paragraph(&mut self, change: impl FnOnce(&mut Paragraph)) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            change(paragraph);
        }
    }

    fn row(&mut self) -> Option<&mut Row> {
        self.tables.last_mut()?.last_mut()
    }

    fn furniture(&mut self) {
        if let Some(block) = self.blocks.last_mut() {
            *block = true;
        }
    }
}
