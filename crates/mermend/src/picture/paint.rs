//! Painting: the finished SVG made into pixels, with the shipped fonts.
//!
//! PNG is painted from the same SVG that is returned, so that both show the same. Never reads a file or an address.

use std::sync::{Arc, LazyLock};

use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg::{
        FontResolver, ImageHrefResolver, Options, Tree,
        fontdb::{Database, ID, Source},
    },
};

use super::fonts;

/// The most pixels of a PNG; each takes four bytes while it is painted.
pub const MAX_PIXELS: u32 = 16 << 20;
/// Side of the largest PNG, in pixels: what programs that show pictures can be relied on to open.
const MAX_SIDE: f32 = 16_384.0;
/// Least room around what is drawn, in units of the picture: a browser gives letters more height than their ink has.
const MARGIN: f64 = 6.0;

/// The SVG as resvg reads it.
pub(super) fn tree(svg: &str) -> Result<Tree, String> {
    let options = Options {
        fontdb: Arc::clone(&shipped().database),
        font_family: fonts::FAMILY.to_owned(),
        font_resolver: FontResolver {
            select_font: FontResolver::default_font_selector(),
            select_fallback: Box::new(fallback),
        },
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    Tree::from_str(svg, &options).map_err(|error| format!("its SVG cannot be read: {error}"))
}

/// The shipped fonts, and the characters that each is for.
struct Fonts {
    database: Arc<Database>,
    ranges: Vec<(ID, Option<&'static str>)>,
}

fn shipped() -> &'static Fonts {
    static FONTS: LazyLock<Fonts> = LazyLock::new(|| {
        let mut database = Database::new();
        let mut ranges = Vec::new();
        for (font, range) in fonts::open_type() {
            let ids = database.load_font_source(Source::Binary(Arc::new(font)));
            ranges.extend(ids.into_iter().map(|id| (id, range)));
        }
        database.set_sans_serif_family(fonts::FAMILY);
        Fonts { database: Arc::new(database), ranges }
    });
    &FONTS
}

/// The next font to try for a character: of the same weight if there is one, because Inter comes in files by script.
fn fallback(character: char, used: &[ID], database: &mut Arc<Database>) -> Option<ID> {
    let weight = |id: ID| database.face(id).map(|face| face.weight);
    let wanted = used.first().copied().and_then(weight);
    let able = |(id, range): &&(ID, Option<&str>)| {
        !used.contains(id) && range.is_none_or(|range| fonts::in_range(character, range))
    };
    let able: Vec<ID> = shipped().ranges.iter().filter(able).map(|(id, _)| *id).collect();
    able.iter().find(|id| weight(**id) == wanted).or(able.first()).copied()
}

/// The `viewBox` that holds all that is drawn, if the one it has does not. Titles and outer labels of some kinds stick
/// out of the box that Mermaid's layout gives them.
pub(super) fn wider_frame(tree: &Tree, view_box: [f64; 4]) -> Option<[f64; 4]> {
    let drawn = tree.root().abs_stroke_bounding_box();
    let [x, y, width, height] = view_box;
    let (left, top) = (f64::from(drawn.left()), f64::from(drawn.top()));
    let (right, bottom) = (f64::from(drawn.right()), f64::from(drawn.bottom()));
    let grow = |gap: f64| (MARGIN - gap).max(0.0);
    let [west, north, east, south] = [left, top, width - right, height - bottom].map(grow);
    let wider = [x - west, y - north, width + west + east, height + north + south];
    (wider != view_box).then_some(wider)
}

/// The size of a PNG, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PngSize {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Pixels for each unit of the picture.
    pub scale: f32,
    /// The scale is smaller than the one that was asked for, because of [`MAX_PIXELS`].
    pub reduced: bool,
}

impl PngSize {
    /// A picture of `width` by `height` units at `wanted` pixels for each, or at what [`MAX_PIXELS`] allows.
    pub(super) fn fit((width, height): (f32, f32), wanted: f32) -> Self {
        let (width, height) = (width.max(1.0), height.max(1.0));
        let most = MAX_PIXELS as f32;
        // Sides are rounded up, so that the largest area is a little less than what is allowed.
        let by_area = ((most - width - height).max(1.0) / width / height).sqrt();
        let scale = wanted.min(by_area).min(MAX_SIDE / width).min(MAX_SIDE / height);
        let side = |length: f32| (length * scale).ceil().clamp(1.0, MAX_SIDE) as u32;
        let (width, height) = (side(width), side(height).min(MAX_PIXELS / side(width)).max(1));
        PngSize { width, height, scale, reduced: scale < wanted }
    }

    /// All pixels.
    pub fn pixels(self) -> u32 {
        self.width.saturating_mul(self.height)
    }
}

/// The picture as PNG, on a ground of this colour.
pub(super) fn png(tree: &Tree, size: PngSize, ground: [u8; 3]) -> Result<Vec<u8>, String> {
    let mut pixels = Pixmap::new(size.width, size.height).ok_or("it has no size")?;
    let [red, green, blue] = ground;
    pixels.fill(Color::from_rgba8(red, green, blue, 255));
    resvg::render(tree, Transform::from_scale(size.scale, size.scale), &mut pixels.as_mut());
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, size.width, size.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    // The ground is opaque, so colours multiplied by their alpha are the colours: no second copy is needed.
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels.data()))
        .map_err(|error| format!("its pixels cannot be written as PNG: {error}"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_png_has_more_pixels_than_allowed() {
        for (size, wanted, reduced) in [
            ((100.0, 50.0), 2.0, false),
            ((2_000.0, 2_000.0), 2.0, false),
            ((2_049.0, 2_049.0), 2.0, true),
            ((100_000.0, 100_000.0), 1.0, true),
            ((1.0e9, 1.0), 4.0, true),
            ((0.1, 3.0e9), 1.0, true),
            ((0.0, 0.0), 1.0, false),
        ] {
            let png = PngSize::fit(size, wanted);
            assert!(png.pixels() > 0 && png.pixels() <= MAX_PIXELS, "{size:?}: {png:?}");
            assert_eq!(png.reduced, reduced, "{size:?}: {png:?}");
        }
    }
}
