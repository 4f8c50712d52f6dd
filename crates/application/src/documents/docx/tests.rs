//! Documents as Word and LibreOffice write them, and malformed ones.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

const SPACES: &str = "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" \
                      xmlns:mc=\"http://schemas.openxmlformats.org/markup-compatibility/2006\" \
                      xmlns:m=\"http://schemas.openxmlformats.org/officeDocument/2006/math\" \
                      xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" \
                      xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"";

fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in parts {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn with_styles(body: &str, styles: &str) -> Vec<u8> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document {SPACES}>\
         <w:body>{body}<w:sectPr/></w:body></w:document>"
    );
    let styles = format!("<w:styles {SPACES}>{styles}</w:styles>");
    zipped(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
        ("word/header1.xml", b"<w:hdr>not read</w:hdr>"),
        ("word/footnotes.xml", b"not even XML"),
    ])
}

#[track_caller]
fn check_styled(body: &str, styles: &str, expected: &[&str]) {
    assert_eq!(requirements(&with_styles(body, styles)).unwrap(), expected, "{body}");
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    check_styled(body, "", expected);
}

#[track_caller]
fn check_refused(bytes: &[u8], words: &str) {
    let error = requirements(bytes).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn styled(style: &str, text: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn row(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<w:tc><w:tcPr/>{cell}</w:tc>")).collect();
    format!("<w:tr><w:trPr/>{cells}</w:tr>")
}

#[test]
fn each_paragraph_and_list_item_is_a_requirement() {
    let item = "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"1\"/></w:numPr><w:tabs>\
                <w:tab w:val=\"left\"/></w:tabs></w:pPr><w:r><w:t>An item.</w:t></w:r></w:p>";
    check(
        &[
            &p("A member borrows books."),
            "<w:p/>",
            &p(" \u{a0} "),
            item,
            &p("R&amp;D &lt;pays&gt; &#8364; 5."),
        ]
        .concat(),
        &["A member borrows books.", "An item.", "R&D <pays> € 5."],
    );
    check(
        "<w:p><w:r><w:t>One </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">sen</w:t>\
         </w:r><w:r><w:t>tence,</w:t><w:tab/><w:t>with</w:t><w:br/><w:t>breaks</w:t><w:noBreakHyphen/>\
         <w:t>and</w:t><w:cr/><w:t><![CDATA[<data>]]></w:t></w:r></w:p>",
        &["One sentence, with breaks-and <data>"],
    );
    // Strict namespace and no prefix.
    let strict = "<document xmlns=\"http://purl.oclc.org/ooxml/wordprocessingml/main\"><body><p><r>\
                  <t>Strict.</t></r></p></body></document>";
    assert_eq!(requirements(&zipped(&[("word/document.xml", strict.as_bytes())])).unwrap(), ["Strict."]);
}

#[test]
fn deleted_and_generated_text_is_skipped() {
    check(
        "<w:p><w:r><w:t>A member </w:t></w:r><w:del><w:r><w:delText>must</w:delText>\
         <w:t>x</w:t></w:r></w:del><w:ins><w:r><w:t>may </w:t></w:r></w:ins><w:moveFrom><w:r>\
         <w:t>gone</w:t></w:r></w:moveFrom><w:hyperlink r:id=\"r1\"><w:r>\
         <w:t>borrow</w:t></w:r></w:hyperlink><w:r><w:footnoteReference w:id=\"1\"/>\
         <w:commentReference w:id=\"2\"/></w:r><w:r><w:fldChar/><w:instrText> PAGE </w:instrText></w:r>\
         <w:smartTag><w:r><w:t> books.</w:t></w:r></w:smartTag></w:p>",
        &["A member may borrow books."],
    );
    // A deleted paragraph mark.
    check(
        &format!(
            "<w:p><w:pPr><w:rPr><w:del w:id=\"1\"/></w:rPr></w:pPr><w:r><w:t>One and </w:t></w:r></w:p>{}",
            p("the same.")
        ),
        &["One and the same."],
    );
    // Content controls are read, except for prompts and generated blocks.
    let sdt = |inner: &str, text: &str| {
        format!("<w:sdt><w:sdtPr>{inner}</w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>", p(text))
    };
    check(
        &[
            sdt("<w:alias w:val=\"x\"/>", "Kept."),
            sdt("<w:showingPlcHdr/>", "Click here to write."),
            sdt("<w:docPartObj><w:docPartGallery w:val=\"Table of Contents\"/></w:docPartObj>", "1 Loans"),
            sdt("<w:docPartObj><w:docPartGallery w:val=\"Quick Parts\"/></w:docPartObj>", "Also kept."),
        ]
        .concat(),
        &["Kept.", "Also kept."],
    );
    // A text box is stored twice, for newer and older programs; text in pictures is skipped.
    check(
        &format!(
            "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>{}</w:txbxContent></mc:Choice>\
             <mc:Fallback><w:txbxContent>{}</w:txbxContent></mc:Fallback></mc:AlternateContent>\
             <w:t>Around.</w:t><a:t>drawn</a:t></w:r><m:oMath><m:r><m:t> x=1</m:t></m:r></m:oMath></w:p>",
            p("In a box."),
            p("In a box.")
        ),
        &["In a box.", "Around. x=1"],
    );
}

#[test]
fn headings_and_furniture_are_skipped_in_any_language() {
    let styles = "<w:style w:styleId=\"berschrift1\"><w:name w:val=\"heading 1\"/></w:style>\
        <w:style w:styleId=\"Kapitel\"><w:name w:val=\"Kapitel\"/><w:basedOn w:val=\"berschrift1\"/></w:style>\
        <w:style w:styleId=\"Stufe\"><w:name w:val=\"Stufe\"/><w:pPr><w:outlineLvl w:val=\"2\"/></w:pPr></w:style>\
        <w:style w:styleId=\"Round\"><w:name w:val=\"Round\"/><w:basedOn w:val=\"Round\"/></w:style>\
        <w:style w:styleId=\"Body\"><w:name w:val=\"Body Text\"/><w:pPr><w:pPrChange><w:pPr>\
        <w:outlineLvl w:val=\"0\"/></w:pPr></w:pPrChange></w:pPr></w:style>\
        <w:style w:styleId=\"Verzeichnis1\"><w:name w:val=\"toc 1\"/></w:style>";
    let all: String = [
        "berschrift1",
        "Kapitel",
        "Stufe",
        "Verzeichnis1",
        "Heading2",
        "Title",
        "Subtitle",
        "TOC1",
        "TOCHeading",
        "Caption",
        "Header",
        "Footer",
        "Index1",
    ]
    .iter()
    .map(|style| styled(style, style))
    .collect();
    let kept = [
        styled("Body", "Body."),
        styled("Round", "Round."),
        styled("Tocopherol", "A vitamin."),
        styled("Indexed", "Words."),
    ];
    let own = "<w:p><w:pPr><w:outlineLvl w:val=\"1\"/></w:pPr><w:r><w:t>Own level</w:t></w:r></w:p>";
    let text_level =
        "<w:p><w:pPr><w:outlineLvl w:val=\"9\"/></w:pPr><w:r><w:t>Level of the text.</w:t></w:r></w:p>";
    check_styled(
        &[&all, own, text_level, &kept.concat()].concat(),
        styles,
        &["Level of the text.", "Body.", "Round.", "A vitamin.", "Words."],
    );
    let was = "<w:p><w:pPr><w:pPrChange><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr></w:pPrChange></w:pPr>\
               <w:r><w:t>Was a heading.</w:t></w:r></w:p>";
    check(was, &["Was a heading."]);
}

#[test]
fn table_gives_the_named_column_or_every_cell() {
    let table = |rows: &[String]| format!("<w:tbl><w:tblPr/>{}</w:tbl>", rows.concat());
    let two = [p("A loan"), p("has a date.")].concat();
    check(
        &[
            p("Before."),
            table(&[
                row(&[&p("No."), &styled("Heading1", "REQUIREMENT"), &p("Owner")]),
                row(&[&p("1"), &two, &p("Ada")]),
                row(&[&p("2"), "<w:p/>", &p("Ada")]),
                row(&["<w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>", &p("Not in the column")]),
                format!(
                    "<w:tr><w:trPr><w:gridBefore w:val=\"1\"/></w:trPr><w:tc>{}</w:tc></w:tr>",
                    p("Further in.")
                ),
                format!("<w:tr><w:trPr><w:del/></w:trPr><w:tc/><w:tc>{}</w:tc></w:tr>", p("Deleted.")),
            ]),
            p("After."),
        ]
        .concat(),
        &["Before.", "A loan has a date.", "Further in.", "After."],
    );
    check(
        &table(&[
            row(&[&p("Id"), &p("Description"), &p("Text")]),
            row(&[&p("1"), &p("Long."), &p("Short.")]),
        ]),
        &["Short."],
    );
    let inner = table(&[row(&[&p("Inner.")])]);
    check(
        &table(&[
            row(&[&p("One."), "<w:p/>"]),
            row(&[&[p("Two."), inner, p("Three.")].concat(), &styled("Heading1", "No")]),
        ]),
        &["One.", "Two. Three.", "Inner."],
    );
}

#[test]
fn other_formats_are_refused() {
    let ole = |more: &[u8]| [OLE, &[0; 600], more].concat();
    let name: Vec<u8> = "EncryptedPackage".bytes().flat_map(|byte| [byte, 0]).collect();
    check_refused(&ole(b"WordDocument"), "`.doc`");
    check_refused(&ole(&name), "password");
    check_refused(b"%PDF-1.7", "not a Word document");
    check_refused(b"", "not a Word document");
    check_refused(b"PK\x03\x04 and no more", "damaged");
    check_refused(&zipped(&[("xl/workbook.xml", b"<workbook/>")]), "`word/document.xml`");
    check_refused(&zipped(&[("word/document.xml", b"<workbook/>")]), "another format");
    check_refused(&zipped(&[("word/document.xml", b"")]), "damaged");
    check_refused(&zipped(&[("word/document.xml", b"\xff\xfe<\0w\0")]), "damaged");
    let whole = with_styles(&p("One."), "");
    check_refused(&whole[..whole.len() - 30], "damaged");
    let document = |text: &str| zipped(&[("word/document.xml", text.as_bytes())]);
    check_refused(&document(&format!("<w:document {SPACES}><w:body><w:p>")), "damaged");
    check_refused(
        &document(&format!("<w:document {SPACES}><w:body></w:p></w:body></w:document>")),
        "damaged",
    );
    let error = read("not base64!").unwrap_err().to_string();
    assert!(error.contains("base64"), "{error}");
    // Wrapped lines.
    let text: String = STANDARD
        .encode(&whole)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line) + "\r\n")
        .collect();
    assert_eq!(read(&text).unwrap(), ["One."]);
}

