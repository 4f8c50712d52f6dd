//! Which font a character is drawn with: the shipped ones first, then those of a folder and of the system.
//!
//! Fonts of the system are looked at only for characters that the shipped fonts lack, so that all other pictures are
//! the same on every machine.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use resvg::usvg::fontdb::{Database, FaceInfo, ID, Language, Source, Stretch, Style, Weight};
use rustybuzz::{Direction, GlyphBuffer, Script, ShapePlan, UnicodeBuffer, shape_with_plan};
use unicode_script::UnicodeScript;

use super::fonts;

/// The most bytes of other fonts that a process keeps. A font stays in memory once it has been used.
const MAX_BYTES: usize = 512 << 20;
/// After so many characters that no font has, the script counts as missing, so that a text with thousands of such
/// characters does not search all fonts for each.
const MAX_MISSES: usize = 32;
/// Fonts that have a glyph for every character, which shows nothing of it.
const PLACEHOLDERS: [&str; 3] = ["LastResort", "Last Resort", "Adobe Blank"];

/// One font in one weight.
pub(super) struct Face {
    pub(super) font: rustybuzz::Face<'static>,
    data: &'static [u8],
    index: u32,
    /// Its family in the database of a painter.
    pub(super) family: String,
    plans: Mutex<Vec<(Option<Script>, Direction, Arc<ShapePlan>)>>,
}

impl Face {
    fn new(data: Vec<u8>, index: u32, family: Option<&str>) -> Option<&'static Face> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // Faces borrow from their bytes, are shared by all pictures and never dropped.
        let data: &'static [u8] = data.leak();
        let font = rustybuzz::Face::from_slice(data, index)?;
        let family = match family {
            Some(family) => family.to_owned(),
            None => format!("face {}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        };
        Some(Box::leak(Box::new(Face { font, data, index, family, plans: Mutex::default() })))
    }

    pub(super) fn has(&self, character: char) -> bool {
        self.font.glyph_index(character).is_some_and(|glyph| glyph.0 != 0)
    }

    /// The glyphs of a text of one script in one direction.
    pub(super) fn shape(&self, text: &str, rtl: bool) -> GlyphBuffer {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(if rtl { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        let plan = self.plan(Some(buffer.script()), buffer.direction());
        shape_with_plan(&self.font, &plan, buffer)
    }

    /// Whether the face has all of a text that is one character to its reader, such as a letter with its marks.
    fn has_cluster(&self, cluster: &str) -> bool {
        let mut characters = cluster.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) => self.has(one),
            (Some(first), Some(_)) => {
                self.has(first)
                    && self.shape(cluster, false).glyph_infos().iter().all(|glyph| glyph.glyph_id != 0)
            }
            _ => true,
        }
    }

    /// Making a plan takes longer than shaping a label.
    fn plan(&self, script: Option<Script>, direction: Direction) -> Arc<ShapePlan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., plan)) = plans.iter().find(|(s, d, _)| (*s, *d) == (script, direction)) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(ShapePlan::new(&self.font, direction, script, None, &[]));
        plans.push((script, direction, Arc::clone(&plan)));
        plan
    }

    /// For the database of a painter, which finds it by its family.
    pub(super) fn info(&self, bold: bool) -> FaceInfo {
        FaceInfo {
            id: ID::dummy(),
            source: Source::Binary(Arc::new(self.data)),
            index: self.index,
            families: vec![(self.family.clone(), Language::English_UnitedStates)],
            post_script_name: String::new(),
            style: Style::Normal,
            weight: if bold { Weight::BOLD } else { Weight::NORMAL },
            stretch: Stretch::Normal,
            monospaced: false,
        }
    }
}

/// The shipped font `number` of this weight; it is unpacked when it is needed.
fn shipped(number: usize, bold: bool) -> Option<&'static Face> {
    static FACES: [[OnceLock<Option<&'static Face>>; 2]; fonts::SHIPPED] =
        [const { [const { OnceLock::new() }; 2] }; fonts::SHIPPED];
    let cell = FACES.get(number)?.get(usize::from(bold))?;
    let family = (number == 0).then_some(fonts::FAMILY);
    *cell.get_or_init(|| Face::new(fonts::open_type(number, bold)?, 0, family))
}

/// The face of Latin text, which most pictures need no other than.
pub(super) fn latin(bold: bool) -> Option<&'static Face> {
    shipped(0, bold)
}

/// Half the height of small letters for a font size of 1: `dominant-baseline: middle` puts it at `y`.
pub(super) fn middle() -> f64 {
    latin_metric(|font| f64::from(font.x_height().unwrap_or_default())) / 2.0
}

/// Where browsers assume the `hanging` baseline, for a font size of 1.
pub(super) fn hanging() -> f64 {
    extent().0 * 0.8
}

/// The height above and below the baseline, for a font size of 1.
pub(super) fn extent() -> (f64, f64) {
    (latin_metric(|font| f64::from(font.ascender())), latin_metric(|font| -f64::from(font.descender())))
}

