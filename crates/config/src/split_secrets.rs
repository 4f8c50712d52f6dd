//! Variables, told apart: those that anybody may see, and those that go where only the program looks.

use super::{
    Environment,
    merge::{ConfigError, key_of},
    show::is_secret,
};

/// Variables for a process that is started elsewhere.
#[derive(Default)]
pub struct Apart {
    /// Names and values that are no secret.
    pub plain: Vec<(String, String)>,
    /// Names of settings and what they are: secrets, and what was in a file here (`NAME_FILE`) that is not there.
    pub hidden: Vec<(String, String)>,
}

impl Environment {
    /// Tells them apart.
    ///
    /// # Errors
    /// When a file that a variable names cannot be read.
    pub fn apart(&self) -> Result<Apart, ConfigError> {
        let mut apart = Apart::default();
        for (name, value) in self.pairs() {
            match name.strip_suffix("_FILE") {
                // Said in the variable itself too, that counts.
                Some(base) if key_of(base).is_some() && self.pairs().any(|(other, _)| other == base) => (),
                Some(base) if key_of(base).is_some() => {
                    apart.hidden.extend(self.read(base)?.map(|value| (base.to_owned(), value)));
                }
                _ => {
                    let part = match key_of(name).is_some_and(|key| is_secret(&key)) {
                        true => &mut apart.hidden,
                        false => &mut apart.plain,
                    };
                    part.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Ok(apart)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_secret_and_what_is_in_files_here_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it");
        fs::write(&file, "from a file\n").unwrap();
        let file = file.display().to_string();
        let environment = Environment::from_pairs([
            ("LOG_LEVEL", "debug"),
            ("TZ", "UTC"),
            ("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:1"),
            ("KEYS_FILE", "of somebody else"),
            ("SECRET_KEY", "s"),
            ("BA_COPILOT__MCP__TOKEN", "t"),
            ("BACKUP_PASSPHRASE_FILE", &file),
            ("BA_COPILOT__SERVER__PROXIES_FILE", &file),
            ("SECRET_KEY_FILE", "/not/read"),
        ]);
        let Apart { plain, hidden } = environment.apart().unwrap();
        let names = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&plain),
            [
                "BA_COPILOT__SERVER__LISTEN=0.0.0.0:1",
                "KEYS_FILE=of somebody else",
                "LOG_LEVEL=debug",
                "TZ=UTC"
            ]
        );
        assert_eq!(
            names(&hidden),
            [
                "BACKUP_PASSPHRASE=from a file",
                "BA_COPILOT__MCP__TOKEN=t",
                "BA_COPILOT__SERVER__PROXIES=from a file",
                "SECRET_KEY=s"
            ]
        );
        let missing = Environment::from_pairs([("SECRET_KEY_FILE", "/not/there")]);
        assert!(missing.apart().err().unwrap().to_string().contains("/not/there"));
    }
}
