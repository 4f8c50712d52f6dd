//! Pictures as users get them: fonts, ids, baselines and directions.

use std::{collections::HashSet, fs, path::PathBuf, process::Command};

use quick_xml::{Reader, events::Event};
use resvg::tiny_skia::{Pixmap, Transform};
use test_support::skip;

use super::{
    Drawing, Fonts, PictureOptions, Theme, fonts,
    paint::{self, PngSize},
};
use crate::{Deadline, kinds::KINDS};

fn draw_with(code: &str, options: PictureOptions) -> Drawing {
    Drawing::new(code, options, &Deadline::none()).unwrap_or_else(|error| panic!("{error}\n{code}"))
}

fn draw(code: &str) -> Drawing {
    draw_with(code, PictureOptions::default())
}

fn png(drawing: &Drawing) -> Vec<u8> {
    drawing.png(drawing.png_size(1.0), &Deadline::none()).unwrap()
}

/// A folder of its own for a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mermend-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The font of Latin text with the glyph of `A` for each of these characters, and with no other character.
fn font_of(characters: &[char]) -> Vec<u8> {
    let font = fonts::open_type(0, false).unwrap();
    let glyph = rustybuzz::ttf_parser::Face::parse(&font, 0).unwrap().glyph_index('A').unwrap();
    let word = |at: usize| u32::from_be_bytes(font[at..at + 4].try_into().unwrap());
    let count = usize::from(u16::from_be_bytes([font[4], font[5]]));
    let mut sorted = characters.to_vec();
    sorted.sort_unstable();
    let mut cmap: Vec<u8> = [0_u16, 1, 3, 10].iter().flat_map(|n| n.to_be_bytes()).collect();
    let length = 16 + 12 * u32::try_from(sorted.len()).unwrap();
    cmap.extend(12_u32.to_be_bytes());
    cmap.extend([12_u16, 0].iter().flat_map(|n| n.to_be_bytes()));
    cmap.extend([length, 0, u32::try_from(sorted.len()).unwrap()].iter().flat_map(|n| n.to_be_bytes()));
    for character in sorted {
        let code = u32::from(character);
        cmap.extend([code, code, u32::from(glyph.0)].iter().flat_map(|n| n.to_be_bytes()));
    }
    let mut head = font[..12 + 16 * count].to_vec();
    let mut tables = Vec::new();
    for row in 0..count {
        let at = 12 + 16 * row;
        let (offset, length) = (word(at + 8) as usize, word(at + 12) as usize);
        let table = if &font[at..at + 4] == b"cmap" { &cmap } else { &font[offset..offset + length] };
        let place = u32::try_from(head.len() + tables.len()).unwrap();
        head[at + 8..at + 12].copy_from_slice(&place.to_be_bytes());
        head[at + 12..at + 16].copy_from_slice(&u32::try_from(table.len()).unwrap().to_be_bytes());
        tables.extend_from_slice(table);
        tables.resize(tables.len().next_multiple_of(4), 0);
    }
    head.extend(tables);
    head
}

#[test]
fn characters_that_no_font_has_are_named() {
    let folder = Folder::new("no-fonts");
    for (label, missing) in [
        ("承認 Order", vec!["Chinese characters (Han)"]),
        ("발주서", vec!["Korean (Hangul)"]),
        ("カタカナ ひらがな", vec!["Japanese (Kana)"]),
        ("ใบสั่งซื้อ", vec!["Thai"]),
        ("आदेश", vec!["Devanagari"]),
        ("🎞️ film", vec!["emoji"]),
        ("检查、🔊 발", vec!["Chinese characters (Han)", "emoji", "Korean (Hangul)"]),
        ("Order Заказ Παραγγελία Đơn طلب הזמנה → ✓ é e\u{301}", vec![]),
    ] {
        let options =
            PictureOptions { fonts: Fonts::of_folder(folder.0.clone()), ..PictureOptions::default() };
        let drawing = draw_with(&format!("flowchart LR\n a[\"{label}\"]"), options);
        let mut found = drawing.missing_scripts().to_vec();
        found.sort_by_key(|name| missing.iter().position(|other| other == name));
        assert_eq!(found, missing, "{label}");
        assert!(!png(&drawing).is_empty(), "{label}");
    }
}

#[test]
fn a_font_that_has_the_characters_is_measured_and_painted() {
    let folder = Folder::new("fonts");
    fs::write(folder.0.join("one.ttf"), font_of(&['承', '認', '🔊'])).unwrap();
    let fonts = Fonts::of_folder(folder.0.clone());
    for (code, same) in [
        ("flowchart LR\n a[\"承認\"]", "flowchart LR\n a[\"AA\"]"),
        ("flowchart LR\n a -->|\"承\"| b[\"🔊\"]", "flowchart LR\n a -->|\"A\"| b[\"A\"]"),
        ("sequenceDiagram\n 承->>b: 認承", "sequenceDiagram\n A->>b: AA"),
        (
            "stateDiagram-v2\n state \"承 認\" as s\n s --> t : 認",
            "stateDiagram-v2\n state \"A A\" as s\n s --> t : A",
        ),
    ] {
        let options = PictureOptions { fonts: fonts.clone(), ..PictureOptions::default() };
        let drawing = draw_with(code, options);
        assert!(drawing.missing_scripts().is_empty(), "{code}");
        assert!(png(&drawing) == png(&draw(same)), "{code}");
    }
}

