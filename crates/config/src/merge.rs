//! Merges the sources of settings into one table. Errors name the source and the most similar known setting.

use std::{collections::BTreeMap, fs, path::Path};

use serde::de::DeserializeOwned;
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    DEFAULT_TOML,
    environment::Environment,
    error::ConfigError,
    sources::{Origin, PREFIX, prefixed_key, variables},
};

/// All sources in one table, with the problems found.
pub(super) struct Merged {
    pub(super) table: Table,
    /// Settings that are not in the map have the value of `default.toml`.
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) problems: Vec<ConfigError>,
    known: Vec<String>,
}

pub(super) fn merge(
    file: Option<&Path>,
    environment: &Environment,
    flags: &[(&'static str, &str, String)],
) -> Merged {
    let mut merged =
        Merged { table: Table::new(), origins: BTreeMap::new(), problems: Vec::new(), known: Vec::new() };
    match parse(&DEFAULT_TOML, "default.toml") {
        Ok(table) => merged.table = table,
        Err(error) => merged.problems.push(error),
    }
    merged.known = flatten(&merged.table).into_iter().map(|(key, _)| key).collect();
    if let Some(path) = file {
        merged.add_file(path);
    }
    merged.problems.extend(environment.problems().iter().cloned());
    if let Some(value) = merged.read_variable(environment, "DEBUG")
        && matches!(value.as_str(), "1" | "true" | "yes")
    {
        merged.set(&environment.origin("DEBUG"), "log.level", Value::String("debug".to_owned()));
    }
    for &(name, key) in variables() {
        if let Some(value) = merged.read_variable(environment, name) {
            let value = if key == "log.level" { value.to_ascii_lowercase() } else { value };
            merged.set(&environment.origin(name), key, Value::String(value));
        }
    }
    for name in environment.names().filter(|name| name.starts_with(PREFIX)) {
        let name = name.strip_suffix("_FILE").unwrap_or(name);
        let Some(key) = prefixed_key(name) else { continue };
        if let Some(value) = merged.read_variable(environment, name) {
            merged.set(&environment.origin(name), &key, Value::String(value));
        }
    }
    for (flag, key, value) in flags {
        merged.set(&Origin::Flag(flag), key, Value::String(value.clone()));
    }
    merged
}

impl Merged {
    /// Deserializes the table. A value that does not fit is a problem and is replaced by its default.
    pub(super) fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        let Err(error) = T::deserialize(Value::Table(self.table.clone())) else {
            return T::deserialize(Value::Table(self.table.clone())).ok();
        };
        let mut good = parse(&DEFAULT_TOML, "default.toml").ok()?;
        let before = self.problems.len();
        for (key, value) in flatten(&self.table) {
            let mut trial = good.clone();
            put(&mut trial, &key, value);
            match T::deserialize(Value::Table(trial.clone())) {
                Ok(_) => good = trial,
                Err(error) => {
                    self.problems.push(ConfigError::Value { key, problem: first_line(&error.to_string()) });
                }
            }
        }
        if self.problems.len() == before {
            self.problems.push(unreadable(first_line(&error.to_string())));
        }
        self.table = good.clone();
        T::deserialize(Value::Table(good)).ok()
    }

    fn add_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = error.to_string();
                self.problems.push(ConfigError::File { path: name, problem });
                return;
            }
        };
        match parse(&text, &name) {
            Ok(table) => {
                let lines = lines(&text);
                for (key, value) in flatten(&table) {
                    let line = lines.get(&key).copied();
                    self.set(&Origin::File { path: name.clone(), line }, &key, value);
                }
            }
            Err(error) => self.problems.push(error),
        }
    }

    fn read_variable(&mut self, environment: &Environment, name: &str) -> Option<String> {
        environment.read(name).unwrap_or_else(|error| {
            self.problems.push(error);
            None
        })
    }

    fn set(&mut self, origin: &Origin, key: &str, value: Value) {
        match set(&mut self.table, &self.known, &sentence_subject(origin), key, value) {
            Ok(()) => {
                self.origins.insert(key.to_owned(), origin.clone());
            }
            // NAME and NAME_FILE are visited separately and give the same error.
            Err(error) if self.problems.contains(&error) => {}
            Err(error) => self.problems.push(error),
        }
    }
}

/// The origin as the subject of a sentence.
fn sentence_subject(origin: &Origin) -> String {
    match origin {
        Origin::Variable { name, file: None } => name.clone(),
        Origin::Variable { name, file: Some((file, line)) } => format!("{name} in {}:{line}", file.display()),
        Origin::Flag(name) => (*name).to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn unreadable(problem: String) -> ConfigError {
    ConfigError::Value { key: "configuration".to_owned(), problem }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The line number of each setting, starting at 1.
pub(super) fn lines(text: &str) -> BTreeMap<String, usize> {
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let mut lines = BTreeMap::new();
    let Ok(parsed) = DeTable::parse(text) else { return lines };
    for (section, value) in parsed.get_ref().iter() {
        match value.get_ref() {
            DeValue::Table(inner) => lines.extend(
                inner
                    .keys()
                    .map(|key| (format!("{}.{}", section.get_ref(), key.get_ref()), line(key.span().start))),
            ),
            _ => {
                lines.insert(section.get_ref().to_string(), line(section.span().start));
            }
        }
    }
    lines
}

fn put(table: &mut Table, key: &str, value: Value) {
    let slot = key.split_once('.').and_then(|(section, name)| table.get_mut(section)?.get_mut(name));
    if let Some(slot) = slot {
        *slot = value;
    }
}

fn parse(text: &str, name: &str) -> Result<Table, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line =
            error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count());
        ConfigError::Syntax {
            path: line.map_or_else(|| name.to_owned(), |line| format!("{name}:{}", line + 1)),
            problem: error.message().to_owned(),
        }
    })
}

pub(super) fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(inner) => {
                out.extend(inner.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone())))
            }
            other => out.push((section.clone(), other.clone())),
        }
    }
    out
}

/// Sets `key`, converted to the type of its default.
fn set(
    table: &mut Table,
    known: &[String],
    origin: &str,
    key: &str,
    value: Value,
) -> Result<(), ConfigError> {
    let unknown = || {
        let nearest =
            known.iter().max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
        let nearest = nearest.map(|nearest| format!(" Did you mean `{nearest}`?")).unwrap_or_default();
        ConfigError::Unknown { origin: origin.to_owned(), key: key.to_owned(), nearest }
    };
    let (section, name) = key.split_once('.').ok_or_else(unknown)?;
    let slot = table
        .get_mut(section)
        .and_then(|section| section.as_table_mut())
        .and_then(|section| section.get_mut(name))
        .ok_or_else(unknown)?;
    let wrong = |expected: &str| ConfigError::Type {
        key: key.to_owned(),
        origin: origin.to_owned(),
        expected: expected.to_owned(),
    };
    *slot = match (&*slot, value) {
        (Value::Integer(_), Value::String(text)) => {
            Value::Integer(text.trim().replace('_', "").parse().map_err(|_| wrong("a whole number"))?)
        }
        (Value::Boolean(_), Value::String(text)) => {
            Value::Boolean(text.trim().parse().map_err(|_| wrong("true or false"))?)
        }
        (old, new) if old.same_type(&new) => new,
        (old, _) => return Err(wrong(&format!("a value of type {}", old.type_str()))),
    };
    Ok(())
}