#[test]
fn encrypted_part_is_refused() {
    // The flag is in the header of the entry and in the directory.
    let mut bytes = with_styles(&p("One."), "");
    for (at, mark) in [(6, &b"PK\x03\x04"[..]), (8, ENTRY)] {
        let starts: Vec<usize> =
            (0..bytes.len() - 4).filter(|start| &bytes[*start..start + 4] == mark).collect();
        starts.into_iter().for_each(|start| bytes[start + at] |= 1);
    }
    check_refused(&bytes, "password");
}

#[test]
fn decompression_and_nesting_are_limited() {
    // A decompression bomb.
    let bomb = vec![b' '; BODY.1 + 1];
    let packed = zipped(&[("word/document.xml", &bomb)]);
    assert!(packed.len() < 100_000, "{}", packed.len());
    check_refused(&packed, "larger than 32 MB");
    let document = format!("<w:document {SPACES}/>");
    check_refused(
        &zipped(&[("word/document.xml", document.as_bytes()), ("word/styles.xml", &bomb)]),
        "larger than 4 MB",
    );
    // A part that is not read has no limit.
    assert_eq!(
        requirements(&zipped(&[("word/document.xml", document.as_bytes()), ("word/media/a.png", &bomb)]))
            .unwrap(),
        Vec::<String>::new()
    );
    let names: Vec<String> = (0..=MAX_PARTS).map(|n| format!("word/media/{n}")).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    check_refused(&zipped(&parts), "parts");
    let deep = |levels: usize| {
        format!("<w:document {SPACES}>{}{}</w:document>", "<w:sdt>".repeat(levels), "</w:sdt>".repeat(levels))
    };
    check_refused(&zipped(&[("word/document.xml", deep(MAX_DEPTH).as_bytes())]), "nested more than");
    requirements(&zipped(&[("word/document.xml", deep(MAX_DEPTH - 1).as_bytes())])).unwrap();
    let laughs = format!(
        "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><w:document {SPACES}><w:body><w:p><w:r>\
         <w:t>&b;</w:t></w:r></w:p></w:body></w:document>"
    );
    check_refused(&zipped(&[("word/document.xml", laughs.as_bytes())]), "document type");
    check_refused(&with_styles("<w:p><w:r><w:t>&secret;</w:t></w:r></w:p>", ""), "damaged");
}