/// Every id of a picture, and every id that it refers to.
fn ids(svg: &str) -> (HashSet<String>, HashSet<String>) {
    let (mut ids, mut references) = (HashSet::new(), HashSet::new());
    let mut reader = Reader::from_str(svg);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return (ids, references),
            Event::Start(start) | Event::Empty(start) => {
                for attribute in start.attributes().flatten() {
                    let value = attribute.value.into_owned();
                    match attribute.key.as_ref() {
                        "id" => ids.extend([value]),
                        "href" | "xlink:href" => {
                            references.extend([value.trim_start_matches('#').to_owned()]);
                        }
                        key if key.starts_with("aria-") && key.ends_with("by") => {
                            references.extend(value.split_whitespace().map(str::to_owned));
                        }
                        _ => {
                            let addresses = value.split("url(#").skip(1);
                            references
                                .extend(addresses.map(|rest| rest.split(')').next().unwrap().to_owned()));
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn pictures_of_one_page_share_no_ids_and_refer_to_themselves() {
    for kind in KINDS {
        let code = kind.sample;
        let svg = |code: &str, theme| {
            let options = PictureOptions { theme, ..PictureOptions::default() };
            draw_with(code, options).svg_for_page().unwrap()
        };
        let light = svg(code, Theme::Light);
        assert_eq!(light, svg(code, Theme::Light), "{}: the same text has the same picture", kind.id);
        let (own, references) = ids(&light);
        let unknown: Vec<_> = references.difference(&own).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", kind.id);
        for other in
            [svg(code, Theme::Dark), svg(&format!("{}\n%% another\n", code.trim_end()), Theme::Light)]
        {
            let (other, _) = ids(&other);
            let shared: Vec<_> = own.intersection(&other).collect();
            assert!(shared.is_empty(), "{}: {shared:?}", kind.id);
        }
        let id = light.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        for rule in light.split("<style>").skip(1).flat_map(|style| style.split("</style>").next()) {
            for selector in
                rule.split('}').filter_map(|rule| rule.split_once('{')).map(|(selector, _)| selector)
            {
                for name in selector.split('#').skip(1) {
                    assert!(name.starts_with(id), "{}: the rule of {selector}", kind.id);
                }
            }
        }
    }
}

/// An SVG as a painter shows it that knows no baseline but the one of letters.
fn painted(svg: &str, size: PngSize) -> Pixmap {
    let tree = paint::tree(svg, &[]).unwrap();
    let mut pixels = Pixmap::new(size.width, size.height).unwrap();
    pixels.fill(resvg::tiny_skia::Color::WHITE);
    resvg::render(&tree, Transform::from_scale(size.scale, size.scale), &mut pixels.as_mut());
    pixels
}

#[test]
fn texts_are_where_their_baselines_were_without_naming_one() {
    for kind in KINDS {
        let drawing = draw(kind.sample);
        for svg in [drawing.svg().unwrap(), drawing.svg_for_page().unwrap()] {
            assert!(!svg.contains("dominant-baseline"), "{}\n{svg}", kind.id);
            assert!(!svg.contains("alignment-baseline"), "{}", kind.id);
        }
        let size = drawing.png_size(1.0);
        let alone = painted(&drawing.svg().unwrap(), size);
        let own = Pixmap::decode_png(&png(&drawing)).unwrap();
        let differing =
            alone.pixels().iter().zip(own.pixels()).filter(|(a, b)| a.red().abs_diff(b.red()) > 64).count();
        assert!(differing < 30, "{}: {differing} pixels differ", kind.id);
    }
}

#[test]
fn texts_of_right_to_left_scripts_begin_at_the_right() {
    for (label, rtl) in [
        ("הזמנה ABC", true),
        ("طلب (ABC)", true),
        ("(טופס) 12", true),
        ("ABC הזמנה", false),
        ("12 ABC", false),
    ] {
        for code in [
            format!("flowchart LR\n a[\"{label}\"]"),
            format!("sequenceDiagram\n A->>B: {label}"),
            format!("classDiagram\n class A[\"{label}\"]"),
            format!("gantt\n title {label}\n section s\n x :a, 2024-01-01, 2d"),
        ] {
            let drawing = draw(&code);
            let svg = drawing.svg().unwrap();
            assert_eq!(svg.contains("direction=\"rtl\""), rtl, "{code}\n{svg}");
            // In both directions the Latin letters of these texts are at the left.
            let plans: Vec<&str> = drawing.plans.parts().collect();
            let Some(parts) = plans.iter().find(|parts| parts.contains("ABC")) else { continue };
            let place = |words: &str| {
                let before = &parts[..parts.find(words).unwrap()];
                before.rsplit("x=\"").next().unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
            };
            let is_rtl = |c| ('\u{590}'..'\u{700}').contains(&c);
            let other = parts.split('>').find(|part| part.contains(is_rtl)).unwrap();
            assert!(place("ABC") < place(other), "{code}\n{parts}");
        }
    }
}

/// Rows of pixels with ink, from the first to the last, in a part of a picture.
fn ink(picture: &Pixmap) -> (u32, u32) {
    let dark = |y: &u32| {
        (0..picture.width()).any(|x| picture.pixel(x, *y).is_some_and(|p| p.red() < 100 && p.alpha() > 200))
    };
    let rows: Vec<u32> = (0..picture.height()).filter(dark).collect();
    (rows.first().copied().unwrap_or_default(), rows.last().copied().unwrap_or_default())
}

/// The program is there, or the test is counted as skipped.
fn installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(format!("{program} is not installed"));
    }
    there
}

/// Where another program puts a label of capitals, compared with where it is here.
fn check_elsewhere(convert: impl Fn(&PathBuf, &PathBuf) -> bool, folder: &Folder) {
    for (name, code) in [
        ("flowchart", "flowchart LR\n a[HHHH]"),
        ("sequence", "sequenceDiagram\n participant HHHH"),
        ("class", "classDiagram\n class HHHH"),
        ("mindmap", "mindmap\n HHHH"),
    ] {
        let drawing = draw(code);
        let (svg, png) = (folder.0.join(format!("{name}.svg")), folder.0.join(format!("{name}.png")));
        // Fonts differ from program to program, so all that is compared is the middle of the letters.
        let text = drawing.svg().unwrap();
        let only_text =
            text.replacen("<style>", "<style>rect,path,line,circle,polygon{visibility:hidden}", 1);
        fs::write(&svg, &only_text).unwrap();
        let size = drawing.png_size(1.0);
        assert!(convert(&svg, &png), "{name} was not converted");
        let other = Pixmap::decode_png(&fs::read(&png).unwrap()).unwrap();
        let own = painted(&only_text, size);
        let scale = f64::from(other.height()) / f64::from(own.height());
        let middle = |(top, bottom): (u32, u32), scale: f64| f64::from(top + bottom) / 2.0 / scale;
        let (here, there) = (middle(ink(&own), 1.0), middle(ink(&other), scale));
        assert!((here - there).abs() < 2.0, "{name}: the middle is at {there}, not at {here}");
    }
}

#[test]
fn librsvg_puts_texts_at_the_same_height() {
    if !installed("rsvg-convert") {
        return;
    }
    let folder = Folder::new("librsvg");
    let convert = |svg: &PathBuf, png: &PathBuf| {
        Command::new("rsvg-convert")
            .arg(svg)
            .arg("-o")
            .arg(png)
            .args(["-b", "white"])
            .status()
            .unwrap()
            .success()
    };
    check_elsewhere(convert, &folder);
}

#[test]
fn libreoffice_puts_texts_at_the_same_height() {
    if !installed("soffice") {
        return;
    }
    let folder = Folder::new("libreoffice");
    let convert = |svg: &PathBuf, png: &PathBuf| {
        let folder = svg.parent().unwrap();
        Command::new("soffice")
            .arg(format!("-env:UserInstallation=file://{}/profile", folder.display()))
            .args(["--headless", "--convert-to", "png", "--outdir"])
            .arg(folder)
            .arg(svg)
            .output()
            .unwrap()
            .status
            .success()
            && png.exists()
    };
    check_elsewhere(convert, &folder);
}

#[test]
fn a_group_from_top_to_bottom_has_unlinked_nodes_below_each_other() {
    let places = |direction: &str| -> Vec<(f64, f64)> {
        let code = format!("flowchart LR\n subgraph s\n direction {direction}\n a\n b\n c\n end");
        let svg = draw(&code).svg_for_page().unwrap();
        let nodes = svg.split("class=\"node ").skip(1);
        nodes
            .map(|node| {
                let place = node.split("transform=\"translate(").nth(1).unwrap().split(')').next().unwrap();
                let (x, y) = place.split_once(',').unwrap();
                (x.trim().parse().unwrap(), y.trim().parse().unwrap())
            })
            .collect()
    };
    for direction in ["TB", "BT"] {
        let places = places(direction);
        assert_eq!(places.len(), 3, "{direction}");
        assert!(places.windows(2).all(|pair| (pair[0].0 - pair[1].0).abs() < 1.0), "{direction}: {places:?}");
        assert!(
            places.windows(2).all(|pair| (pair[0].1 - pair[1].1).abs() > 20.0),
            "{direction}: {places:?}"
        );
    }
}

#[test]
fn icons_without_their_font_leave_no_text() {
    for code in [
        "flowchart LR\n a[fa:fa-truck Truck] -->|fab:fa-github push| b[\"fas:fa-ban no\"]",
        "flowchart LR\n a@{ icon: \"fa:user\", form: \"square\", label: \"User\", pos: \"t\", h: 60 } --> b",
        "mindmap\n root\n  a\n  ::icon(fa fa-book)",
    ] {
        let svg = draw(code).svg().unwrap();
        assert!(
            !svg.contains(">fa:") && !svg.contains("fa-truck") && !svg.contains("fa:user"),
            "{code}\n{svg}"
        );
    }
}
