//! The shipped fonts: Inter (OFL-1.1) for text, DejaVu Sans for symbols and scripts that Inter does not have.
//!
//! Fontsource cuts Inter into files by script, so that a page or a picture carries only what it uses. All are made by
//! `web/bundle.mjs`.

use std::io::Read;

use flate2::read::GzDecoder;

/// The family of the shipped fonts.
pub(super) const FAMILY: &str = "Inter";

/// The font families that pictures name.
pub(super) const STACK: &str = "Inter, sans-serif";

/// One font file for browsers.
#[derive(Debug)]
pub struct Font {
    /// File name, for example `inter-latin-400.woff2`.
    pub file: &'static str,
    /// Weight of the letters: 400 or 700.
    pub weight: u16,
    /// The characters in it, as CSS writes them.
    pub unicode_range: &'static str,
    /// The WOFF2 file.
    pub woff2: &'static [u8],
    gzipped_open_type: &'static [u8],
}

macro_rules! inter {
    ($($subset:literal, $weight:literal, $range:expr;)*) => {
        const INTER: &[Font] = &[$(Font {
            file: concat!("inter-", $subset, "-", $weight, ".woff2"),
            weight: $weight,
            unicode_range: $range,
            woff2: include_bytes!(concat!(env!("MERMEND_DIST"), "/fonts/inter-", $subset, "-", $weight, ".woff2")),
            gzipped_open_type: include_bytes!(
                concat!(env!("MERMEND_DIST"), "/fonts/inter-", $subset, "-", $weight, ".ttf.gz")
            ),
        }),*];
    };
}

// The ranges of Fontsource's own style sheets.
const LATIN: &str = "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,\
U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD";
const LATIN_EXT: &str = "U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+0304,U+0308,U+0329,\
U+1D00-1DBF,U+1E00-1E9F,U+1EF2-1EFF,U+2020,U+20A0-20AB,U+20AD-20C0,U+2113,U+2C60-2C7F,U+A720-A7FF";
const CYRILLIC: &str = "U+0301,U+0400-045F,U+0490-0491,U+04B0-04B1,U+2116";
const GREEK: &str = "U+0370-0377,U+037A-037F,U+0384-038A,U+038C,U+038E-03A1,U+03A3-03FF";
const VIETNAMESE: &str = "U+0102-0103,U+0110-0111,U+0128-0129,U+0168-0169,U+01A0-01A1,U+01AF-01B0,U+0300-0301,\
U+0303-0304,U+0308-0309,U+0323,U+0329,U+1EA0-1EF9,U+20AB";

inter! {
    "latin", 400, LATIN;
    "latin", 700, LATIN;
    "latin-ext", 400, LATIN_EXT;
    "latin-ext", 700, LATIN_EXT;
    "cyrillic", 400, CYRILLIC;
    "cyrillic", 700, CYRILLIC;
    "greek", 400, GREEK;
    "greek", 700, GREEK;
    "vietnamese", 400, VIETNAMESE;
    "vietnamese", 700, VIETNAMESE;
}

const SYMBOLS: [&[u8]; 2] = [
    include_bytes!(concat!(env!("MERMEND_DIST"), "/fonts/dejavu-sans-400.ttf.gz")),
    include_bytes!(concat!(env!("MERMEND_DIST"), "/fonts/dejavu-sans-700.ttf.gz")),
];

/// The files that a page needs to show pictures as they were measured.
pub fn web_fonts() -> &'static [Font] {
    INTER
}

/// How many fonts are shipped for each weight.
pub(super) const SHIPPED: usize = INTER.len() / 2 + 1;

/// Whether the shipped font `number` is meant for `character`. A browser chooses among the files by the same ranges.
pub(super) fn is_for(number: usize, character: char) -> bool {
    INTER.get(2 * number).is_none_or(|font| in_range(character, font.unicode_range))
}

/// The shipped font `number`, below [`SHIPPED`], as OpenType. The first is the one of Latin text.
pub(super) fn open_type(number: usize, bold: bool) -> Option<Vec<u8>> {
    let gzipped = match INTER.get(2 * number + usize::from(bold)) {
        Some(font) => font.gzipped_open_type,
        None => SYMBOLS[usize::from(bold)],
    };
    let mut bytes = Vec::new();
    GzDecoder::new(gzipped).read_to_end(&mut bytes).ok().map(|_| bytes)
}

/// The `@font-face` rules, with the files inside, for the characters of `text`.
pub(super) fn embedded_css(text: &str, bold: bool) -> String {
    use base64::Engine as _;
    let wanted = |font: &&Font| {
        (font.weight == 400 || bold)
            && text.chars().any(|c| !c.is_ascii_control() && in_range(c, font.unicode_range))
    };
    INTER
        .iter()
        .filter(wanted)
        .map(|font| {
            format!(
                "@font-face{{font-family:{FAMILY};font-weight:{};src:url(data:font/woff2;base64,{}) \
            format('woff2');unicode-range:{}}}",
                font.weight,
                base64::engine::general_purpose::STANDARD.encode(font.woff2),
                font.unicode_range,
            )
        })
        .collect()
}

/// Whether `character` is in a CSS unicode range such as `U+0000-00FF,U+0131`.
fn in_range(character: char, range: &str) -> bool {
    let code = u32::from(character);
    range.split(',').any(|part| {
        let part = part.trim_start_matches("U+");
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let hex = |digits| u32::from_str_radix(digits, 16).unwrap_or(u32::MAX);
        (hex(first)..=hex(last)).contains(&code)
    })
}