fn latin_metric(metric: impl Fn(&rustybuzz::Face<'_>) -> f64) -> f64 {
    latin(false).map_or(0.0, |face| metric(&face.font) / f64::from(face.font.units_per_em().max(1)))
}

/// Where fonts for characters come from that the shipped fonts lack.
#[derive(Debug, Default)]
pub(super) struct MoreFonts {
    folder: Option<PathBuf>,
    system: bool,
    catalog: OnceLock<Catalog>,
    found: Mutex<Found>,
}

/// What is known of the fonts, without their bytes.
#[derive(Debug, Default)]
struct Catalog {
    database: Database,
    /// By preference, for normal and for bold text.
    ordered: [Vec<ID>; 2],
}

#[derive(Default)]
struct Found {
    bytes: usize,
    /// What was read. `None` if it could not be.
    faces: HashMap<ID, Option<&'static Face>>,
    /// What normal and bold texts were drawn with: tried before any other.
    used: [Vec<&'static Face>; 2],
    characters: HashMap<(Box<str>, bool), Option<&'static Face>>,
    misses: HashMap<unicode_script::Script, usize>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl MoreFonts {
    /// The fonts of a folder, and those of the system behind them. They are searched when a text first needs them.
    pub(super) fn new(folder: Option<PathBuf>, system: bool) -> Self {
        MoreFonts { folder, system, ..MoreFonts::default() }
    }

    /// The face for what is one character to its reader; `None` if no font has it.
    pub(super) fn face(&self, cluster: &str, bold: bool) -> Option<&'static Face> {
        let first = cluster.chars().next()?;
        (0..fonts::SHIPPED)
            .filter(|number| fonts::is_for(*number, first))
            .filter_map(|number| shipped(number, bold))
            .find(|face| face.has_cluster(cluster))
            .or_else(|| self.other(cluster, first, bold))
    }

    fn other(&self, cluster: &str, first: char, bold: bool) -> Option<&'static Face> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(face) = found.characters.get(&(cluster.into(), bold)) {
            return *face;
        }
        let used = found.used[usize::from(bold)].iter().find(|face| face.has_cluster(cluster)).copied();
        let face = used.or_else(|| self.search(cluster, first, bold, &mut found));
        // Ten thousands of distinct characters occur in hostile texts only.
        if found.characters.len() < 20_000 {
            found.characters.insert((cluster.into(), bold), face);
        }
        face
    }

    fn search(&self, cluster: &str, first: char, bold: bool, found: &mut Found) -> Option<&'static Face> {
        let catalog = self.catalog.get_or_init(|| self.read_catalog());
        let script = first.script();
        if found.misses.get(&script).is_some_and(|misses| *misses >= MAX_MISSES) {
            return None;
        }
        let mut partial = None;
        let complete = catalog.ordered[usize::from(bold)].iter().copied().find(|id| {
            let has = catalog.database.with_face_data(*id, |data, index| {
                let face = rustybuzz::ttf_parser::Face::parse(data, index).ok()?;
                let has = |c: char| face.glyph_index(c).is_some_and(|glyph| glyph.0 != 0);
                has(first).then(|| cluster.chars().all(|c| is_selector(c) || has(c)))
            });
            if has.flatten() == Some(false) {
                partial.get_or_insert(*id);
            }
            has.flatten() == Some(true)
        });
        let face = complete.or(partial).and_then(|id| load(&catalog.database, id, found));
        if let Some(face) = face {
            found.used[usize::from(bold)].push(face);
        }
        if face.is_none() {
            *found.misses.entry(script).or_default() += 1;
        }
        face
    }

    fn read_catalog(&self) -> Catalog {
        let mut database = Database::new();
        if let Some(folder) = &self.folder {
            database.load_fonts_dir(folder);
        }
        let own = database.len();
        if self.system {
            database.load_system_fonts();
        }
        let faces: Vec<&FaceInfo> = database.faces().collect();
        let order = |bold: bool| {
            let mut order: Vec<_> = faces
                .iter()
                .enumerate()
                .filter(|(_, face)| face.style == Style::Normal && !is_placeholder(face))
                .map(|(at, face)| {
                    (at >= own, penalty(face, bold), name(face), &face.post_script_name, face.id)
                })
                .collect();
            order.sort_by(|a, b| (a.0, a.1, a.2, a.3).cmp(&(b.0, b.1, b.2, b.3)));
            order.into_iter().map(|(.., id)| id).collect()
        };
        let ordered = [order(false), order(true)];
        Catalog { database, ordered }
    }
}

fn name(face: &FaceInfo) -> &str {
    face.families.first().map_or("", |(name, _)| name)
}

fn is_placeholder(face: &FaceInfo) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| name(face).contains(placeholder))
}

/// How far a face is from the shipped one: without serifs, upright, of this weight.
fn penalty(face: &FaceInfo, bold: bool) -> u32 {
    const SERIFS: [&str; 7] = ["serif", "mincho", "ming", "song", "batang", "myungjo", "times"];
    let family = name(face).to_lowercase();
    let serif = SERIFS.iter().any(|word| family.contains(word)) && !family.contains("sans");
    let weight = u32::from(face.weight.0.abs_diff(if bold { 700 } else { 400 }));
    weight
        + 200 * u32::from(serif)
        + 300 * u32::from(face.monospaced || family.contains("mono"))
        + 400 * u32::from(face.stretch != Stretch::Normal)
        // They have digits and letters too, as parts of key caps and flags.
        + 1000 * u32::from(family.contains("emoji"))
}

/// Characters that only choose or join glyphs.
fn is_selector(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Reads a face and keeps it.
fn load(database: &Database, id: ID, found: &mut Found) -> Option<&'static Face> {
    if let Some(face) = found.faces.get(&id) {
        return *face;
    }
    let room = MAX_BYTES.saturating_sub(found.bytes);
    let bytes =
        database.with_face_data(id, |data, index| (data.len() <= room).then(|| (data.to_vec(), index)));
    let face = bytes.flatten().and_then(|(data, index)| {
        found.bytes += data.len();
        Face::new(data, index, None)
    });
    found.faces.insert(id, face);
    face
}
