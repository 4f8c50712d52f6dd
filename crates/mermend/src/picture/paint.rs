//! Painting: the finished SVG made into pixels, with the shipped fonts.
//!
//! PNG is painted from the very SVG that is handed out, so that both show the same. Never reads a file or an address.

use std::sync::{Arc, OnceLock};

use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg::{
        FontResolver, ImageHrefResolver, Options, Tree,
        fontdb::{Database, ID},
    },
};

use super::fonts;

/// Side of the largest PNG, in pixels.
const MAX_SIDE: f32 = 8_192.0;
/// Least room around what is drawn, in units of the picture: a browser gives letters more height than their ink has.
const MARGIN: f64 = 6.0;

/// What a renderer sees in the SVG.
pub(super) fn tree(svg: &str) -> Result<Tree, String> {
    let options = Options {
        fontdb: database(),
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

fn database() -> Arc<Database> {
    static DATABASE: OnceLock<Arc<Database>> = OnceLock::new();
    let database = DATABASE.get_or_init(|| {
        let mut database = Database::new();
        for font in fonts::open_type() {
            database.load_font_data(font);
        }
        database.set_sans_serif_family(fonts::FAMILY);
        Arc::new(database)
    });
    Arc::clone(database)
}

/// A font that has the character: of the same weight if there is one, because Inter comes in files by script.
fn fallback(character: char, used: &[ID], database: &mut Arc<Database>) -> Option<ID> {
    let weight = used.first().and_then(|id| database.face(*id)).map(|face| face.weight);
    let has = |id| {
        let glyph = |data: &[u8], index| ttf_parser::Face::parse(data, index).ok()?.glyph_index(character);
        database.with_face_data(id, glyph).flatten().is_some()
    };
    let able: Vec<_> = database.faces().filter(|face| !used.contains(&face.id) && has(face.id)).collect();
    able.iter().find(|face| Some(face.weight) == weight).or(able.first()).map(|face| face.id)
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

/// The picture as PNG, on a ground of this colour.
pub(super) fn png(tree: &Tree, scale: f32, ground: [u8; 3]) -> Result<Vec<u8>, String> {
    let size = tree.size();
    let scale = scale.min(MAX_SIDE / size.width()).min(MAX_SIDE / size.height());
    let side = |length: f32| (length * scale).ceil().clamp(1.0, MAX_SIDE) as u32;
    let mut pixels = Pixmap::new(side(size.width()), side(size.height())).ok_or("it has no size")?;
    let [red, green, blue] = ground;
    pixels.fill(Color::from_rgba8(red, green, blue, 255));
    resvg::render(tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| error.to_string())
}
