//! Names of files in reports: relative to the root of the repository, as code hosts and `git apply` expect.

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::Failure;

/// What is not encoded in a segment of a URI. A colon is: before the first slash it would end a scheme.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The folder that names are relative to.
pub(super) struct ReportPaths {
    current: PathBuf,
    root: PathBuf,
}

impl ReportPaths {
    /// The root of the Git repository around the current folder, or the current folder.
    pub(super) fn find() -> Result<Self, Failure> {
        let current = std::env::current_dir().map_err(|error| Failure::file(".", &error))?;
        let root =
            current.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&current).to_owned();
        Ok(ReportPaths { current, root })
    }

    /// A URI reference: relative below the root, otherwise a `file:` URI.
    pub(super) fn uri(&self, path: &Path) -> String {
        let (path, inside) = self.resolve(path);
        let segments = path.components().filter_map(|component| match component {
            Component::RootDir => None,
            other => Some(percent_encode(other.as_os_str().as_encoded_bytes(), SEGMENT).to_string()),
        });
        let joined = segments.collect::<Vec<_>>().join("/");
        if inside { joined } else { format!("file:///{joined}") }
    }

    /// A name for people and for GitHub's annotations, with slashes.
    pub(super) fn name(&self, path: &Path) -> String {
        let (path, inside) = self.resolve(path);
        let segments = path.components().filter_map(|component| match component {
            Component::RootDir => None,
            other => Some(other.as_os_str().to_string_lossy().into_owned()),
        });
        let joined = segments.collect::<Vec<_>>().join("/");
        if inside { joined } else { format!("/{joined}") }
    }

    /// The lines before the hunks of a patch of this file, as Git writes them.
    pub(super) fn patch_header(&self, path: &Path) -> String {
        let name = self.name(path);
        let name = name.trim_start_matches('/');
        let (old, new) = (quoted(&format!("a/{name}")), quoted(&format!("b/{name}")));
        // A tab ends a name with blanks.
        let end = if name.contains(' ') { "\t" } else { "" };
        format!("diff --git {old} {new}\n--- {old}{end}\n+++ {new}{end}\n")
    }

    /// The path without `.` and `..`, and whether it is relative to the root.
    fn resolve(&self, path: &Path) -> (PathBuf, bool) {
        let mut whole = PathBuf::new();
        for component in self.current.join(path).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    whole.pop();
                }
                other => whole.push(other),
            }
        }
        match whole.strip_prefix(&self.root) {
            Ok(relative) => (relative.to_owned(), true),
            Err(_) => (whole, false),
        }
    }
}

/// A name in the notation of C if Git needs it.
fn quoted(name: &str) -> String {
    if !name.contains(|c: char| c.is_ascii_control() || c == '"' || c == '\\') {
        return name.to_owned();
    }
    let escaped = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        control if control.is_ascii_control() => format!("\\{:03o}", u32::from(control)),
        other => other.to_string(),
    };
    format!("\"{}\"", name.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_root_and_encoded() {
        let paths = ReportPaths { current: "/repo/docs".into(), root: "/repo".into() };
        for (path, uri, name) in [
            ("a.md", "docs/a.md", "docs/a.md"),
            ("./a.md", "docs/a.md", "docs/a.md"),
            ("../b/./a.md", "b/a.md", "b/a.md"),
            ("/repo/a.md", "a.md", "a.md"),
            ("../a:b/c.md", "a%3Ab/c.md", "a:b/c.md"),
            ("Überblick #1 %20?.md", "docs/%C3%9Cberblick%20%231%20%2520%3F.md", "docs/Überblick #1 %20?.md"),
            ("[x] {y} \"z\" \\.md", "docs/%5Bx%5D%20%7By%7D%20%22z%22%20%5C.md", "docs/[x] {y} \"z\" \\.md"),
            ("/tmp/x y.md", "file:///tmp/x%20y.md", "/tmp/x y.md"),
            ("../../repository/a.md", "file:///repository/a.md", "/repository/a.md"),
        ] {
            let path = Path::new(path);
            assert_eq!((paths.uri(path).as_str(), paths.name(path).as_str()), (uri, name));
        }
    }
}