#[test]
fn tables_text_and_styles_are_limited() {
    use super::{
        body::{MAX_CELLS, MAX_PARAGRAPHS, MAX_ROWS, MAX_TABLE_DEPTH, MAX_TEXT_BYTES},
        styles::MAX_STYLES,
    };
    let table = |rows: &str| format!("<w:tbl>{rows}</w:tbl>");
    let cells = |count: usize| table(&format!("<w:tr>{}</w:tr>", "<w:tc/>".repeat(count)));
    let nested = |depth: usize| {
        let inner = format!("{}{}", "<w:tbl><w:tr><w:tc>".repeat(depth), p("Inner."));
        inner + &"</w:tc></w:tr></w:tbl>".repeat(depth)
    };
    let text = |bytes: usize| p(&"x".repeat(bytes));
    let styles =
        |count: usize| (0..count).map(|n| format!("<w:style w:styleId=\"s{n}\"/>")).collect::<String>();
    // A document at the limit is read; one more is refused with the name of the limit.
    for (at_limit, over, words) in [
        (cells(MAX_CELLS), cells(MAX_CELLS + 1), "50000 cells"),
        (cells(MAX_CELLS), cells(1).repeat(MAX_CELLS + 1), "10000 rows"),
        (table(&"<w:tr/>".repeat(MAX_ROWS)), table(&"<w:tr/>".repeat(MAX_ROWS + 1)), "10000 rows"),
        (nested(MAX_TABLE_DEPTH), nested(MAX_TABLE_DEPTH + 1), "nested more than 8 deep"),
        (p("x").repeat(MAX_PARAGRAPHS), p("x").repeat(MAX_PARAGRAPHS + 1), "50000 paragraphs"),
        (text(MAX_TEXT_BYTES), text(MAX_TEXT_BYTES + 1), "4194304 bytes of text"),
    ] {
        requirements(&with_styles(&at_limit, "")).unwrap();
        check_refused(&with_styles(&over, ""), words);
    }
    requirements(&with_styles("", &styles(MAX_STYLES))).unwrap();
    check_refused(&with_styles("", &styles(MAX_STYLES + 1)), "10000 styles");
    // A small file whose cells took 470 MB.
    let attack = with_styles(&table(&"<w:tr><w:tc/><w:tc/><w:tc/></w:tr>".repeat(800_000)), "");
    assert!(attack.len() < 1_000_000, "{}", attack.len());
    check_refused(&attack, "rows in tables");
}

