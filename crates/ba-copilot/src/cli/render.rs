//! `render`: renders a diagram to a file.

use std::path::PathBuf;

use super::{CommandResult, Failure, Verdict, block_on, files, say};
use application::{
    app::App,
    picture::{self, Form},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// File with the diagram; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Output file; its extension is the format: .svg or .png.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Color theme: light or dark.
    #[arg(long, default_value = "light")]
    theme: String,
    /// Scale factor of a PNG, 1 to 4.
    #[arg(long, default_value_t = 2.0)]
    scale: f32,
}

pub(super) fn run(arguments: Arguments, app: &App) -> CommandResult {
    let extension = arguments.output.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let form = Form::parse(extension, arguments.scale)?;
    let code = files::read_text(&arguments.file)?;
    let request = picture::Request { code, theme: arguments.theme, elements: Vec::new() };
    let picture = block_on(picture::draw_one(app, request, form))??;
    if let Some(note) = picture.note() {
        say(&note);
    }
    files::write_atomically(&arguments.output, &picture.bytes)
        .map_err(|error| Failure::file(&arguments.output.display().to_string(), &error))?;
    Ok(Verdict::Clean)
}
