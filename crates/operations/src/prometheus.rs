//! Parses the text format of Prometheus: the response of `/metrics`, as samples.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name of the metric, with the suffix of histograms and summaries.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of one response.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Sample>);

/// A line that is not of the text format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not of Prometheus' text format")]
pub struct ParseError {
    pub line: usize,
}

impl Samples {
    /// # Errors
    /// Names the first line that is not of the format.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut samples = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match sample(line) {
                Some(sample) => samples.push(sample),
                None => return Err(ParseError { line: number + 1 }),
            }
        }
        Ok(Samples(samples))
    }

    /// The samples of this name whose labels fit.
    pub fn filter(
        &self,
        name: &str,
        fits: impl Fn(&BTreeMap<String, String>) -> bool,
    ) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.name == name && fits(&sample.labels))
    }

    /// The sum over all samples of this name; none without samples.
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.sum_where(name, |_| true)
    }

    /// The sum over the samples of this name whose labels fit; none without samples.
    pub fn sum_where(&self, name: &str, fits: impl Fn(&BTreeMap<String, String>) -> bool) -> Option<f64> {
        self.filter(name, fits).map(|sample| sample.value).reduce(|a, b| a + b)
    }

    /// The buckets of a histogram, summed over the labels that fit: upper bounds in ascending order, and counts.
    pub fn buckets(&self, name: &str, fits: impl Fn(&BTreeMap<String, String>) -> bool) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.filter(&format!("{name}_bucket"), fits) {
            let Some(bound) = sample.labels.get("le").and_then(|bound| number(bound)) else { continue };
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((bound, sample.value)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }
}

/// The quantile `q` of a histogram, computed as Prometheus does; none without values.
pub fn quantile(buckets: &[(f64, f64)], q: f64) -> Option<f64> {
    let total = buckets.last()?.1;
    if total <= 0.0 {
        return None;
    }
    let rank = q * total;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (bound, count) = buckets[at];
    let (lower, below) = at.checked_sub(1).map_or((0.0, 0.0), |before| buckets[before]);
    if bound.is_infinite() {
        // Only a lower bound is known.
        return Some(lower);
    }
    let inside = count - below;
    Some(if inside <= 0.0 { bound } else { lower + (bound - lower) * (rank - below) / inside })
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = read_labels(inside, &mut labels)?;
    }
    let mut words = rest.split_ascii_whitespace();
    let value = number(words.next()?)?;
    // A timestamp in milliseconds may follow.
    let fits = words.next().is_none_or(|time| time.parse::<i64>().is_ok()) && words.next().is_none();
    fits.then(|| Sample { name: name.to_owned(), labels, value })
}

/// Parses `a="b",c="d"}` and returns the rest of the line.
fn read_labels<'a>(mut text: &'a str, labels: &mut BTreeMap<String, String>) -> Option<&'a str> {
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Some(rest);
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.trim().to_owned(), value);
        text = rest[end..].trim_start();
        text = text.strip_prefix(',').unwrap_or(text);
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        other => other.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_the_malformed_line() {
        for (text, fails) in [
            ("# HELP a b\n# TYPE a counter\na 1\na{b=\"c\",d=\"e\\\"}{\\n\"} 2.5 1700000000\n", None),
            ("up{} 1e3\nx_bucket{le=\"+Inf\",} NaN\n", None),
            ("", None),
            ("<html>", Some(1)),
            ("a 1\n\nb one\n", Some(3)),
            ("a{b=\"c} 1\n", Some(1)),
            ("9a 1\n", Some(1)),
            ("a 1 2 3\n", Some(1)),
            ("a\n", Some(1)),
        ] {
            let expected = fails.map(|line| ParseError { line });
            assert_eq!(Samples::parse(text).err(), expected, "{text}");
        }
    }

    #[test]
    fn sums_and_quantiles_match_prometheus() {
        let text = r#"h_bucket{r="a",le="1"} 50
h_bucket{r="a",le="2"} 90
h_bucket{r="a",le="+Inf"} 100
h_bucket{r="b",le="1"} 0
h_bucket{r="b",le="2"} 0
h_bucket{r="b",le="+Inf"} 0
c{s="500"} 2
c{s="200"} 3
"#;
        let samples = Samples::parse(text).expect("samples");
        assert_eq!(samples.sum("c"), Some(5.0));
        assert_eq!(samples.sum_where("c", |labels| labels["s"].starts_with('5')), Some(2.0));
        assert_eq!(samples.sum("d"), None);
        let buckets = samples.buckets("h", |_| true);
        assert_eq!(buckets, [(1.0, 50.0), (2.0, 90.0), (f64::INFINITY, 100.0)]);
        assert_eq!(quantile(&buckets, 0.25), Some(0.5));
        assert_eq!(quantile(&buckets, 0.7), Some(1.5));
        assert_eq!(quantile(&buckets, 0.99), Some(2.0));
        assert_eq!(quantile(&[(1.0, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
