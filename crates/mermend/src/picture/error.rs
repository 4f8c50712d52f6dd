//! Why there is no picture.

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureError {
    /// The text is not a diagram that can be drawn; the message says why.
    NotDrawable(String),
    /// The picture would be larger than the limit.
    TooLarge(String),
    /// The diagram was not drawn when its time was over.
    TooSlow,
    /// The renderer failed on a diagram that it should have drawn.
    Failed(String),
}

impl std::fmt::Display for PictureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PictureError::NotDrawable(why) => write!(
                f,
                "The diagram cannot be drawn: {why}. Check it first; only valid diagrams have a picture."
            ),
            PictureError::TooLarge(why) => write!(
                f,
                "The picture would be too large: {why}. Split the diagram, or ask for a smaller scale."
            ),
            PictureError::TooSlow => f.write_str(
                "The diagram was not drawn within the time limit: laying it out takes too long. Split it into \
                several diagrams.",
            ),
            PictureError::Failed(why) => write!(f, "The picture could not be drawn: {why}."),
        }
    }
}

impl std::error::Error for PictureError {}
