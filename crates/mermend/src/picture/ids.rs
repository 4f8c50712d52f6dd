//! Ids of a picture that no other picture of the same page has.

/// What the ids of a picture have in them.
pub(super) struct Ids<'a>(pub(super) &'a str);

impl Ids<'_> {
    /// An id that no other picture of a page has: those of most elements have the one of the picture in them.
    pub(super) fn own(&self, id: &str) -> String {
        match id.contains(self.0) {
            true => id.to_owned(),
            false => format!("{}-{id}", self.0),
        }
    }

    /// The same for what `url(#id)` names.
    pub(super) fn own_addresses(&self, css: String) -> String {
        if !css.contains("url(") {
            return css;
        }
        let mut out = String::with_capacity(css.len() + 32);
        let mut rest = css.as_str();
        while let Some(at) = rest.find("url(") {
            let (before, after) = rest.split_at(at + "url(".len());
            out.push_str(before);
            let quotes = after.len() - after.trim_start_matches([' ', '"', '\'']).len();
            let (open, name) = after.split_at(quotes);
            out.push_str(open);
            let Some(name) = name.strip_prefix('#') else {
                rest = &after[quotes..];
                continue;
            };
            let end = name.find([' ', '"', '\'', ')']).unwrap_or(name.len());
            out.push('#');
            out.push_str(&self.own(&name[..end]));
            rest = &name[end..];
        }
        out.push_str(rest);
        out
    }

    /// CSS in which `[id$="end"]` is `#id`, where one id of the SVG ends so: painters know only the latter.
    pub(super) fn lower_ends(&self, css: String, svg: &str) -> String {
        const OPEN: &str = "[id$=\"";
        let mut out = String::with_capacity(css.len());
        let mut rest = css.as_str();
        while let Some((before, after)) = rest.split_once(OPEN) {
            out.push_str(before);
            let Some((end, behind)) = after.split_once("\"]") else {
                out.push_str(OPEN);
                rest = after;
                continue;
            };
            let ids = svg.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let mut ids = ids.filter(|id| id.ends_with(end));
            match (ids.next(), ids.next()) {
                (Some(id), None) => out.push_str(&format!("#{}", self.own(id))),
                _ => out.push_str(&format!("{OPEN}{end}\"]")),
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }
}
