//! `render`: the picture of a diagram, in a file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Failure, Ran, Verdict, block_on, files, say};
use application::{
    app::App,
    picture::{self, Form},
};

/// Flags of `render`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The diagram; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Where the picture goes; its ending says which kind: .svg or .png.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// light or dark.
    #[arg(long, default_value = "light")]
    theme: String,
    /// Pixels for each unit of a PNG, 1 to 4.
    #[arg(long, default_value_t = 2.0)]
    scale: f32,
}

pub(super) fn run(arguments: Arguments, app: &App) -> Ran {
    let ending = arguments.output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let form = Form::parse(ending, arguments.scale)?;
    let code = files::read_text(&arguments.file)?;
    let request = picture::Request { code, theme: arguments.theme, elements: Vec::new() };
    let picture = block_on(picture::draw_one(app, request, form))??;
    if let Some(note) = picture.note() {
        say(&note);
    }
    write_whole(&arguments.output, &picture.bytes)
        .map_err(|error| Failure::file(&arguments.output.display().to_string(), &error))?;
    Ok(Verdict::Clean)
}

/// Written aside and moved, so that a picture is whole or not there.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension("part");
    fs::write(&aside, bytes)?;
    fs::rename(&aside, path)
}
