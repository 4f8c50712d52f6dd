use mermend::{
    Deadline,
    picture::{Drawing, PictureOptions, Theme},
};
use std::time::Instant;
fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let n: usize = args.remove(0).parse().unwrap();
    let out = args.remove(0);
    for file in args {
        let text = std::fs::read_to_string(&file).unwrap();
        let theme = if file.contains("dark") { Theme::Dark } else { Theme::Light };
        let options = || PictureOptions { theme, ..PictureOptions::default() };
        let first = Instant::now();
        let d = match Drawing::new(&text, options(), &Deadline::none()) {
            Ok(d) => d,
            Err(e) => {
                println!("{file}: {e}");
                continue;
            }
        };
        let svg = d.svg().unwrap();
        let first = first.elapsed();
        let mut times = Vec::new();
        for _ in 0..n {
            let t = Instant::now();
            let d = Drawing::new(&text, options(), &Deadline::none()).unwrap();
            let a = t.elapsed();
            let _ = d.svg_for_page().unwrap();
            times.push((t.elapsed(), a));
        }
        times.sort();
        let t = Instant::now();
        let png = d.png(d.png_size(2.0), &Deadline::none()).unwrap();
        let p = t.elapsed();
        let stem = std::path::Path::new(&file).file_stem().unwrap().to_string_lossy().to_string();
        if out != "-" {
            std::fs::write(format!("{out}/{stem}.svg"), &svg).unwrap();
            std::fs::write(format!("{out}/{stem}.page.svg"), d.svg_for_page().unwrap()).unwrap();
            std::fs::write(format!("{out}/{stem}.png"), &png).unwrap();
        }
        if n > 0 {
            println!(
                "{stem}: first {first:.1?} median {:.2?} (new {:.2?}) png {p:.1?} svg {} png {}",
                times[n / 2].0,
                times[n / 2].1,
                svg.len(),
                png.len()
            );
        }
    }
}
