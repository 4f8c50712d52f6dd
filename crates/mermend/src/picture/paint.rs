//! Painting: the finished SVG made into pixels, with the shipped fonts.
//!
//! PNG is painted from the same SVG that is returned, so that both show the same. Never reads a file or an address.

use std::{
    panic,
    sync::{Arc, LazyLock},
};

use resvg::{
    tiny_skia::{Color, FilterQuality, IntSize, Pixmap, PixmapMut, PixmapPaint, Rect, Transform},
    usvg::{
        FontResolver, Group, ImageHrefResolver, ImageKind, Node, Options, Tree,
        fontdb::{Database, FaceInfo},
    },
};

use super::{faces, fonts};

/// The most pixels of a PNG; each takes four bytes while it is painted.
pub const MAX_PIXELS: u32 = 16 << 20;
/// Side of the largest PNG, in pixels: what programs that show pictures can be relied on to open.
const MAX_SIDE: f32 = 16_384.0;
/// Least room around what is drawn, in units of the picture: a browser gives letters more height than their ink has.
const MARGIN: f64 = 6.0;

/// The SVG as resvg reads it, with these fonts beside the one of Latin text. A text is in one font: what the font lacks
/// is drawn as a box.
pub(super) fn tree(svg: &str, others: &[FaceInfo]) -> Result<Tree, String> {
    static LATIN: LazyLock<Arc<Database>> = LazyLock::new(|| {
        let mut database = Database::new();
        for bold in [false, true] {
            if let Some(face) = faces::latin(bold) {
                database.push_face_info(face.info(bold));
            }
        }
        database.set_sans_serif_family(fonts::FAMILY);
        database.set_serif_family(fonts::FAMILY);
        Arc::new(database)
    });
    let mut fontdb = Arc::clone(&LATIN);
    if !others.is_empty() {
        let database = Arc::make_mut(&mut fontdb);
        for face in others {
            database.push_face_info(face.clone());
        }
    }
    let options = Options {
        fontdb,
        font_family: fonts::FAMILY.to_owned(),
        font_resolver: FontResolver {
            select_font: FontResolver::default_font_selector(),
            select_fallback: Box::new(|_, _, _| None),
        },
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    panic::catch_unwind(panic::AssertUnwindSafe(|| Tree::from_str(svg, &options)))
        .map_err(|_| "its SVG cannot be read: the reader gave up on it".to_owned())?
        .map_err(|error| format!("its SVG cannot be read: {error}"))
}

/// The `viewBox` that holds all that is drawn, if the one it has does not. Titles and outer labels of some kinds stick
/// out of the box that Mermaid's layout gives them.
pub(super) fn wider_frame(drawn: Rect, view_box: [f64; 4]) -> Option<[f64; 4]> {
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
    let scale = Transform::from_scale(size.scale, size.scale);
    resvg::render(tree, scale, &mut pixels.as_mut());
    bitmaps(tree.root(), scale, &mut pixels.as_mut());
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

/// Paints the glyphs of texts that are images, as those of many fonts for emoji; resvg would need decoders for formats
/// that no font has.
fn bitmaps(group: &Group, scale: Transform, pixels: &mut PixmapMut<'_>) {
    for node in group.children() {
        match node {
            Node::Group(group) => bitmaps(group, scale, pixels),
            Node::Text(text) => {
                let place = scale.pre_concat(text.abs_transform());
                for glyph in text.flattened().children() {
                    if let Node::Group(glyph) = glyph {
                        bitmap(glyph, place.pre_concat(glyph.transform()), pixels);
                    }
                }
            }
            _ => {}
        }
    }
}

fn bitmap(glyph: &Group, place: Transform, pixels: &mut PixmapMut<'_>) {
    for node in glyph.children() {
        if let Node::Image(image) = node
            && let ImageKind::PNG(data) = image.kind()
            && let Some(picture) = decoded(data)
        {
            let paint = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
            pixels.draw_pixmap(0, 0, picture.as_ref(), &paint, place, None);
        }
    }
}

/// A PNG of at most a megapixel.
fn decoded(data: &[u8]) -> Option<Pixmap> {
    let mut decoder =
        png::Decoder::new_with_limits(std::io::Cursor::new(data), png::Limits { bytes: 4 << 20 });
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width, reader.info().height);
    let size = IntSize::from_wh(width, height).filter(|_| u64::from(width) * u64::from(height) <= 1 << 20)?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut bytes).ok()?;
    bytes.truncate(info.buffer_size());
    let premultiply =
        |c: u8, alpha: u8| u8::try_from(u16::from(c) * u16::from(alpha) / 255).unwrap_or(u8::MAX);
    let rgba: Vec<u8> = match info.color_type {
        png::ColorType::Rgba => bytes
            .chunks_exact(4)
            .flat_map(|p| [premultiply(p[0], p[3]), premultiply(p[1], p[3]), premultiply(p[2], p[3]), p[3]])
            .collect(),
        png::ColorType::GrayscaleAlpha => bytes
            .chunks_exact(2)
            .flat_map(|p| [premultiply(p[0], p[1]), premultiply(p[0], p[1]), premultiply(p[0], p[1]), p[1]])
            .collect(),
        _ => return None,
    };
    Pixmap::from_vec(rgba, size)
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