/// A document with every supported feature.
fn everything() -> Vec<u8> {
    let table = format!(
        "<w:tbl>{}{}</w:tbl>",
        row(&[&p("No."), &p("Requirement")]),
        row(&["<w:tcPr><w:gridSpan w:val=\"1\"/></w:tcPr>", &p("A loan has a date.")])
    );
    let body = [
        styled("Heading1", "Loans"),
        p("A member &amp; a book."),
        table,
        format!(
            "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>",
            p("x")
        ),
        "<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:del><w:r><w:delText>y</w:delText></w:r></w:del></w:p>"
            .to_owned(),
    ];
    with_styles(
        &body.concat(),
        "<w:style w:styleId=\"a\"><w:name w:val=\"heading 1\"/><w:basedOn w:val=\"a\"/></w:style>",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Corrupted bytes never panic.
    #[test]
    fn corrupted_file_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut bytes = everything();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = requirements(&bytes);
    }

    /// Arbitrary elements never panic.
    #[test]
    fn arbitrary_elements_never_panic(pieces in prop::collection::vec(0..24_usize, 0..60)) {
        const PIECES: [&str; 24] = [
            "<w:p>", "</w:p>", "<w:p/>", "<w:tbl>", "</w:tbl>", "<w:tr>", "</w:tr>", "<w:tc>", "</w:tc>",
            "<w:r>", "</w:r>", "<w:t>", "</w:t>", "words", "<w:sdt>", "</w:sdt>", "<w:del>", "</w:del>",
            "<w:pPr><w:rPr><w:del/></w:rPr></w:pPr>",
            "<w:tcPr><w:gridSpan w:val=\"18446744073709551615\"/></w:tcPr>",
            "<mc:Fallback>", "</mc:Fallback>", "&amp;", "&#0;",
        ];
        let body: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let _ = requirements(&with_styles(&body, ""));
    }

    /// A well-formed document is read without losing a word.
    #[test]
    fn no_word_is_lost(words in prop::collection::vec("[a-zäß€]{1,8}", 1..30), cells in any::<u16>()) {
        let mut body = String::new();
        for (at, word) in words.iter().enumerate() {
            let cell = cells >> (at % 16) & 1 == 1;
            body += &if cell { format!("<w:tbl>{}</w:tbl>", row(&[&p(word)])) } else { p(word) };
        }
        prop_assume!(!words.iter().any(|word| COLUMNS.contains(&word.as_str())));
        prop_assert_eq!(requirements(&with_styles(&body, "")).unwrap(), words);
    }
}
