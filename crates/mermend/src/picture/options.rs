//! How a picture should look, and what its parts show.

use std::sync::Arc;

use super::measure::Fonts;

/// How a picture should look.
#[derive(Debug, Clone)]
pub struct PictureOptions {
    /// The colours.
    pub theme: Theme,
    /// Which element of a blueprint each part of the picture shows, written to it as `data-element`.
    pub marks: Vec<Mark>,
    /// For characters that the shipped fonts lack.
    pub fonts: Arc<Fonts>,
}

impl Default for PictureOptions {
    fn default() -> Self {
        PictureOptions { theme: Theme::Light, marks: Vec::new(), fonts: Fonts::system() }
    }
}

/// Colours of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The theme of this name: `light` or `dark`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "light" | "default" => Some(Theme::Light),
            "dark" => Some(Theme::Dark),
            _ => None,
        }
    }
}

/// One part of a picture and the blueprint element it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Id of the blueprint element.
    pub element: String,
    /// The part of the picture.
    pub part: Part,
}

/// A part of a picture, named as in the Mermaid text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A box, of this id.
    Node(String),
    /// A frame around boxes, of this id.
    Group(String),
    /// The row `index` (from 0) of the attributes, or of the methods, of the class `node`.
    Row {
        /// Id of the class.
        node: String,
        /// Counted from 0.
        index: usize,
        /// A row of the methods.
        method: bool,
    },
    /// A line.
    Edge {
        /// Id of the box it begins at.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// Which of the lines between the two, counted from 0.
        nth: usize,
        /// Which of all lines of the diagram, counted from 0.
        ordinal: usize,
    },
}
